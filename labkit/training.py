"""The one training loop, what it trains, and what it remembers.

Nothing here looks at an OOD image except to record how well it is classified.
"""

import copy
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from tqdm.auto import tqdm

from labkit import optimizers
from labkit.augment import Augmentation
from labkit.inputs import above_0, as_images, between, check_choice, refused, whole
from labkit.tasks import DOWNSTREAM, Examples, Task, checked

NO_AUGMENTATION = Augmentation()


class Classifier(nn.Module):
    """An encoder B and a linear head v: f(x) = v B(x)."""

    def __init__(self, encoder: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.encoder(images))  # (n, classes)


class Stopped(KeyboardInterrupt):
    """The reader interrupted a training; a notebook shows this sentence in place of a traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython asks for it
        return [f"Stopped {self}"]


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


def blank_head(dim: int, classes: int) -> nn.Linear:
    """A head whose weights are to be set: nn.Linear's own draw leaves torch's generator alone.

    (nn.utils.skip_init would import sympy for that: .4 seconds, 39 MB.)
    """
    with torch.random.fork_rng(devices=[]):
        return nn.Linear(dim, classes, dtype=torch.float32)


def new_classifier(encoder: nn.Module, classes: int, generator: Generator) -> Classifier:
    """A copy of `encoder` with a fresh head, drawn like nn.Linear's: U(-1/sqrt(d), 1/sqrt(d))."""
    head = blank_head(encoder.dim, whole("classes", classes, 1))
    bound = encoder.dim**-0.5
    for parameter in head.parameters():
        nn.init.uniform_(parameter, -bound, bound, generator=generator)
    return Classifier(copy.deepcopy(encoder), head.to(next(encoder.parameters(), head.weight)))


@torch.no_grad()
def features(encoder: nn.Module, images: Tensor, batch: int = 128) -> Tensor:
    """Features (n, dim) of images (n, 3, h, w), by the encoder in evaluation mode, no gradients.

    Batches of 128 stay in a processor's cache: a fifth faster than 512 for the shipped encoders.
    Raises ValueError for float images outside [0, 1], FloatingPointError for features that are not
    finite.
    """
    images = as_images("images", images)
    modes = [(module, module.training) for module in encoder.modules()]
    encoder.eval()
    try:
        found = torch.cat([encoder(part) for part in images.split(batch)])
    finally:
        for module, training in modes:
            module.training = training
    if not found.isfinite().all():
        raise FloatingPointError(
            f"encoder: the {type(encoder).__name__}'s outputs for these images are not finite: "
            "there is nan in the weights, or training diverged (lower lr)"
        )
    return found


def accuracy(model: nn.Module, examples: Examples) -> float:
    """The share of examples that the model's largest logit gets right.

    Raises ValueError for no examples, or labels that the model has no output for, and
    FloatingPointError as `features` does.
    """
    examples = checked("examples", examples)
    logits = features(model, examples.images)  # (n, classes)
    checked("examples", examples, logits.shape[1])
    return share_right(logits, examples.labels)


def share_right(logits: Tensor, labels: Tensor) -> float:
    """How often the largest of logits (n, classes) is that of the label (n,)."""
    return (logits.argmax(dim=1) == labels).float().mean().item()


def checked_task(task: Task, ood: bool) -> Task:
    """The task with its examples as `tasks.checked` returns them, the OOD tests' only if asked for.

    Raises TypeError or ValueError for what nothing could be learned from or tested on.
    """
    classes = len(task.classes)
    parts = {p: checked(f"task.{p}", getattr(task, p), classes) for p in DOWNSTREAM}
    if len(parts["train"].labels.unique()) < 2:
        raise refused("task.train", "examples of one class only", "of two or more")
    if ood:
        parts["ood"] = {n: checked(f"task.ood[{n!r}]", x, classes) for n, x in task.ood.items()}
    return replace(task, **parts)


Progress = Callable[[float, str], None]  # (share done, what is going on); a panel draws it


@dataclass(frozen=True)
class Schedule:
    """How `fit` trains: SGD with momentum and a cosine to zero, as Kumar et al. fine-tune.

    Adam (without weight decay) is what adapters and LoRA are trained with in their papers.
    """

    steps: int = 60
    batch: int = 32
    optimizer: str = "sgd"  # or "adam"
    momentum: float = 0.9  # of SGD
    augmentation: Augmentation = NO_AUGMENTATION
    head_times: float = 1.0  # the head's learning rate, in units of the encoder's
    freeze_norm: bool = False  # keep BatchNorm's pretrained statistics and use them in training
    record_every: int = 10  # steps between two records of the accuracies; 0 for none

    def __post_init__(self) -> None:
        whole("steps", self.steps, 1)
        whole("batch", self.batch, 1)
        whole("record_every", self.record_every, 0)
        above_0("head_times", self.head_times)
        check_choice("optimizer", (self.optimizer,), ("sgd", "adam"))
        if self.momentum != 0:
            between("momentum", self.momentum, 0, 1)


