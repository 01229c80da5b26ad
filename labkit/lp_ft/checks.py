"""Notebook 06: LP-FT, its learning rate, averaging weights, and where the features can move."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from labkit import encoders, sweeps, tasks, transfer
from labkit.exercise import checker, compare
from labkit.tasks import Examples, Task


class _Normed(encoders.TinyEncoder):
    """With BatchNorm, of which training replaces the statistics unless they are kept."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(self.dim)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(super().forward(images))


def _mislabelled(examples: Examples) -> Examples:
    """What nobody should learn from, or choose by."""
    return examples._replace(labels=(examples.labels + 1) % 3)


@checker
def lp_ft(function: Callable) -> Iterator[str]:
    """Notebook 06: function(encoder, task, lr, generator) -> the Fit of LP-FT."""
    encoder, toy = _Normed(), tasks.toy()
    task = replace(toy, validation=_mislabelled(toy.validation), test=_mislabelled(toy.test))
    before = copy.deepcopy(encoder.state_dict())

    def run(lr: float):
        return function(encoder, task, lr, torch.Generator().manual_seed(0))

    still = run(1e-9)
    if still is None:
        yield "your function returns nothing.\nEnd it with `return transfer.fit(...)`."
        return
    if not isinstance(still, transfer.Fit):
        yield f"yours is a {type(still).__name__}, expected the Fit that transfer.fit returns."
        return
    if any(not torch.equal(x, before[name]) for name, x in encoder.state_dict().items()):
        yield "your function changed the encoder it was given: train a copy.\n`copy.deepcopy`."
    start, probe = _head(still.model), _head(transfer.linear_probe(encoder, task).model)
    if not torch.allclose(start, probe, atol=1e-4):
        yield (
            "with a learning rate of almost zero, your head should still be the probe's, and it is "
            f"not (norms: yours {start.norm():.2f}, expected {probe.norm():.2f}). A random head is "
            "plain fine-tuning.\nStart from transfer.linear_probe(encoder, task).model."
        )
    if not torch.equal(still.model.encoder.norm.running_mean, before["norm.running_mean"]):
        yield (
            "with a learning rate of almost zero BatchNorm's statistics have changed all the same."
            "\nHand `schedule`, which keeps them, to transfer.fit."
        )
    yield from _second_stage(run, encoder, probe, task)


def _head(model: transfer.Classifier) -> Tensor:
    return nn.utils.parameters_to_vector(model.head.parameters()).detach()


def _second_stage(
    run: Callable[[float], transfer.Fit], encoder: nn.Module, probe: Tensor, task: Task
) -> Iterator[str]:
    """Problems of what LP-FT returns at two learning rates; probe: the head it should start from.

    The validation and test images of `task` are `_mislabelled`.
    """
    moved, slower = (run(lr).model for lr in (0.05, 0.025))
    if torch.equal(moved.encoder.linear.weight, encoder.linear.weight):
        yield (
            "with a learning rate of 0.05 your encoder has not moved: that is the probe. The "
            "second stage trains everything.\nCall transfer.fit on the probe's model."
        )
    if torch.equal(moved.encoder.linear.weight, slower.encoder.linear.weight):
        yield "half the learning rate, 0.025, leads to the same network: hand `lr` on as it is."
    if torch.allclose(_head(moved), probe, atol=1e-4):
        yield "your second stage trains the encoder but not the head; LP-FT trains both."
    last = transfer.linear_probe(moved.encoder, task).model
    if torch.allclose(_head(moved), _head(last), atol=1e-4):
        yield (
            "your head is the probe of the encoder after it has moved: in which order do the two "
            "stages come?\nFirst the probe, of the encoder as it is given."
        )
    if transfer.accuracy(moved, task.train) <= transfer.accuracy(moved, task.validation):
        yield (
            "tried on a task whose validation and test images have wrong labels, your network "
            "answers as those say: which images does it learn from?"
        )


@checker
def rate_that_moves(function: Callable, rows: pd.DataFrame, shift: str) -> Iterator[str]:
    """Notebook 06: function(rows, shift) -> LP-FT's smallest rate that moves as far as FT.

    Tried on `shift`, then on all others of the table.
    """
    rows = rows.assign(moved_ood=0.0)  # whoever reads this column in place of `moved_id` shows
    for tried in dict.fromkeys((shift, *rows["shift"])):
        yield from compare_rate(function, rows, tried)
    here = rows[rows["shift"] == shift]
    tuned = here[(here["method"] == "fine-tuning") & here["picked"]]
    slowest = here[here["method"] == "lp-ft"].sort_values("rate")
    far = rows["moved_id"].max() * len(rows)  # a median does not see it, a mean does
    for name, networks in {"FT": tuned, "LP-FT": slowest}.items():
        one_ran_away = rows["moved_id"].where(rows.index != networks.index[0], far)
        about = f"with one of {name}'s networks a long way off, "
        yield from compare_rate(function, rows.assign(moved_id=one_ran_away), shift, about)


