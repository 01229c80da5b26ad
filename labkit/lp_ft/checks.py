"""Notebook 06: linear probing then fine-tuning, its learning rate, and averaging weights."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from labkit import results, transfer
from labkit.augment import as_float
from labkit.exercise import checker
from labkit.tasks import Examples, Task


class TinyEncoder(nn.Module):
    """Pictures of 4 x 4 pixels to six features, for checks that answer at once."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 6
        self.linear = nn.Linear(48, 6)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in self.linear.parameters():
                parameter.normal_(std=0.3, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.linear(as_float(images).flatten(1)))


class Unseen(dict):
    """OOD tests that notice being looked at."""

    def __getitem__(self, name: str) -> Examples:
        raise LookupError("an OOD test was looked at: choose on task.validation only")

    def items(self):
        raise LookupError("an OOD test was looked at: choose on task.validation only")

    values = items


def tiny_task(ood: dict | None = None) -> Task:
    """Three colours in noise."""

    def examples(seed: int) -> Examples:
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(30) % 3
        images = torch.randint(0, 120, (30, 3, 4, 4), generator=generator)
        images[torch.arange(30), labels] += 60
        return Examples(images.byte(), labels)

    return Task("colours", ("red", "green", "blue"), *map(examples, range(3)), ood=ood or {})


@checker
def lp_ft(function: Callable) -> Iterator[str]:
    """Notebook 06: function(encoder, task, lr, generator) -> the Fit of LP-FT."""
    encoder, task = TinyEncoder(), tiny_task()
    before = copy.deepcopy(encoder.state_dict())

    def run(lr: float):
        return function(encoder, task, lr, torch.Generator().manual_seed(0))

    still = run(1e-9)
    if still is None:
        yield "your function returns nothing; end it with `return transfer.fit(...)`."
        return
    if not isinstance(still, transfer.Fit):
        yield f"yours is a {type(still).__name__}, expected the Fit that transfer.fit returns."
        return
    if any(not torch.equal(x, before[name]) for name, x in encoder.state_dict().items()):
        yield "your function changed the encoder it was given: train a copy (copy.deepcopy)."
    probe = transfer.linear_probe(encoder, task).model.head.weight
    start = still.model.head.weight
    if not torch.allclose(start, probe, atol=1e-4):
        yield (
            "with a learning rate of almost zero, your head should still be the probe's, and it is "
            f"not (norms: yours {start.norm():.2f}, expected {probe.norm():.2f}). A random head is "
            "plain fine-tuning: start from transfer.linear_probe(encoder, task).model."
        )
    moved = run(0.05).model
    if torch.equal(moved.encoder.state_dict()["linear.weight"], before["linear.weight"]):
        yield (
            "with a learning rate of 0.05 your encoder has not moved: that is the probe. The "
            "second stage trains everything, by transfer.fit."
        )
    if torch.allclose(moved.head.weight, probe, atol=1e-4):
        yield "your second stage trains the encoder but not the head; LP-FT trains both."


@checker
def rate_that_moves(function: Callable, rows: results.Rows, shift: str) -> Iterator[str]:
    """Notebook 06: function(rows, shift) -> LP-FT's smallest rate that moves as far as FT.

    Tried on `shift`, then on all others of the table.
    """
    for tried in dict.fromkeys((shift, *results.shifts(rows))):
        target = results.scores(rows, tried, "fine-tuning", "moved_id").mean()
        moved = results.against_rate(rows, tried, "lp-ft", "moved_id")
        far = [rate for rate, interval in moved.items() if interval.mean >= target]
        yours, expected = function(rows, tried), min(far, default=float("inf"))
        if yours is None:
            yield "your function returns nothing; return a learning rate."
            return
        if far and np.isclose(yours, max(far)) and len(far) > 1:
            yield f"yours {yours:g} moves far enough, and so does a smaller one: return that."
        if not np.isclose(yours, expected) and not yours == expected:
            table = ", ".join(f"{rate:g}: {interval.mean:.2f}" for rate, interval in moved.items())
            yield (
                f"{tried}: yours {yours:g}. FT's picked networks move {target:.2f} in "
                f"distribution, LP-FT's by learning rate {table}: the smallest that moves as far, "
                "or float('inf')."
            )


def two_that_err_oppositely(task: Task, alpha: float) -> tuple[transfer.Fit, transfer.Fit]:
    """Two networks whose average at `alpha` is the linear probe; both are far worse than it.

    Made, not trained: rounding differs between processors, and training that is wild enough to
    need averaging makes that a difference of accuracy, so that "tuned" may be the best after all.
    """
    probe = transfer.linear_probe(TinyEncoder(), task).model
    error = torch.randn(probe.head.weight.shape, generator=torch.Generator().manual_seed(1))

    def with_error(scale: float) -> transfer.Fit:
        model = copy.deepcopy(probe)
        with torch.no_grad():
            model.head.weight += scale * error
        return transfer.Fit(model, transfer.accuracy(model, task.validation))

    return with_error(8 * alpha), with_error(8 * (alpha - 1))


@checker
def wise_ft(function: Callable) -> Iterator[str]:
    """Notebook 06: function(probe, tuned, task) -> the best average, chosen on validation."""
    task = tiny_task(ood=Unseen(shift=None))
    for alpha in (0.3, 0.7):
        probe, tuned = two_that_err_oppositely(task, alpha)
        yours, best = function(probe, tuned, task), transfer.wise_ft(probe, tuned, task, alpha)
        if not isinstance(yours, transfer.Fit):
            yield f"yours is a {type(yours).__name__}, expected a Fit as transfer.wise_ft returns."
            return
        if yours.validation < best.validation - 1e-6:
            ends = {"the probe": probe, "the fine-tuned network": tuned}
            same = [n for n, end in ends.items() if np.isclose(yours.validation, end.validation)]
            hint = f" Did you return {same[0]}?" if same else ""
            yield (
                f"yours is {yours.validation:.0%} right on validation, expected "
                f"{best.validation:.0%}. Try eleven alphas from 0 to 1 and keep the best.{hint}"
            )
