"""Notebook 02: one step of gradient descent, first order, ridge regression, query = support."""

from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import meta
from labkit.exercise import NOTHING, checker, compare

LR = 0.1


def _sines(seed: int = 0, tasks: int = 3) -> tuple[nn.Module, meta.TaskBatch]:
    """A smooth little network and tasks for it, in float64."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(1, 6), nn.Tanh(), nn.Linear(6, 1)).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype))
    x = torch.randn(2, tasks, 5, 1, generator=generator, dtype=torch.float64)
    return model, meta.TaskBatch(x[0], x[0].sin(), x[1], x[1].sin())


def _gradient(inputs: Iterable[Tensor], loss: Tensor) -> Tensor:
    parts = torch.autograd.grad(loss, list(inputs), materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


def _same_loss(
    model: nn.Module, given: Tensor, right: Tensor, mistakes: dict[str, Tensor], otherwise: str,
    what: str = "",
) -> Iterator[str]:  # fmt: skip
    """Problems of a loss and then of its gradient. mistakes: hint -> the loss that it is about."""
    if given is None:
        yield NOTHING
    elif not isinstance(given, Tensor) or given.dim() or not given.requires_grad:
        wanted = "the query loss as a scalar tensor that depends on the model's parameters"
        yield f"return {wanted}, so that it can be differentiated; yours is {given!r}."
    else:
        yield from compare(given, right, mistakes, otherwise, what, 1e-6)
        what += "the value is right, but not its gradient: "
        given, right = (_gradient(model.parameters(), loss) for loss in (given, right))
        slopes = {hint: _gradient(model.parameters(), loss) for hint, loss in mistakes.items()}
        yield from compare(given, right, slopes, otherwise, what, 1e-6)


def _one_step(function: Callable, first_order: bool, other_order: str) -> Iterator[str]:
    """Problems of function(model, support_x, support_y, query_x, query_y, lr), one task, a step."""
    model, (sx, sy, qx, qy) = _sines(tasks=1)

    def maml(lr: float, x=qx, y=qy, steps=1, first=first_order) -> Tensor:
        return meta.maml_loss(model, sx, sy, x, y, lr, steps, F.mse_loss, first_order=first)

    for lr in (LR, LR / 3):
        on_support, used = "L is measured on the support points that A", "use the `lr` given"
        mistakes = {
            "This is the query loss of theta itself: take the inner step first.": maml(lr, steps=0),
            f"{on_support} has learned from; use the query.": maml(lr, sx, sy),
            "You take two inner steps, expected one.": maml(lr, steps=2),
            f"This is right for lr = {LR:g} and not for {lr:.3g}: {used}.": maml(LR),
            other_order: maml(lr, first=not first_order),
        }
        right, before = maml(lr), [p.detach().clone() for p in model.parameters()]
        given = function(model, sx[0], sy[0], qx[0], qy[0], lr)
        if not all(map(torch.equal, model.parameters(), before)):
            yield (
                "your step changed the model's own weights: from where does the next task start?"
                "\nMake new tensors, `w - lr * g`, and give them to functional_call."
            )
        otherwise = (
            "Where does the step start, which way does it go, and does its graph reach the loss?\n"
            "It is theta - lr * gradient, from theta itself, undetached."
        )
        yield from _same_loss(model, given, right, mistakes, otherwise)


@checker
def inner_step(function: Callable) -> Iterator[str]:
    """Notebook 02: function(model, support_x, support_y, query_x, query_y, lr): one-step MAML."""
    hint = (
        "It is the first-order one: must the inner gradient keep its graph?\n`create_graph=True`."
    )
    yield from _one_step(function, False, hint)


@checker
def first_order(function: Callable) -> Iterator[str]:
    """Notebook 02: the same with its second-order term deleted (FOMAML)."""
    hint = "It still has the second-order term: what must be a constant here?\nDrop `create_graph`."
    yield from _one_step(function, True, hint)


@checker
def ridge(function: Callable) -> Iterator[str]:
    """Notebook 02: function(features, targets, strength) -> f, itself a function of features."""
    generator = torch.Generator().manual_seed(0)
    x, new, y = (torch.randn(n, generator=generator).double() for n in ((9, 4), (6, 4), (9, 2)))
    learned = x.requires_grad_(), new.requires_grad_()  # theta makes features, and no targets
    for strength in (1.0, 0.1):
        f = function(x, y, strength)
        if f is None or not callable(f):
            yield f"A returns a function f of new features; yours returns {type(f).__name__}."
        mistakes = {
            "This is plain least squares, without `strength`.\nAdd strength * identity to X'X.": (
                new @ torch.linalg.lstsq(x, y).solution
            ),
            "The squared errors are summed here; yours are divided by n.": (
                new @ meta.ridge(x, y, len(x) * strength)
            ),
        }
        yours, right = f(new), new @ meta.ridge(x, y, strength)
        yield from compare(yours, right, mistakes, what="f(new): ")
        if not getattr(yours, "requires_grad", False):
            yield "the value is right, but carries no gradient to meta-learn through: what cuts it?"
        else:
            slopes = (_gradient(learned, part.square().sum()) for part in (yours, right))
            hint = "Theta makes the features, of support and query: is a way to one of both cut?"
            what = "the value of f(new) is right, but not its gradient: "
            yield from compare(*slopes, {}, hint, what)


@checker
def query_is_support(function: Callable) -> Iterator[str]:
    """Notebook 02: function(model, x, y, inner_lr, steps) -> the objective with query = support."""
    model, (x, y, *_) = _sines(1)
    for steps, lr in ((0, LR), (1, LR), (4, LR / 3)):
        tried = (0, lr), (steps, LR), (steps, lr)
        start, other, right = (
            meta.maml_loss(model, x, y, x, y, lr, k, F.mse_loss) for k, lr in tried
        )
        mistakes = {
            "It is the loss before adaptation; pass inner_lr and steps on.": start,
            f"This is right for {LR:g} and not for {lr:.3g}: use the `inner_lr` given.": other,
        }
        given = function(model, x, y, lr, steps)
        otherwise = (
            "Which data are the query here, in which order?\nIt is one call of meta.maml_loss, of "
            "second order, with the steps given."
        )
        yield from _same_loss(model, given, right, mistakes, otherwise, f"with {steps} steps ")
