"""Recipes that learn a downstream task: from scratch, by a linear probe, or by fine-tuning.

All gradient training goes through one loop, `fit`. A recipe returns a `Fit`: the network and, when
it was trained by steps, the accuracies on the way. Learning rates and strengths are chosen on the
ID validation set; nothing here looks at an OOD image except to record how well it is classified.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Generator, Tensor, nn
from tqdm.auto import tqdm

from labkit.augment import Augmentation
from labkit.tasks import Examples, Task

NO_AUGMENTATION = Augmentation()


class Classifier(nn.Module):
    """An encoder B and a linear head v: f(x) = v B(x)."""

    def __init__(self, encoder: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encoder(images))  # (n, classes)


class Moment(NamedTuple):
    """What `fit` records: the test accuracies after so many steps."""

    step: int
    id: float
    ood: dict[str, float]


@dataclass(frozen=True)
class Fit:
    """A trained classifier, how it got there, and what was chosen on validation."""

    model: Classifier
    validation: float  # accuracy
    history: tuple[Moment, ...] = ()
    chosen: float | None = None  # the learning rate, or the probe's strength C


def new_classifier(encoder: nn.Module, classes: int, generator: Generator) -> Classifier:
    """A copy of `encoder` with a fresh head, drawn like nn.Linear's: U(-1/sqrt(d), 1/sqrt(d))."""
    head = nn.Linear(encoder.dim, classes)
    bound = encoder.dim**-0.5
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    return Classifier(copy.deepcopy(encoder), head)


@torch.no_grad()
def features(encoder: nn.Module, images: Tensor, batch: int = 512) -> Tensor:
    """Features (n, dim) of images (n, 3, h, w), by the encoder in evaluation mode, no gradients."""
    modes = [(module, module.training) for module in encoder.modules()]
    encoder.eval()
    found = torch.cat([encoder(part) for part in images.split(batch)])
    for module, training in modes:
        module.training = training
    return found


def accuracy(model: nn.Module, examples: Examples) -> float:
    """The share of examples that the model's largest logit gets right."""
    return (features(model, examples.images).argmax(dim=1) == examples.labels).float().mean().item()


PROBE_STRENGTHS = tuple(10.0**k for k in range(-3, 3))  # scikit-learn's C; smaller is simpler


def linear_probe(
    encoder: nn.Module, task: Task, strengths: Sequence[float] = PROBE_STRENGTHS
) -> Fit:
    """Freeze the encoder, compute features once, and fit logistic regression on them.

    The strength is chosen on ID validation. As Kumar et al. (2022, appendix) do, features are
    shifted and scaled by one scalar each, which is folded back into the head.
    """
    _check_task(task)
    train, validation = (
        features(encoder, task.train.images),
        features(encoder, task.validation.images),
    )
    mean, std = train.mean().item(), max(train.std().item(), 1e-12)
    regression = LogisticRegression(tol=1e-5, max_iter=1000, warm_start=True)
    best: tuple[float, float, nn.Linear] | None = None
    for strength in sorted(strengths):
        regression.C = strength
        if not _converges(regression, ((train - mean) / std).double().numpy(), task.train.labels):
            break  # a weaker penalty converges later still
        head = _as_linear(regression, mean, std, len(task.classes))
        right = (head(validation).argmax(dim=1) == task.validation.labels).float().mean().item()
        if best is None or right > best[0]:
            best = right, strength, head
    if best is None:
        raise ValueError(f"strengths: the probe converges for none of {tuple(strengths)}")
    right, strength, head = best
    return Fit(Classifier(copy.deepcopy(encoder), head).eval(), right, chosen=strength)


def _converges(regression: LogisticRegression, x: np.ndarray, labels: Tensor) -> bool:
    """Fit; an unconverged probe is no probe."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            regression.fit(x, labels.numpy())
        except ConvergenceWarning:
            return False
    return True


@torch.no_grad()
def _as_linear(regression: LogisticRegression, mean: float, std: float, classes: int) -> nn.Linear:
    """scikit-learn's coefficients as a head on raw features; absent classes are never predicted."""
    weight, bias = (torch.from_numpy(x).float() for x in (regression.coef_, regression.intercept_))
    if len(weight) == 1:  # two classes: scikit-learn keeps one row, for the second of them
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    head = nn.Linear(weight.shape[1], classes)
    head.weight.zero_()
    head.bias.fill_(-1e9)
    seen = torch.from_numpy(regression.classes_)
    head.weight[seen] = weight / std
    head.bias[seen] = bias - (weight * mean / std).sum(dim=1)
    return head


