"""Notebook 02's exercise checks."""

import torch
import torch.nn.functional as F
from exercises import exercise_tests
from oracles import plain_maml

from labkit import checks, meta


def maml(model, sx, sy, qx, qy, lr, steps=1, first_order=False):
    task = [[part] for part in (sx, sy, qx, qy)]
    return plain_maml(model, task, lr, steps, F.mse_loss, first_order)


def first_order(*arguments):
    return maml(*arguments, first_order=True)


def in_place(model, sx, sy, qx, qy, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    F.mse_loss(model(sx), sy).backward()
    optimizer.step()
    return F.mse_loss(model(qx), qy)


def ridge(x, y, strength):
    return lambda new: new @ meta.ridge(x, y, strength)


def by_examples(x, y, strength):
    """In the dual: a weight for each example."""
    weights = torch.linalg.inv(x @ x.T + strength * torch.eye(len(x), dtype=x.dtype)) @ y
    return lambda new: torch.stack([row @ x.T @ weights for row in new])


def coinciding(model, x, y, lr, steps, first_order=False):
    return meta.maml_loss(model, x, y, x, y, lr, steps, F.mse_loss, first_order)


RIGHT = [
    (checks.inner_step, maml),
    (checks.first_order, first_order),
    (checks.ridge, ridge),
    (checks.ridge, lambda x, y, s: ridge(x, y.detach(), s)),  # which depend on no theta
    (checks.ridge, by_examples),
    (checks.query_is_support, coinciding),
]
MISTAKES = {
    checks.inner_step: {
        "the model's own weights ... functional_call": in_place,
        "theta itself: take": lambda m, sx, sy, qx, qy, lr: F.mse_loss(m(qx), qy),
        "use the query": lambda m, sx, sy, qx, qy, lr: maml(m, sx, sy, sx, sy, lr),
        "two inner steps": lambda *a: maml(*a, steps=2),
        "theta - lr": lambda *a: maml(*a[:-1], -a[-1]),
        "create_graph": first_order,
        "scalar tensor": lambda *a: maml(*a).item(),
        "undetached": lambda *a: 2 * maml(*a) - maml(*a).detach(),
        "use the `lr`": lambda *a: maml(*a[:-1], 0.1),
    },
    checks.first_order: {"second-order term": maml},
    checks.ridge: {
        "returns Tensor": lambda x, y, s: x,
        "function returns nothing": lambda x, y, s: lambda new: None,
        "shape (6, 3), expected (6, 2)": lambda x, y, s: lambda new: torch.zeros(6, 3),
        "yours starts 0, 0, 0, expected": lambda x, y, s: lambda new: torch.zeros(6, 2),
        "least squares": lambda x, y, s: lambda new: new @ torch.linalg.lstsq(x, y).solution,
        "no gradient": lambda x, y, s: lambda new: (new @ meta.ridge(x, y, s)).detach(),
        "not its gradient ... support": lambda x, y, s: ridge(x.detach(), y, s),
        "not its gradient ... both": lambda x, y, s: lambda new: ridge(x, y, s)(new.detach()),
        "divided by n": lambda x, y, s: ridge(x, y, s * len(x)),
    },
    checks.query_is_support: {
        "adaptation": lambda m, x, y, lr, k: coinciding(m, x, y, lr, 0),
        "with 0 steps": lambda m, x, y, lr, k: coinciding(m, x, y, lr, k + 1),
        "second order": lambda *a: coinciding(*a, first_order=True),
        "the `inner_lr` given": lambda m, x, y, lr, k: coinciding(m, x, y, 0.1, k),
    },
}
test_right_answers_pass, test_stubs_never_pass, test_mistakes_are_named = exercise_tests(
    RIGHT, MISTAKES
)
