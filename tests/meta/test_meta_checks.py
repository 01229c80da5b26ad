"""Notebook 02's exercise checks: the right answer passes, stubs never, mistakes get their hint."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F

from labkit import checks, meta


def maml(model, sx, sy, qx, qy, lr, steps=1, create_graph=True):
    weights = dict(model.named_parameters())
    for _ in range(steps):
        loss = F.mse_loss(torch.func.functional_call(model, weights, (sx,)), sy)
        grads = torch.autograd.grad(loss, list(weights.values()), create_graph=create_graph)
        weights = {n: w - lr * g for (n, w), g in zip(weights.items(), grads, strict=True)}
    return F.mse_loss(torch.func.functional_call(model, weights, (qx,)), qy)


def first_order(*arguments):
    return maml(*arguments, create_graph=False)


def ridge(x, y, strength):
    return lambda new: new @ meta.ridge(x, y, strength)


def coinciding(model, x, y, lr, steps):
    return meta.maml_loss(model, x, y, x, y, lr, steps, F.mse_loss)


RIGHT = {
    checks.inner_step: maml,
    checks.first_order: first_order,
    checks.ridge: ridge,
    checks.query_is_support: coinciding,
}


@pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)
def test_the_right_answer_passes(check) -> None:
    assert check(RIGHT[check]), check(RIGHT[check])


@pytest.mark.parametrize("check", RIGHT, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "stub",
    [lambda *a: None, lambda *a: a[-1], lambda *a: torch.tensor(0.0), lambda *a: 1 / 0],
    ids=["nothing", "echo", "zero", "crash"],
)
def test_a_stub_never_passes_and_never_raises(check, stub) -> None:
    outcome = check(stub)
    assert not outcome and len(outcome.message) > 20


MISTAKES = [
    (checks.inner_step, lambda m, sx, sy, qx, qy, lr: F.mse_loss(m(qx), qy), "theta itself"),
    (checks.inner_step, lambda m, sx, sy, qx, qy, lr: maml(m, sx, sy, sx, sy, lr), "use the query"),
    (checks.inner_step, lambda *a: maml(*a, steps=2), "two inner steps"),
    (checks.inner_step, lambda *a: maml(*a[:-1], -a[-1]), "theta - lr"),
    (checks.inner_step, first_order, "create_graph"),
    (checks.inner_step, lambda *a: maml(*a).item(), "scalar tensor"),
    (checks.inner_step, lambda *a: 2 * maml(*a) - maml(*a).detach(), "undetached"),
    (checks.inner_step, lambda *a: maml(*a[:-1], 0.1), "use the `lr`"),
    (checks.first_order, maml, "second-order term"),
    (checks.ridge, lambda x, y, s: x, "returns Tensor"),
    (checks.ridge, lambda x, y, s: lambda new: None, "f returns nothing|function returns nothing"),
    (checks.ridge, lambda x, y, s: lambda new: torch.zeros(6, 3), "shape .6, 3., expected .6, 2."),
    (checks.ridge, lambda x, y, s: lambda new: torch.zeros(6, 2), "yours starts 0, 0, 0, expected"),
    (
        checks.ridge,
        lambda x, y, s: lambda new: new @ torch.linalg.lstsq(x, y).solution,
        "least squares",
    ),
    (checks.ridge, lambda x, y, s: ridge(x, y, s * len(x)), "divided by n"),
    (checks.query_is_support, lambda m, x, y, lr, k: coinciding(m, x, y, lr, 0), "adaptation"),
    (
        checks.query_is_support,
        lambda m, x, y, lr, k: coinciding(m, x, y, lr, k + 1),
        "with 0 steps",
    ),
    (
        checks.query_is_support,
        lambda m, x, y, lr, k: meta.maml_loss(m, x, y, x, y, lr, k, F.mse_loss, True),
        "second order",
    ),
]


@pytest.mark.parametrize(("check", "wrong", "hint"), MISTAKES)
def test_hints_name_the_mistake(check, wrong, hint: str) -> None:
    outcome = check(wrong)
    assert not outcome and re.search(hint, outcome.message), outcome.message
