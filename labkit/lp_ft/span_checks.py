"""Notebook 06: where the features can move."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from labkit.exercise import checker


def _two_layers(seed: int, n: int, k: int, d: int) -> tuple[np.ndarray, ...]:
    """A random head (k,), features (k, d), inputs (n, d) and targets (n,)."""
    rng = np.random.default_rng(seed)
    shapes = ((k,), (k, d), (n, d), (n,))
    return tuple(rng.standard_normal(shape) for shape in shapes)


def _gradient_by_autograd(v, B, X, y) -> np.ndarray:
    head, inputs, targets = torch.tensor(v), torch.tensor(X), torch.tensor(y)
    features = torch.tensor(B, requires_grad=True)
    ((inputs @ features.T @ head - targets) ** 2).mean().backward()
    return features.grad.numpy()  # (k, d)


@checker
def span_movement(function: Callable) -> Iterator[str]:
    """Notebook 06: function(v, B, X, y) -> gradient (k, d) of mean((X B' v - y)^2) in B.

    v (k,), B (k, d), X (n, d) and y (n,) are NumPy arrays in float64. The mean is over the n
    examples, without a half in front.
    """
    for seed, n, k, d in ((0, 4, 3, 7), (1, 2, 5, 6), (2, 9, 2, 12)):
        problem = _two_layers(seed, n, k, d)
        yours = function(*(array.copy() for array in problem))
        if yours is None:
            yield "your function returns nothing; end it with `return` and the gradient."
            return
        yours, expected = np.asarray(yours, dtype=float), _gradient_by_autograd(*problem)
        if yours.shape != expected.shape:
            yield _shape_hint(yours, expected)
        elif not np.allclose(yours, expected, rtol=1e-8, atol=1e-10):
            yield _value_hint(yours, expected, problem)


def _shape_hint(yours: np.ndarray, expected: np.ndarray) -> str:
    k, d = expected.shape
    hint = ""
    if yours.shape == (d, k):
        hint = " It is transposed: a row per feature, so v comes first in the outer product."
    elif yours.shape == (d,):
        hint = " Each feature k has a gradient of its own: this times v[k]. Think `np.outer`."
    elif yours.shape == (k,):
        hint = " That is as long as the head: derive with respect to B, not v."
    elif yours.ndim == 3:
        hint = " Average the gradient over the examples."
    return f"yours has shape {yours.shape}, expected that of B, {expected.shape}.{hint}"


def _value_hint(yours: np.ndarray, expected: np.ndarray, problem: tuple) -> str:
    v, _, X, y = problem
    n = len(y)
    factor = float((yours * expected).sum() / (expected**2).sum())
    if np.allclose(yours, factor * expected, rtol=1e-8, atol=1e-10) and abs(factor) > 1e-12:
        return f"yours is {factor:.3g} times the gradient. {_factor_hint(factor, n)}"
    axes = np.linalg.svd(X, full_matrices=False)[2]  # (min(n, d), d)
    beyond = np.linalg.norm(yours - yours @ axes.T @ axes)
    if beyond > 1e-8 * np.linalg.norm(yours):
        return (
            "the rows of yours are not combinations of the training inputs: a direction that no "
            "input has must not appear. Every example contributes its residual times v times x_i."
        )
    if np.allclose(yours, -(2 / n) * np.outer(v, X.T @ y), rtol=1e-8):
        return "yours ignores what the network predicts: the residual is X B' v - y, not -y."
    return (
        "the rows of yours are combinations of the training inputs, as they should be, but not the "
        "right ones: example i counts with its residual (X B' v - y)_i, and row k with v[k]. "
        f"Yours starts {yours[0, 0]:.4f}, expected {expected[0, 0]:.4f}."
    )


def _factor_hint(factor: float, n: int) -> str:
    sign = "Its sign is wrong: the residual is prediction minus target. " if factor < 0 else ""
    size = abs(factor)
    if np.isclose(size, 1):
        return sign
    if np.isclose(size, 0.5):
        return f"{sign}The derivative of a square brings a factor 2."
    if np.isclose(size, n):
        return f"{sign}The loss is a mean: divide by the number of examples."
    if np.isclose(size, n / 2):
        return f"{sign}The square brings a factor 2, and the mean divides by the examples."
    return f"{sign}The factor in front is 2 / n."
