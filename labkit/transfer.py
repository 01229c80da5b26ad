"""Recipes that learn a downstream task: by a linear probe, by fine-tuning, or from scratch.

All gradient training goes through one loop, `labkit.training.fit`. A recipe returns a `Fit`: the
network and, when it was trained by steps, the accuracies on the way. Learning rates and strengths
are chosen on the ID validation set, never on an OOD image.
"""

import copy
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Generator, Tensor, nn

from labkit.inputs import above_0, at_least_0, real, refused
from labkit.layers import train_only
from labkit.tasks import Task
from labkit.threads import one_blas_thread
from labkit.training import (
    Classifier,
    Fit,
    Moment,
    Progress,
    Schedule,
    accuracy,
    blank_head,
    checked_task,
    features,
    fit,
    follow,
    moment,
    new_classifier,
    progress_bar,
    share_right,
    train,
)

PROBE_STRENGTHS = tuple(10.0**k for k in range(-3, 3))  # scikit-learn's C; smaller is simpler
ABSENT = 10.0  # how far a class without examples stays below the mean logit of the others


def linear_probe(
    encoder: nn.Module, task: Task, strengths: Sequence[float] = PROBE_STRENGTHS
) -> Fit:
    """Freeze the encoder, compute features once, and fit logistic regression on them.

    The strength is chosen on ID validation. As Kumar et al. (2022, appendix) do, features are
    shifted and scaled by one scalar each, which is folded back into the head.
    """
    task = checked_task(task, ood=False)
    if not strengths:
        raise refused("strengths", "none", "one or more")
    strengths = [above_0("strengths", strength) for strength in strengths]
    found, validation = (features(encoder, x.images) for x in (task.train, task.validation))
    number = torch.promote_types(found.dtype, torch.float32)
    x, validation = found.to("cpu", number), validation.to("cpu", number)
    labels, expected = task.train.labels.cpu(), task.validation.labels.cpu()
    mean, std = x.mean().item(), max(x.std().item(), 1e-12)
    regression = LogisticRegression(tol=1e-5, max_iter=1000, warm_start=True)
    tried: list[tuple[float, float, nn.Linear]] = []
    scaled = ((x - mean) / std).double().numpy()
    with one_blas_thread():
        for strength in sorted(strengths):
            regression.C = strength
            if not _converges(regression, scaled, labels):
                break  # a weaker penalty converges later still
            blank = blank_head(x.shape[1], len(task.classes)).to(x)
            head = _as_linear(regression, mean, std, blank)
            tried.append((share_right(head(validation), expected), strength, head))
    if not tried:
        raise refused("strengths", strengths, "one for which the probe converges")
    right, strength, head = max(tried, key=lambda one: one[0])  # of equals the simplest
    model = Classifier(copy.deepcopy(encoder), head.to(found)).eval()
    return Fit(model, right, chosen=strength)


def _converges(regression: LogisticRegression, x: np.ndarray, labels: Tensor) -> bool:
    """Fit; an unconverged probe is no probe."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with suppress(ConvergenceWarning):
            regression.fit(x, labels.numpy())
            return True
    return False


@torch.no_grad()
def _as_linear(
    regression: LogisticRegression, mean: float, std: float, head: nn.Linear
) -> nn.Linear:
    """scikit-learn's coefficients as a head on raw features: `head`, filled in.

    A class without examples would lose bias without end. Its logit is the others' mean less ABSENT:
    never the largest, and small enough for fine-tuning, averaging and temperatures to work with.
    """
    found = (regression.coef_, regression.intercept_)
    weight, bias = (torch.from_numpy(x).to(head.weight) for x in found)
    if len(weight) == 1:  # two classes: scikit-learn keeps one row, for the second of them
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    weight, bias = weight / std, bias - (weight * mean / std).sum(dim=1)
    head.weight.copy_(weight.mean(dim=0))
    head.bias.fill_(bias.mean() - ABSENT)
    seen = torch.from_numpy(regression.classes_)
    head.weight[seen], head.bias[seen] = weight, bias
    return head


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

    With a head that fits nearly all training labels, the first gradients do not tear at the
    features. Few labels may ask for a penalty so strong that the head fits less: then they tear
    more than a random head's. The paper keeps BatchNorm in evaluation mode here (`freeze_norm`),
    and its best learning rates are far below FT's. `probe` saves computing the probe again.
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
    accepted = "layers that can be reinitialised, by a method reset_parameters"
    fresh = copy.deepcopy(encoder)
    with torch.no_grad():
        for parameter in filter(torch.is_floating_point, fresh.parameters()):
            parameter.fill_(torch.nan)  # of what is not drawn anew, nothing is left
    seed = torch.randint(2**31, (), generator=generator).item()
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's layers draw from the global generator only
        for name, module in fresh.named_modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
            elif next(module.parameters(recurse=False), None) is not None:
                raise refused("encoder", f"{name} ({type(module).__name__})", accepted)
    for name, parameter in fresh.named_parameters():
        if parameter.isnan().any():  # such as the weight below a spectral norm
            raise refused("encoder", name, accepted)
    return fresh


def best_rate(run: Callable[[float], Fit], rates: Sequence[float]) -> Fit:
    """Run every learning rate and return the best fit on ID validation; diverged runs lose.

    Raises ValueError for no rates, FloatingPointError when all runs diverge.
    """
    if not rates:
        raise refused("rates", "none", "one or more")
    fits = []
    for rate in rates:
        with suppress(FloatingPointError):
            fits.append(run(rate))
    if not fits:
        raise FloatingPointError(f"rates: every one of {list(rates)} diverged")
    return max(fits, key=lambda fit: fit.validation)


def interpolate(start: Classifier, end: Classifier, alpha: float) -> Classifier:
    """The classifier whose weights are (1 - alpha) start + alpha end.

    Raises ValueError for an alpha outside [0, 1] or networks of different shapes.
    """
    alpha = real("alpha", alpha, 1)
    one, two = start.state_dict(), end.state_dict()
    if {name: x.shape for name, x in one.items()} != {name: x.shape for name, x in two.items()}:
        raise refused("end", "other weights", "those of start in name and shape")
    middle, floats = copy.deepcopy(end), [n for n, x in two.items() if x.is_floating_point()]
    middle.load_state_dict(two | {n: torch.lerp(one[n], two[n], alpha) for n in floats})
    return middle.eval()


def wise_ft(start: Fit, end: Fit, task: Task, alpha: float = 0.5) -> Fit:
    """WiSE-FT (Wortsman et al. 2022): average the weights before and after fine-tuning.

    `start` is the classifier that `end` was fine-tuned from, for us the linear probe. What counts
    is a common start: two fine-tunings of one encoder average well too, even from different heads,
    while the average of two networks from scratch knows nothing.
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