def train(
    model: Classifier,
    task: Task,
    lr: float,
    generator: Generator,
    schedule: Schedule = Schedule(),
    penalty: Callable[[Classifier], Tensor] | None = None,
) -> Iterator[int]:
    """Train `model` in place by minibatch SGD, yielding the number of steps done: 0, 1, 2, ...

    Between two steps the caller may look, draw, or give up. `penalty(model)` is added to the loss.
    Raises ValueError for a learning rate that is not positive or a task that `checked_task`
    refuses, FloatingPointError when loss or weights leave the numbers.
    """
    lr = above_0("lr", lr)
    task = checked_task(task, ood=schedule.record_every > 0)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = _optimizer(model, lr, schedule)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, schedule.steps)
    batches = _batches(len(task.train.labels), schedule, generator)
    for step in range(schedule.steps):
        yield step
        rows = next(batches)
        images = schedule.augmentation(task.train.images[rows], generator)
        _train_mode(model, schedule.freeze_norm)
        with _seeded(_digest(generator) + step, images.device):
            loss = F.cross_entropy(model(images), task.train.labels[rows])
        loss = loss if penalty is None else loss + penalty(model)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss became {loss.item()} at step {step}: lower lr ({lr})"
            )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        cosine.step()
    if not all(parameter.isfinite().all() for parameter in trained):
        raise FloatingPointError(f"the weights are not finite after the last step: lower lr ({lr})")
    model.eval()
    yield schedule.steps


def follow(
    model: Classifier,
    task: Task,
    lr: float,
    generator: Generator,
    schedule: Schedule = Schedule(),
    penalty: Callable[[Classifier], Tensor] | None = None,
) -> Iterator[tuple[int, tuple[Moment, ...]]]:
    """`train`, yielding the number of steps done and all accuracies recorded so far."""
    history, every = (), schedule.record_every
    for step in train(model, task, lr, generator, schedule, penalty):
        if every and (step % every == 0 or step == schedule.steps):
            history = (*history, moment(step, model, task))
        yield step, history


def fit(
    model: Classifier,
    task: Task,
    lr: float,
    generator: Generator,
    schedule: Schedule = Schedule(),
    progress: Progress | None = None,
    on_step: Callable[[int, Classifier], None] | None = None,
    penalty: Callable[[Classifier], Tensor] | None = None,
) -> Fit:
    """`follow` to the end; `model` is trained in place.

    `on_step(step, model)` is called before the first step and after each (for snapshots of weights
    or features). Raises `Stopped` when interrupted.
    """
    step, history = 0, ()
    try:
        for reached in follow(model, task, lr, generator, schedule, penalty):
            step, history = reached
            if on_step is not None:
                on_step(step, model)
            if progress is not None and step:
                progress(step / schedule.steps, f"step {step} of {schedule.steps}")
    except KeyboardInterrupt:
        raise Stopped(f"at step {step} of {schedule.steps}") from None
    return Fit(model, accuracy(model, task.validation), history, lr)


def _optimizer(model: Classifier, lr: float, schedule: Schedule) -> torch.optim.Optimizer:
    rates = {model.encoder: lr, model.head: lr * schedule.head_times}
    groups = [
        {"params": [p for p in part.parameters() if p.requires_grad], "lr": rate}
        for part, rate in rates.items()
    ]
    if schedule.optimizer == "adam":
        return optimizers.Adam(groups)
    return optimizers.SGD(groups, momentum=schedule.momentum)


def _batches(count: int, schedule: Schedule, generator: Generator) -> Iterator[Tensor]:
    """Endless minibatches of row numbers, every row once before any comes again."""
    rows = torch.empty(0, dtype=torch.int64)
    while True:
        while len(rows) < min(schedule.batch, count):
            rows = torch.cat([rows, torch.randperm(count, generator=generator)])
        yield rows[: schedule.batch]
        rows = rows[schedule.batch :]


def moment(step: int, model: Classifier, task: Task) -> Moment:
    """Measure the ID and OOD test accuracies after `step` steps."""
    ood = {name: accuracy(model, examples) for name, examples in task.ood.items()}
    return Moment(step, accuracy(model, task.test), ood)


def _digest(generator: Generator) -> int:
    """A number of the generator's seed and of how far it has come, which stays as it is."""
    state = hashlib.sha256(generator.get_state().numpy().tobytes())
    return int.from_bytes(state.digest()[:8], "little")


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout and its kind draw from torch's own generator only: here by `seed`, then as before."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed % 2**63)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed % 2**63)
        yield


def _train_mode(model: nn.Module, freeze_norm: bool) -> None:
    """Training mode, but a BatchNorm that is frozen, weights or all, keeps its statistics too.

    One without weights of its own is frozen where all weights of the module around it are.
    """
    model.train()
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            around = module
            while name and not list(around.parameters()):
                name = name.rpartition(".")[0]
                around = model.get_submodule(name)
            if freeze_norm or not any(p.requires_grad for p in around.parameters()):
                module.eval()


@contextmanager
def progress_bar(name: str) -> Iterator[Progress]:
    """A `progress` for recipes that draws a bar in a notebook or terminal, gone at the end."""
    with tqdm(total=100, desc=name, bar_format="{l_bar}{bar}| {elapsed}", leave=False) as bar:
        try:
            yield lambda fraction, text: bar.update(round(100 * fraction) - bar.n)
        except KeyboardInterrupt as error:
            told = isinstance(error, Stopped)
            raise error if told else Stopped(f"at {bar.n} % of {name}") from None
        bar.update(100 - bar.n)  # a bar that is not full would stay, in red
