"""Contrastive training in a second: two linear projections on the frozen features of two encoders.

What a temperature, a missing denominator or another loss does to the geometry shows here in 200
steps, on real features, without training an encoder anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import data
from labkit.encoders import Clip
from labkit.inputs import above_0, all_finite, whole
from labkit.transfer import features

Loss = Callable[[Tensor, Tensor], Tensor]  # (n, dim) images, (n, dim) their texts -> a scalar


class Pairs(NamedTuple):
    """Frozen features of matching images and captions, row by row."""

    image: Tensor  # (n, image dim)
    text: Tensor  # (n, text dim)
    concept: Tensor  # (n,)


@torch.no_grad()
def caption_pairs(clip: Clip, emoji: data.Emoji) -> Pairs:
    """The features of images and of their names before CLIP's own projections, standardised."""
    image, text = features(clip.image, emoji.images), clip.text(emoji.captions)
    image, text = ((x - x.mean(dim=0)) / x.std(dim=0).clamp(min=1e-6) for x in (image, text))
    return Pairs(image, text, emoji.concept)


def project(
    pairs: Pairs,
    loss: Loss,
    *,
    steps: int = 200,
    batch: int = 256,
    dim: int = 64,
    lr: float = 3e-3,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Train both projections by `loss`; return the unit vectors of all pairs, (n, dim) each.

    The start and the batches depend on `seed` alone, so that two losses differ in nothing else.
    Raises ValueError for a batch larger than the pairs, FloatingPointError when the loss diverges.
    """
    if not 2 <= batch <= len(pairs.image):
        raise ValueError(f"batch: got {batch}, accepted: 2 to {len(pairs.image)}, the pairs")
    shapes = [tuple(x.shape) for x in pairs[:2]]
    if any(len(s) != 2 or 0 in s for s in shapes) or shapes[0][0] != shapes[1][0]:
        raise ValueError(f"image, text: got shapes {shapes}, accepted: (n, dim), the same n")
    all_finite(image=pairs.image, text=pairs.text)
    steps, dim, lr = whole("steps", steps, 0), whole("dim", dim, 1), above_0("lr", lr)
    generator = torch.Generator().manual_seed(seed)
    sides = [_linear(x.shape[1], dim, generator) for x in (pairs.image, pairs.text)]
    optimizer = torch.optim.Adam([p for side in sides for p in side.parameters()], lr=lr)
    for step in range(steps):
        rows = torch.randperm(len(pairs.image), generator=generator)[:batch]
        value = loss(sides[0](pairs.image[rows]), sides[1](pairs.text[rows]))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if not torch.isfinite(value) or not _are_moderate(sides):
            raise FloatingPointError(f"training diverged at step {step}: lower lr ({lr})")
    with torch.no_grad():
        image, text = (
            F.normalize(side(x), dim=1) for side, x in zip(sides, pairs[:2], strict=True)
        )
    return image, text


def attraction_only(image: Tensor, text: Tensor) -> Tensor:
    """The numerator of the contrastive loss without its denominator: nothing is pushed apart."""
    all_finite(image=image, text=text)
    return -F.cosine_similarity(image, text).mean()


def _are_moderate(sides: list[nn.Linear]) -> bool:
    """Whether features of these projections are numbers whose squares float32 can hold."""
    return all(bool(side.weight.detach().abs().max() < 1e12) for side in sides)


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight.normal_(std=inputs**-0.5, generator=generator)
        layer.bias.normal_(std=0.25, generator=generator)  # two encoders start apart
    return layer
