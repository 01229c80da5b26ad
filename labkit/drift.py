"""How far training has moved features and heads; all in NumPy, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from labkit.inputs import matrices

if TYPE_CHECKING:
    from torch import Tensor


class Movement(NamedTuple):
    """How far features have moved: the mean Euclidean distance, and as a share of their norm."""

    mean: float
    relative: float


def movement(before: Tensor, after: Tensor) -> Movement:
    """Compare features (n, dim) of the same images before and after training.

    Raises ValueError for different shapes, no rows, or features that are all zero before.
    """
    x, y = matrices(before=before, after=after)
    if x.shape != y.shape:
        raise ValueError(f"after: got shape {y.shape}, accepted: {x.shape}, as before")
    norm = np.linalg.norm(x, axis=1).mean()
    if norm == 0:
        raise ValueError("before: all features are zero, accepted: some that are not")
    mean = np.linalg.norm(y - x, axis=1).mean()
    return Movement(float(mean), float(mean / norm))


class HeadChange(NamedTuple):
    """A linear head (classes, dim) against the one it started from."""

    norm: float  # Frobenius norm now
    norm_before: float
    angle: float  # degrees between the two, as vectors


def head_change(before: Tensor, after: Tensor) -> HeadChange:
    """Norms of two heads and the angle between them.

    A constant added to all classes changes no prediction, so the mean over classes is taken out
    first. Raises ValueError for different shapes or a head without differences between classes.
    """
    v, w = matrices(before=before, after=after)
    if v.shape != w.shape:
        raise ValueError(f"after: got shape {w.shape}, accepted: {v.shape}, as before")
    v, w = v - v.mean(axis=0), w - w.mean(axis=0)
    sizes = np.linalg.norm(v), np.linalg.norm(w)
    if not all(sizes):
        raise ValueError("before, after: a head that is the same for all classes has no direction")
    cosine = np.clip((v * w).sum() / np.prod(sizes), -1, 1)
    return HeadChange(float(sizes[1]), float(sizes[0]), float(np.degrees(np.arccos(cosine))))


def linear_cka(x: Tensor, y: Tensor, unbiased: bool = False) -> float:
    """Linear centred kernel alignment of features (n, dim) and (n, other dim) of the same images.

    1 for features that differ by a rotation and a scale, which it cannot see: read it beside
    `movement`. Biased: Kornblith et al. 2019, equation 5 (near 1 whenever n is small against dim).
    Unbiased: with the HSIC estimator of Song et al. 2012, as Nguyen et al. 2021 use it. Both are
    computed from (dim, dim) products, never from the (n, n) kernels. Raises ValueError for
    different numbers of rows, fewer than 4 (biased: 2), or features that are all the same.
    """
    x, y = matrices(x=x, y=y)
    least = 4 if unbiased else 2
    if len(x) != len(y) or len(x) < least:
        raise ValueError(
            f"x, y: got {len(x)} and {len(y)} rows, accepted: the same, {least} or more"
        )
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    hsic = _unbiased_hsic if unbiased else _biased_hsic
    own = hsic(x, x) * hsic(y, y)
    if not own > 0:
        raise ValueError("x, y: features that are the same for all images have no alignment")
    return float(hsic(x, y) / np.sqrt(own))


def _biased_hsic(x: np.ndarray, y: np.ndarray) -> float:
    return np.square(x.T @ y).sum()  # trace(K L) of the kernels K = x x', L = y y'


def _unbiased_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. 2012, equation 5, up to 1 / (n (n - 3)); the kernels' diagonals are left out."""
    n = len(x)
    kernel_x, kernel_y = np.square(x).sum(axis=1), np.square(y).sum(axis=1)  # diagonals (n,)
    rows_x, rows_y = x @ x.sum(axis=0) - kernel_x, y @ y.sum(axis=0) - kernel_y  # row sums (n,)
    both = np.square(x.T @ y).sum() - kernel_x @ kernel_y
    return both + rows_x.sum() * rows_y.sum() / (n - 1) / (n - 2) - 2 * rows_x @ rows_y / (n - 2)
