"""An encoder stage by stage: what its layers say of an image, and which of them may train."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from labkit.inputs import check_choice
from labkit.training import Classifier, features


def stages(encoder: nn.Module) -> dict[str, list[nn.Parameter]]:
    """An encoder's parameters, stage by stage from the pixels up.

    A stage is a numbered block ("blocks.0", "backbone.layer1") and what follows it up to the next;
    what stands before the first is the "stem".
    """
    found: dict[str, list[nn.Parameter]] = {}
    stage = "stem"
    for name, parameter in encoder.named_parameters():
        numbered = re.match(r"(?:[a-z_]+\.)*?[a-z_]*\d+(?=\.)", name)
        # A numbered norm alone, such as a ResNet's bn1, is no stage.
        if numbered and any(p.ndim > 1 for p in encoder.get_submodule(numbered[0]).parameters()):
            stage = numbered[0]
        found.setdefault(stage, []).append(parameter)
    return found


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
    return model


def freeze_bottom(model: Classifier, count: int) -> Classifier:
    """Freeze the `count` lowest stages and train the rest (in place; returns `model`)."""
    names = tuple(stages(model.encoder))
    if not 0 <= count < len(names):
        raise ValueError(f"count: got {count}, accepted: 0 to {len(names) - 1}")
    return train_only(model, *names[count:])


def layer_features(encoder: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The output of every numbered stage, averaged over places: stage -> (n, channels).

    The last entry, "features", is what the encoder returns. Evaluation mode, no gradients.
    """
    found: dict[str, list[Tensor]] = {}

    def keep(name: str):
        def hook(_module, _inputs, output: Tensor) -> None:
            # (n, channels, height, width) from convolutions, (n, tokens, channels) from attention
            places = (2, 3) if output.ndim == 4 else (1,) if output.ndim == 3 else ()
            found.setdefault(name, []).append(output.mean(dim=places) if places else output)

        return hook

    modules = dict(encoder.named_modules())
    hooks = [
        modules[name].register_forward_hook(keep(name))
        for name in stages(encoder)
        if name in modules
    ]
    try:
        last = features(encoder, images)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: torch.cat(parts) for name, parts in found.items()} | {"features": last}
