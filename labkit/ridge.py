"""Ridge regression in closed form, for any number of problems at once, differentiable."""

import torch
import torch.nn.functional as F
from torch import Tensor

from labkit.inputs import above_0


def with_one(features: Tensor) -> Tensor:
    """(..., dim) -> (..., dim + 1): a last feature that is always one carries the intercept."""
    return F.pad(features, (0, 1), value=1.0)


def ridge(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """argmin_w |x w - y|^2 + strength |w|^2 for x (..., n, dim), y (..., n, k) -> (..., dim, k).

    Solved in the smaller of the two spaces: with few examples that is (n, n). Raises ValueError
    for a strength that is not positive, FloatingPointError when the weights are not finite.
    """
    strength = above_0("strength", strength)
    n, dim = x.shape[-2:]
    gram = x @ x.mT if n <= dim else x.mT @ x
    gram = gram + strength * torch.eye(min(n, dim), dtype=x.dtype)
    w = x.mT @ torch.linalg.solve(gram, y) if n <= dim else torch.linalg.solve(gram, x.mT @ y)
    return finite_or_raise(w, "x, y, strength: the weights")


def finite_or_raise(values: Tensor, what: str) -> Tensor:
    """`values` themselves; FloatingPointError, naming `what` they are, if not finite."""
    if not values.isfinite().all():
        raise FloatingPointError(f"{what} are not finite; give finite features, not too large")
    return values
