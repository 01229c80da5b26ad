"""Recipes that learn a downstream task: from scratch, by a linear probe, or by fine-tuning.

All gradient training goes through one loop, `labkit.training.fit`. A recipe returns a `Fit`: the
network and, when it was trained by steps, the accuracies on the way. Learning rates and strengths
are chosen on the ID validation set, never on an OOD image.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn

from labkit.inputs import at_least_0
from labkit.layers import freeze_bottom, stages, train_only
from labkit.probe import PROBE_STRENGTHS, linear_probe
from labkit.tasks import Task
from labkit.training import (
    NO_AUGMENTATION,
    Classifier,
    Fit,
    Moment,
    Progress,
    Schedule,
    accuracy,
    features,
    fit,
    moment,
    new_classifier,
    progress_bar,
    train,
)


def fine_tune(
    encoder: nn.Module,
    task: Task,
    lr: float,
    generator: Generator,
    schedule: Schedule = Schedule(),
    progress: Progress | None = None,
) -> Fit:
    """Train everything, from the pretrained encoder and a random head (FT)."""
    model = new_classifier(encoder, len(task.classes), generator)
    return fit(model, task, lr, generator, schedule, progress)


def lp_ft(
    encoder: nn.Module,
    task: Task,
    lr: float,
    generator: Generator,
    schedule: Schedule = Schedule(freeze_norm=True),
    progress: Progress | None = None,
    *,
    probe: Fit | None = None,
    penalty: Callable[[Classifier], Tensor] | None = None,
) -> Fit:
    """Linear probing, then fine-tuning (LP-FT, Kumar et al. 2022): start from the probe's head.

    A head that fits nearly all labels spares the features in the first steps; one that does not may
    pull harder than a random one (it is longer), and needs a small rate. The paper keeps BatchNorm
    in evaluation mode here (`freeze_norm`), and its best learning rates are far below FT's. `probe`
    saves computing the probe again.
    """
    start = (probe or linear_probe(encoder, task)).model
    return fit(copy.deepcopy(start), task, lr, generator, schedule, progress, penalty=penalty)


def from_scratch(
    encoder: nn.Module,
    task: Task,
    lr: float,
    generator: Generator,
    schedule: Schedule = Schedule(),
    progress: Progress | None = None,
) -> Fit:
    """Forget what `encoder` knows: the same network from new random weights, then `fine_tune`."""
    return fine_tune(reinitialised(encoder, generator), task, lr, generator, schedule, progress)


def reinitialised(encoder: nn.Module, generator: Generator) -> nn.Module:
    """A copy of `encoder` with every layer's own random initialisation.

    Raises ValueError for a layer that holds weights but has no `reset_parameters` to draw new ones.
    """
    fresh = copy.deepcopy(encoder)
    seed = torch.randint(2**31, (), generator=generator).item()
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's layers draw from the global generator only
        for name, module in fresh.named_modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
            elif next(module.parameters(recurse=False), None) is not None:
                raise ValueError(
                    f"encoder: {name} ({type(module).__name__}) cannot be reinitialised"
                )
    return fresh


def best_rate(run: Callable[[float], Fit], rates: Sequence[float]) -> Fit:
    """Run every learning rate and return the best fit on ID validation; diverged runs lose.

    Raises ValueError for no rates, FloatingPointError when all runs diverge.
    """
    if not rates:
        raise ValueError("rates: got none, accepted: one or more")
    fits = []
    for rate in rates:
        try:
            fits.append(run(rate))
        except FloatingPointError:
            continue
    if not fits:
        raise FloatingPointError(f"rates: every one of {list(rates)} diverged")
    return max(fits, key=lambda fit: fit.validation)


def early_stopped(
    model: Classifier,
    task: Task,
    lr: float,
    generator: Generator,
    schedule: Schedule = Schedule(),
    every: int = 10,
) -> Fit:
    """`fit`, but return to the weights that were best on ID validation, looking every few steps.

    Kumar et al. (2022, theorem 3.1) hold for every moment of the training: early stopping saves
    time, not the features.
    """
    if every < 1:
        raise ValueError(f"every: got {every}, accepted: 1 or more")
    best, kept = -1.0, {}

    def keep(step: int, model: Classifier) -> None:
        nonlocal best, kept
        looks = step % every == 0 or step == schedule.steps
        right = accuracy(model, task.validation) if looks else -1.0
        if right > best:
            best, kept = right, copy.deepcopy(model.state_dict())

    history = fit(model, task, lr, generator, schedule, on_step=keep).history
    model.load_state_dict(kept)
    return Fit(model, best, history, lr)


def interpolate(start: Classifier, end: Classifier, alpha: float) -> Classifier:
    """The classifier whose weights are (1 - alpha) start + alpha end.

    Raises ValueError for an alpha outside [0, 1] or networks of different shapes.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha: got {alpha}, accepted: 0 (start) to 1 (end)")
    one, two = start.state_dict(), end.state_dict()
    if {name: x.shape for name, x in one.items()} != {name: x.shape for name, x in two.items()}:
        raise ValueError("end: its weights differ in name or shape from those of start")
    middle = copy.deepcopy(end)
    middle.load_state_dict(
        {
            name: torch.lerp(one[name], x, alpha) if x.is_floating_point() else x
            for name, x in two.items()
        }
    )
    return middle.eval()


def wise_ft(start: Fit, end: Fit, task: Task, alpha: float = 0.5) -> Fit:
    """WiSE-FT (Wortsman et al. 2022): average the weights before and after fine-tuning.

    `start` is the classifier that `end` was fine-tuned from, for us the linear probe: the average
    of two networks is a good network only where one was reached from the other.
    """
    middle = interpolate(start.model, end.model, alpha)
    return Fit(middle, accuracy(middle, task.validation), chosen=end.chosen)


def l2_sp(encoder: nn.Module, strength: float) -> Callable[[Classifier], Tensor]:
    """A penalty for `fit`: strength / 2 times the squared distance of the encoder's weights from
    where they start (L2-SP, Li et al. 2018, equation 3, whose term for the head is left out).
    """
    strength = at_least_0("strength", strength)
    start = [parameter.detach().clone() for parameter in encoder.parameters()]

    def penalty(model: Classifier) -> Tensor:
        pairs = zip(model.encoder.parameters(), start, strict=True)
        return strength / 2 * sum((p - origin).square().sum() for p, origin in pairs)

    return penalty
