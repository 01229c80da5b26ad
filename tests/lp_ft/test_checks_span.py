"""Notebook 06's exercise checks: the right answer passes, each usual mistake gets its own hint."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from labkit import checks


def residual(v, B, X, y):
    return X @ B.T @ v - y


def right(v, B, X, y):
    return 2 / len(y) * np.outer(v, X.T @ residual(v, B, X, y))


def by_autograd(v, B, X, y):
    features = torch.tensor(B, requires_grad=True)
    loss = ((torch.tensor(X) @ features.T @ torch.tensor(v) - torch.tensor(y)) ** 2).mean()
    return torch.autograd.grad(loss, features)[0]


def by_examples(v, B, X, y):
    return sum(2 * (v @ B @ x - t) * np.outer(v, x) for x, t in zip(X, y, strict=True)) / len(y)


@pytest.mark.parametrize("answer", [right, by_autograd, by_examples])
def test_any_way_to_the_gradient_passes(answer) -> None:
    assert checks.span_movement(answer)


@pytest.mark.parametrize(
    "stub",
    [
        lambda *a: None,
        lambda v, B, X, y: B,
        lambda v, B, X, y: np.zeros_like(B),
        lambda v, B, X, y: np.full_like(B, np.nan),
        lambda *a: 1 / 0,
    ],
    ids=["nothing", "echo", "zeros", "nan", "crash"],
)
def test_a_stub_never_passes_and_never_raises(stub) -> None:
    outcome = checks.span_movement(stub)
    assert not outcome and len(outcome.message) > 20


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda v, B, X, y: right(v, B, X, y) / 2, "0.5 times .* factor 2"),
        (lambda v, B, X, y: -right(v, B, X, y), "-1 times .* prediction minus target"),
        (lambda v, B, X, y: len(y) * right(v, B, X, y), "4 times .* divide by the number"),
        (lambda v, B, X, y: len(y) / 2 * right(v, B, X, y), "2 times .* and the mean divides"),
        (lambda v, B, X, y: -right(v, B, X, y) / 2, "-0.5 times .* sign .* factor 2"),
        (lambda v, B, X, y: 3 * right(v, B, X, y), "3 times .* 2 / n"),
        (lambda v, B, X, y: right(v, B, X, y).T, r"\(7, 3\), expected .* \(3, 7\).* transposed"),
        (lambda v, B, X, y: X.T @ residual(v, B, X, y), r"\(7,\).*np.outer"),
        (lambda v, B, X, y: B @ X.T @ residual(v, B, X, y), r"\(3,\).* not v"),
        (lambda v, B, X, y: np.ones((4, 3, 7)), "Average"),
        (lambda v, B, X, y: 0.0, r"shape \(\), expected"),
        (lambda v, B, X, y: right(v, B, X, y) + 0.1 * B, "not combinations of the training inputs"),
        (lambda v, B, X, y: -2 / len(y) * np.outer(v, X.T @ y), "ignores what the network"),
        (lambda v, B, X, y: np.outer(np.ones_like(v), X.T @ residual(v, B, X, y)), "row k with v"),
        (lambda v, B, X, y: np.outer(v, X.sum(axis=0)), "its residual"),
    ],
)  # fmt: skip
def test_a_hint_names_the_mistake(wrong, hint: str) -> None:
    outcome = checks.span_movement(wrong)
    assert not outcome.passed
    assert re.search(hint, outcome.message), outcome.message


def test_the_readers_function_cannot_spoil_the_problem() -> None:
    def greedy(v, B, X, y):
        answer = right(v, B, X, y)
        for array in (v, B, X, y):
            array[:] = 0
        return answer

    assert checks.span_movement(greedy)
    assert not checks.span_movement(lambda v, B, X, y: X.fill(0))