def compare_rate(
    function: Callable, rows: pd.DataFrame, shift: str, about: str = ""
) -> Iterator[str]:
    where = {"shift": shift, "method": "fine-tuning", "picked": True}
    target = sweeps.scores(rows, "moved_id", **where).mean
    moved = sweeps.intervals(rows, "moved_id", ["rate"], shift=shift, method="lp-ft")["mean"]
    far = moved.index[moved >= target]
    table = ", ".join(f"{rate:g}: {mean:.2f}" for rate, mean in moved.items())
    smaller = "It moves far enough on average, and so does a smaller one: return that."
    yield from compare(
        function(rows, shift),
        min(far, default=float("inf")),
        {smaller: max(far)} if len(far) > 1 else {},
        f"FT's picked networks move {target:.2f} on average in distribution, LP-FT's by learning "
        f"rate {table}: the smallest that moves as far, or float('inf').",
        what=f"{about}{shift}: ",
    )


def gradients(
    v: np.ndarray, B: np.ndarray, X: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of mean((X B' v - y)^2) in v (k,) and in B (k, d)."""
    pull = 2 / len(y) * X.T @ (X @ B.T @ v - y)  # (d,)
    return B @ pull, np.outer(v, pull)


@checker
def two_rates(function: Callable) -> Iterator[str]:
    """Notebook 06: function(v, B, X, y, lr, head_times) -> (v, B) after one step of both.

    The loss is `span_movement`'s; features learn at `lr`, the head `head_times` as fast.
    """
    for seed, n, k, d, lr, head_times in ((0, 4, 3, 7, 0.01, 10), (1, 6, 2, 5, 0.03, 1)):
        draw = np.random.default_rng(seed).standard_normal
        v, B, X, y = problem = [draw(shape) for shape in ((k,), (k, d), (n, d), (n,))]
        yours = function(*(array.copy() for array in problem), lr, head_times)
        if not isinstance(yours, (tuple, list)) or len(yours) != 2:
            yield f"yours returns a {type(yours).__name__}, expected the pair (v, B)."
            return

        slow, fast = lr, lr * head_times
        in_v, in_B = gradients(*problem)
        after = v - fast * in_v, B - slow * in_B
        fixed = f"That is for lr 0.01, and here it is {lr:g}: use the `lr` given."
        heads = {
            fixed: v - 0.01 * head_times * in_v,
            "That is the features' rate.\nMultiply it by head_times.": v - slow * in_v,
            "Which features made the prediction?\nUse B as it was: both steps start from one "
            "place.": v - fast * gradients(v, after[1], X, y)[0],
        }
        features = {
            fixed: B - 0.01 * in_B,
            "That is the head's rate.\nFeatures learn at lr itself.": B - fast * in_B,
            "Which head made the prediction?\nUse v as it was: both steps start from one place.": (
                B - slow * gradients(after[0], B, X, y)[1]
            ),
        }
        other = (
            "Which gradient is missing?\nDerive the mean of the squared errors by {} and step back."
        )
        yield from compare(yours[0], after[0], heads, other.format("v"), "v: ", 1e-8)
        yield from compare(yours[1], after[1], features, other.format("B"), "B: ", 1e-8)


class Unseen(dict):
    """OOD tests that notice being looked at."""

    def __getitem__(self, name: str) -> Examples:
        raise LookupError("an OOD test was looked at: choose on task.validation only")

    def items(self):
        return self["any"]

    values = items


def two_that_err_oppositely(task: Task, alpha: float) -> tuple[transfer.Fit, transfer.Fit]:
    """Two networks whose average at `alpha` is the linear probe; what lies apart is far worse.

    Made, not trained: rounding differs between processors, and training that is wild enough to
    need averaging makes that a difference of accuracy, so that "tuned" may be the best after all.
    """
    probe = transfer.linear_probe(encoders.TinyEncoder(), task).model
    error = torch.randn(probe.head.weight.shape, generator=torch.Generator().manual_seed(1))

    def with_error(scale: float) -> transfer.Fit:
        model = copy.deepcopy(probe)
        with torch.no_grad():
            model.head.weight += scale * error
        return transfer.Fit(model, transfer.accuracy(model, task.validation))

    return with_error(16 * alpha), with_error(16 * (alpha - 1))


@checker
def wise_ft(function: Callable) -> Iterator[str]:
    """Notebook 06: function(probe, tuned, task) -> the best average, chosen on validation."""
    task = tasks.toy(ood=Unseen(shift=None))
    tried = replace(task, train=_mislabelled(task.train), test=_mislabelled(task.test))
    for alpha in (0.3, 0.7, 0, 1):
        probe, tuned = two_that_err_oppositely(task, alpha)
        yours, best = function(probe, tuned, tried), transfer.wise_ft(probe, tuned, task, alpha)
        if not isinstance(yours, transfer.Fit):
            yield f"yours is a {type(yours).__name__}, expected a Fit as transfer.wise_ft returns."
            return
        own = transfer.accuracy(yours.model, task.validation)
        if abs(yours.validation - own) > 1e-4:
            yield (
                f"your Fit says {yours.validation:.0%} right on validation, and its network is "
                f"{own:.0%} right: do the two belong together?"
            )
        if yours.validation < best.validation - 1e-6:
            ends = {"the probe": probe, "the fine-tuned network": tuned}
            same = [n for n, end in ends.items() if np.isclose(yours.validation, end.validation)]
            hint = f" Did you return {same[0]}?" if same else ""
            yield (
                f"yours is {yours.validation:.0%} right on validation, expected "
                f"{best.validation:.0%}.{hint} Which average is best, and by which images?\n"
                "Try eleven alphas from 0 to 1 and keep the best on validation."
            )


@checker
def span_movement(function: Callable) -> Iterator[str]:
    """Notebook 06: function(v, B, X, y) -> gradient (k, d) of mean((X B' v - y)^2) in B.

    v (k,), B (k, d), X (n, d) and y (n,) are NumPy arrays in float64. The mean is over the n
    examples, without a half in front.
    """
    for seed, n, k, d in ((0, 4, 3, 7), (1, 2, 5, 6), (2, 9, 2, 12)):
        draw = np.random.default_rng(seed).standard_normal
        v, B, X, y = problem = [draw(shape) for shape in ((k,), (k, d), (n, d), (n,))]
        yours = function(*(array.copy() for array in problem))
        right = gradients(*problem)[1]
        hint = span_hint(yours, right, problem)
        yield from compare(yours, right, {}, hint, tolerance=1e-8)


def span_hint(yours: Any, right: np.ndarray, problem: list[np.ndarray]) -> str:
    """What a wrong gradient tells about the mistake."""
    v, _, X, y = problem
    k, d = right.shape
    shape = tuple(np.shape(yours))
    if shape != right.shape:
        shapes = {
            (d, k): "It is transposed: a row per feature.\nv comes first in the outer product.",
            (d,): "Each feature has a gradient of its own.\nThis times v[k]: an outer product.",
            (k,): "That is as long as the head: derive with respect to B, not v.",
        }
        return shapes.get(shape, "Average the gradient over the examples." * (len(shape) == 3))
    yours = np.asarray(yours, dtype=float)
    factor = float((yours * right).sum() / (right**2).sum())
    if np.allclose(yours, factor * right, rtol=1e-8, atol=1e-10) and abs(factor) > 1e-12:
        return f"It is {factor:.3g} times the gradient. {factor_hint(factor, len(y))}"
    axes = np.linalg.svd(X, full_matrices=False)[2]  # (min(n, d), d)
    if np.linalg.norm(yours - yours @ axes.T @ axes) > 1e-8 * np.linalg.norm(yours):
        return (
            "Its rows are not combinations of the training inputs: a direction that no input has "
            "must not appear. Every example contributes its residual times v times x_i."
        )
    if np.allclose(yours, -2 / len(y) * np.outer(v, X.T @ y), rtol=1e-8):
        return "It ignores what the network predicts.\nThe residual is X B' v - y, not -y."
    return (
        "Its rows are combinations of the training inputs, as they should be, but not the right "
        "ones.\nExample i counts with its residual (X B' v - y)_i, and row k with v[k]."
    )


def factor_hint(factor: float, n: int) -> str:
    hints = {
        1.0: "",
        0.5: "The derivative of a square brings a factor 2.",
        float(n): "The loss is a mean: divide by the number of examples.",
        n / 2: "The square brings a factor 2, and the mean divides by the examples.",
    }
    fitting = (hint for size, hint in hints.items() if np.isclose(abs(factor), size))
    sign = "Its sign is wrong: the residual is prediction minus target. " if factor < 0 else ""
    return sign + next(fitting, "Which factor stands in front?\nIt is 2 / n.")
