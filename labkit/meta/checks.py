"""Notebook 02: A for gradient descent and ridge, first order, query equal to support."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import meta
from labkit.exercise import checker

INNER_LR = 0.1


def _sines(seed: int = 0, tasks: int = 3) -> tuple[nn.Module, meta.TaskBatch]:
    """A smooth little network and tasks for it, in float64."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1)).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype))
    x = torch.randn(2, tasks, 5, 1, generator=generator, dtype=torch.float64)
    return model, meta.TaskBatch(x[0], x[0].sin(), x[1], x[1].sin())


def _gradients(model: nn.Module, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters()), materialize_grads=True))


def _close(one: list[Tensor], two: list[Tensor]) -> bool:
    return all(torch.allclose(a, b, rtol=1e-6, atol=1e-9) for a, b in zip(one, two, strict=True))


def _scalar(given) -> str:
    """What is wrong with a loss before its value is looked at."""
    if given is None:
        return "your function returns nothing; end it with `return` and the loss."
    if not isinstance(given, Tensor) or given.dim() or not given.requires_grad:
        return (
            "return the query loss as a scalar tensor that depends on the model's parameters, so "
            f"that it can be differentiated; yours is {given!r}."
        )
    return ""


def _maml_like(function: Callable, first_order: bool) -> Iterator[str]:
    """Problems of function(model, support_x, support_y, query_x, query_y, lr), one task, a step."""
    model, tasks = _sines()
    task = [x[0] for x in tasks]

    def expected(steps: int = 1, first: bool = first_order, batch=tasks, lr=INNER_LR) -> Tensor:
        one = [x[:1] for x in batch]
        return meta.maml_loss(model, *one, lr, steps, F.mse_loss, first_order=first)

    given = function(model, *task, INNER_LR)
    if problem := _scalar(given):
        yield problem
        return
    swapped = meta.TaskBatch(*tasks[:2], *tasks[:2])
    if torch.isclose(given, expected(0)):
        yield "yours is the query loss of theta itself: take the inner step first, then measure."
    if torch.isclose(given, expected(batch=swapped)):
        yield "yours measures L on the support points that A has learned from; use the query."
    if torch.isclose(given, expected(2)):
        yield "yours takes two inner steps, expected one."
    if not torch.isclose(given, expected(), rtol=1e-6):
        right = expected().item()
        yield f"yours is {given.item():.5f}, expected {right:.5f}: theta - lr * gradient."
    yours, right = _gradients(model, given), _gradients(model, expected())
    other = _gradients(model, expected(first=not first_order))
    if _close(yours, other) and not first_order:
        yield (
            "the value is right, but its gradient is the first-order one: the inner gradient must "
            "keep its graph (`create_graph=True`)."
        )
    if _close(yours, other) and first_order:
        yield (
            "the value is right, but its gradient still has the second-order term: make the inner "
            "gradient a constant (drop `create_graph=True`, or `.detach()` it)."
        )
    if not _close(yours, right):
        yield "the value is right, but not the gradient: start the inner step at theta, undetached."
    lr = INNER_LR / 3
    if not torch.isclose(function(model, *task, lr), expected(lr=lr), rtol=1e-6):
        yield f"yours is right for lr = {INNER_LR:g} and not for {lr:.3g}: use the `lr` given."


@checker
def inner_step(function: Callable) -> Iterator[str]:
    """Notebook 02: function(model, support_x, support_y, query_x, query_y, lr): one-step MAML."""
    yield from _maml_like(function, first_order=False)


@checker
def first_order(function: Callable) -> Iterator[str]:
    """Notebook 02: the same with its second-order term deleted (FOMAML)."""
    yield from _maml_like(function, first_order=True)


@checker
def ridge(function: Callable) -> Iterator[str]:
    """Notebook 02: function(features, targets, strength) -> f, itself a function of features."""
    generator = torch.Generator().manual_seed(0)
    x, test = (torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in (9, 6))
    y = torch.randn(9, 2, generator=generator, dtype=torch.float64)
    for strength in (1.0, 0.1):
        f = function(x, y, strength)
        if f is None or not callable(f):
            yield f"A returns a function f of new features; yours returns {type(f).__name__}."
            return
        given = f(test)
        if given is None:
            yield "your f returns nothing; end it with `return` and the predictions."
            return
        if given.shape != (6, 2):
            yield f"f(new) has shape {tuple(given.shape)}, expected (6, 2): a row per new example."
        given = given.to(torch.float64)
        right = test @ meta.ridge(x, y, strength)
        if torch.allclose(given, test @ torch.linalg.lstsq(x, y).solution):
            yield "yours is plain least squares: add strength * identity to X'X."
        if torch.allclose(given, test @ meta.ridge(x, y, len(x) * strength)):
            yield "yours divides the squared errors by n; here they are summed."
        if not torch.allclose(given, right, rtol=1e-6, atol=1e-9):
            yield f"yours starts {given[0, 0].item():.4f}, expected {right[0, 0].item():.4f}."


@checker
def query_is_support(function: Callable) -> Iterator[str]:
    """Notebook 02: function(model, x, y, inner_lr, steps) -> the objective with query = support."""
    model, tasks = _sines(1)
    x, y = tasks[:2]
    for steps in (0, 1, 4):
        given = function(model, x, y, INNER_LR, steps)
        if problem := _scalar(given):
            yield problem
            return
        right = meta.maml_loss(model, x, y, x, y, INNER_LR, steps, F.mse_loss)
        first = meta.maml_loss(model, x, y, x, y, INNER_LR, 0, F.mse_loss)
        if steps and torch.isclose(given, first):
            yield "yours is the loss before adaptation; pass inner_lr and steps on."
        if not torch.isclose(given, right):
            yield f"with {steps} steps yours is {given.item():.5f}, expected {right.item():.5f}."
        if not _close(_gradients(model, given), _gradients(model, right)):
            yield "the value is right, but not its gradient: use second order."
