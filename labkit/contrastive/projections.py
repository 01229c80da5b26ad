"""Contrastive training in a second: two linear projections on the frozen features of two encoders.

What a temperature, a missing denominator or another loss does to the geometry shows here in 200
steps, on real features, without training an encoder anew.
"""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import torch
from torch import Tensor, nn

from labkit import data, optimizers
from labkit.contrastive.geometry import alignment, modality_gap, uniformity
from labkit.contrastive.losses import clip_loss, cosine_similarities, siglip_loss, unit
from labkit.encoders import Clip
from labkit.inputs import above_0, all_finite, pairs, whole
from labkit.training import blank_head, features

Loss = Callable[[Tensor, Tensor], Tensor]  # (n, dim) images, (n, dim) their texts -> a scalar
TEMPERATURES = (0.01, 0.03, 0.1, 0.3, 1.0)


class Pairs(NamedTuple):
    """Frozen features of matching images and captions, row by row."""

    image: Tensor  # (n, image dim)
    text: Tensor  # (n, text dim)


@torch.no_grad()
def caption_pairs(clip: Clip, emoji: data.Emoji) -> Pairs:
    """The features of images and of their names before CLIP's own projections, standardised."""
    image, text = features(clip.image, emoji.images), clip.text(emoji.captions)
    image, text = ((x - x.mean(dim=0)) / x.std(dim=0).clamp(min=1e-6) for x in (image, text))
    return Pairs(image, text)


def project(
    found: Pairs,
    loss: Loss,
    *,
    steps: int = 200,
    batch: int = 256,
    dim: int = 64,
    lr: float = 3e-3,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Train both projections by `loss`; return the unit vectors of all pairs, (n, dim) each.

    The start and the batches depend on `seed` alone, so that two losses differ in nothing else. A
    loop of its own: `pretrain.take_step` draws emoji, captions and views, and here are none.
    Raises ValueError for a batch larger than the pairs, FloatingPointError when the loss diverges.
    """
    all_finite(**found._asdict())
    batch = whole("batch", batch, 2, len(found.image), "the pairs")
    steps, dim, lr = whole("steps", steps, 0), whole("dim", dim, 1), above_0("lr", lr)
    generator = torch.Generator().manual_seed(seed)
    image, text = (_linear(x.shape[1], dim, generator) for x in found)
    optimizer = optimizers.Adam([*image.parameters(), *text.parameters()], lr=lr)
    for step in range(steps):
        rows = torch.randperm(len(found.image), generator=generator)[:batch]
        value = loss(image(found.image[rows]), text(found.text[rows]))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        largest = max(side.weight.detach().abs().max() for side in (image, text))
        if not (value.isfinite() and largest < 1e12):  # else float32 cannot hold features' squares
            raise FloatingPointError(f"training diverged at step {step}: lower lr ({lr})")
    with torch.no_grad():
        return unit(image(found.image)), unit(text(found.text))


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = blank_head(inputs, outputs)
    with torch.no_grad():
        layer.weight.normal_(std=inputs**-0.5, generator=generator)
        layer.bias.normal_(std=0.25, generator=generator)  # two encoders start apart
    return layer


def attraction_only(image: Tensor, text: Tensor) -> Tensor:
    """The numerator of the contrastive loss without its denominator: nothing is pushed apart."""
    pairs(image=image, text=text)
    return -(unit(image) * unit(text)).sum(dim=1).mean()


def at_temperature(temperature: float) -> Loss:
    """CLIP's loss at a fixed temperature, as a function of features alone."""
    return lambda image, text: clip_loss(image, text, 1 / temperature)


def geometry_table(found: Pairs) -> pd.DataFrame:
    """`geometry_of` projections from one start, by CLIP's loss and by two others: a row each."""
    rows = {"start": geometry_of(found, None, steps=0)}
    for t in TEMPERATURES:
        rows[f"temperature {t:g}"] = geometry_of(found, at_temperature(t))
    rows["SigLIP"] = geometry_of(found, lambda image, text: siglip_loss(image, text, 10, -10.0))
    rows["attraction only"] = geometry_of(found, attraction_only, steps=300, lr=0.02)
    return pd.DataFrame(rows).T


def geometry_of(found: Pairs, loss: Loss | None, **options) -> dict[str, float]:
    """Train projections by `loss`; measure gap, alignment, uniformity, and right captions."""
    image, text = project(found, loss, **options)
    nearest = cosine_similarities(image, text).argmax(dim=1)
    return {
        "gap": modality_gap(image, text),
        "alignment": alignment(image, text),
        "uniformity": uniformity(image),
        "own caption first": (nearest == torch.arange(len(image))).float().mean().item(),
    }
