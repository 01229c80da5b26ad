"""An encoder stage by stage: what its layers say of an image, and which of them may train."""

import os.path
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from labkit.inputs import as_tensor, check_choice
from labkit.training import Classifier, features


def stages(encoder: nn.Module) -> dict[str, list[nn.Parameter]]:
    """An encoder's parameters, stage by stage from the pixels up.

    A stage is a numbered block ("blocks.0", "backbone.layer1") and what follows it up to the next;
    what stands before the first is the "stem". A module around the whole network, whatever its
    name, is no block.
    """
    inside = _blocks(encoder, _wrapper([name for name, _ in encoder.named_parameters()]))
    return inside if list(inside) != ["stem"] else _blocks(encoder, "")


def _blocks(encoder: nn.Module, around: str) -> dict[str, list[nn.Parameter]]:
    """`stages`, of which the numbers within the name `around` are not read."""
    found: dict[str, list[nn.Parameter]] = {}
    stage = "stem"
    for name, parameter in encoder.named_parameters():
        # "inception3a" is numbered too.
        inner = re.match(r"(?:[^.\d]+\.)*[^.]*\d[^.]*(?=\.)", name.removeprefix(around))
        block = around + inner[0] if inner else ""
        # A numbered norm alone, such as a ResNet's bn1, is no stage.
        if inner and any(p.ndim > 1 for p in encoder.get_submodule(block).parameters()):
            stage = block
        found.setdefault(stage, []).append(parameter)
    return found


def _wrapper(names: Sequence[str]) -> str:
    """The beginning, up to a dot, that all parameters' names share; not a lone layer's own name."""
    modules = [name.split(".")[:-1] for name in names]
    shared = os.path.commonprefix(modules)  # of lists too
    shared = shared[:-1] if shared in modules else shared
    return "".join(f"{part}." for part in shared)


def train_only(model: Classifier, *names: str) -> Classifier:
    """Freeze all of the encoder but these stages; the head trains (in place; returns `model`).

    With one name this is surgical fine-tuning (Lee et al. 2023). A frozen stage's BatchNorm keeps
    its statistics. Raises ValueError for a name that is not one of `stages`.
    """
    parts = stages(model.encoder)
    check_choice("names", names, tuple(parts))
    for name, parameters in parts.items():
        for parameter in parameters:
            parameter.requires_grad_(name in names)
    model.head.requires_grad_(True)
    return model


def layer_features(encoder: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The output of every numbered stage, averaged over places: stage -> (n, channels).

    The last entry, "features", is what the encoder returns. Evaluation mode, no gradients. Of a
    block that is used several times it is the last output.
    """
    images = as_tensor("images", images)
    shapes = _shapes(encoder, images[:1])

    def average(stage: str, output: Tensor) -> Tensor:
        # A copy, since an activation that follows may write into the output.
        return _averaged(output, *(seen[stage][0] for seen in shapes)).clone()

    found, last = _watch(encoder, images, average)
    return {stage: torch.cat(parts) for stage, parts in found.items()} | {"features": last}


def _shapes(encoder: nn.Module, image: Tensor) -> list[dict[str, list[torch.Size]]]:
    """Every stage's output of an image, and of one twice as large where the encoder takes that."""

    def shape(_, output: Tensor) -> torch.Size:
        return output.shape

    found = [_watch(encoder, image, shape)[0]]
    if image.ndim == 4:
        with suppress(RuntimeError, ValueError, AssertionError):  # it takes one size only
            found.append(_watch(encoder, image.repeat(1, 1, 2, 2), shape)[0])
    return found


def _watch(
    encoder: nn.Module, images: Tensor, kept: Callable[[str, Tensor], Any]
) -> tuple[dict[str, list], Tensor]:
    """`kept(stage, output)` of every stage for every batch, and what the encoder returns."""
    found, latest = {}, {}

    def look(stage: str, _module, _inputs, output: Tensor) -> None:
        latest[stage] = kept(stage, output)

    def batch_is_done(*_) -> None:
        for stage, value in latest.items():
            found.setdefault(stage, []).append(value)

    modules = dict(encoder.named_modules())
    with ExitStack() as hooks:
        for stage in stages(encoder):
            if stage in modules:
                hooks.enter_context(modules[stage].register_forward_hook(partial(look, stage)))
        hooks.enter_context(encoder.register_forward_hook(batch_is_done))
        return found, features(encoder, images)


def _averaged(output: Tensor, shape: torch.Size, larger: torch.Size | None = None) -> Tensor:
    """Means over places: (n, channels, h, w), (n, h, w, channels) or (n, tokens, channels).

    Which of four axes is the channels' (Swin's come last)? The one that a larger picture leaves as
    long; where that is not known, the one that the two equal sides of a square picture leave.
    """
    if output.ndim == 3:
        return output.mean(dim=1)
    if output.ndim != 4:
        return output
    last = shape[1] == shape[2] != shape[3]
    if larger is not None:
        last = shape[3] == larger[3] and shape[1] != larger[1]
    return output.mean(dim=(1, 2) if last else (2, 3))
