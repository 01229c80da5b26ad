"""An encoder stage by stage: what its layers say of an image, and which of them may train."""

import re
from contextlib import ExitStack
from functools import partial

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
        numbered = re.match(r"(?:[^.\d]+\.)*[^.]*\d[^.]*(?=\.)", name)  # "inception3a" is one too
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


def layer_features(encoder: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The output of every numbered stage, averaged over places: stage -> (n, channels).

    The last entry, "features", is what the encoder returns. Evaluation mode, no gradients.
    """
    found: dict[str, list[Tensor]] = {}

    def keep(name: str, widths: set[int], _module, _inputs, output: Tensor) -> None:
        # A copy, since an activation that follows may write into the output.
        found.setdefault(name, []).append(_averaged(output, widths).clone())

    modules = dict(encoder.named_modules())
    with ExitStack() as hooks:
        for name, parameters in stages(encoder).items():
            if name in modules:
                hook = partial(keep, name, {len(p) for p in parameters})
                hooks.enter_context(modules[name].register_forward_hook(hook))
        last = features(encoder, images)
    return {name: torch.cat(parts) for name, parts in found.items()} | {"features": last}


def _averaged(output: Tensor, widths: set[int]) -> Tensor:
    """Means over places: (n, channels, h, w), (n, h, w, channels) or (n, tokens, channels).

    Which of four axes is the channels' (Swin's come last)? The one that the two equal sides of a
    square picture leave; where that does not tell, one that is as long as a weight is wide.
    """
    if output.ndim == 3:
        return output.mean(dim=1)
    if output.ndim != 4:
        return output
    _, a, b, c = output.shape
    last = a == b if (a == b) != (b == c) else a not in widths and c in widths
    return output.mean(dim=(1, 2) if last else (2, 3))