def _check_task(task: Task) -> None:
    if len(task.train.labels.unique()) < 2:
        raise ValueError("task: training examples of one class only; two or more are needed")


Progress = Callable[[float, str], None]  # (share done, what is going on); a panel draws it


@dataclass(frozen=True)
class Schedule:
    """How `fit` trains: SGD with momentum and a cosine to zero, as Kumar et al. fine-tune."""

    steps: int = 60
    batch: int = 32
    momentum: float = 0.9
    augmentation: Augmentation = NO_AUGMENTATION
    freeze_norm: bool = False  # keep BatchNorm's pretrained statistics and use them in training
    record_every: int = 10  # steps between two records of the accuracies; 0 for none

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1 or self.record_every < 0:
            raise ValueError(
                "schedule: steps and batch must be at least 1 and record_every at least 0, got "
                f"{self.steps}, {self.batch} and {self.record_every}"
            )


def fit(
    model: Classifier,
    task: Task,
    lr: float,
    generator: Generator,
    schedule: Schedule = Schedule(),
    progress: Progress | None = None,
    on_step: Callable[[int, Classifier], None] | None = None,
) -> Fit:
    """Train `model` in place on task.train by minibatch SGD; record accuracies on the way.

    `on_step(step, model)` is called before the first step and after each (for snapshots of weights
    or features). Raises ValueError for a learning rate that is not positive, FloatingPointError
    when the loss leaves the numbers.
    """
    if not lr > 0:
        raise ValueError(f"lr: got {lr}, accepted: a number above 0")
    _check_task(task)
    optimizer = torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=lr, momentum=schedule.momentum
    )
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, schedule.steps)
    batches = _batches(len(task.train.labels), schedule, generator)
    history = []
    for step in range(schedule.steps + 1):
        if on_step is not None:
            on_step(step, model)
        if schedule.record_every and _is_recorded(step, schedule):
            history.append(moment(step, model, task))
        if step == schedule.steps:
            break
        rows = next(batches)
        images = schedule.augmentation(task.train.images[rows], generator)
        _train_mode(model, schedule.freeze_norm)
        loss = F.cross_entropy(model(images), task.train.labels[rows])
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss became {loss.item()} at step {step}: lower lr ({lr})"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cosine.step()
        if progress is not None:
            progress((step + 1) / schedule.steps, f"step {step + 1} of {schedule.steps}")
    model.eval()
    return Fit(model, accuracy(model, task.validation), tuple(history), lr)


def _batches(count: int, schedule: Schedule, generator: Generator) -> Iterator[Tensor]:
    """Endless minibatches of row numbers, every row once before any comes again."""
    rows = torch.empty(0, dtype=torch.int64)
    while True:
        while len(rows) < min(schedule.batch, count):
            rows = torch.cat([rows, torch.randperm(count, generator=generator)])
        yield rows[: schedule.batch]
        rows = rows[schedule.batch :]


def _is_recorded(step: int, schedule: Schedule) -> bool:
    return step % schedule.record_every == 0 or step == schedule.steps


def moment(step: int, model: Classifier, task: Task) -> Moment:
    """Measure the ID and OOD test accuracies after `step` steps."""
    ood = {name: accuracy(model, examples) for name, examples in task.ood.items()}
    return Moment(step, accuracy(model, task.test), ood)


def _train_mode(model: nn.Module, freeze_norm: bool) -> None:
    model.train()
    if freeze_norm:
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                module.eval()


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
    """Run every learning rate and return the best fit on ID validation; diverged runs lose."""
    fits = []
    for rate in rates:
        try:
            fits.append(run(rate))
        except FloatingPointError:
            continue
    if not fits:
        raise FloatingPointError(f"every learning rate of {list(rates)} diverged")
    return max(fits, key=lambda fit: fit.validation)


@contextmanager
def progress_bar(name: str) -> Iterator[Progress]:
    """A `progress` for recipes that draws a bar in a notebook or terminal."""
    with tqdm(total=100, desc=name, bar_format="{l_bar}{bar}| {elapsed}") as bar:
        yield lambda fraction, text: bar.update(round(100 * fraction) - bar.n)
