"""What was learned, and how sure we are: intervals over seeds, neighbours, how far things moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from labkit.inputs import all_finite, matrices, whole

if TYPE_CHECKING:  # panels draw intervals, and start faster without torch
    from torch import Tensor


class Interval(NamedTuple):
    """A mean and the ends of its 95 % confidence interval."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """The mean over seeds with Student's t interval (few seeds make it honestly wide).

    Raises ValueError for fewer than two values, a value that is not finite, or a confidence that is
    not between 0 and 1.
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all():
        raise ValueError(f"values: got {values}, accepted: two or more finite numbers")
    _check_confidence(confidence)
    half = stats.t.ppf((1 + confidence) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(x.mean(), x.mean() - half, x.mean() + half)


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: got {confidence}, accepted: above 0 and below 1")


def bootstrap_interval(
    values: Sequence[float], seed: int = 0, confidence: float = 0.95, resamples: int = 9999
) -> Interval:
    """The mean with its percentile bootstrap interval: what other draws of `values` would give.

    Assumes no normal distribution; with few values it is a little too narrow (`mean_interval` is
    not). Raises ValueError as `mean_interval` does.
    """
    mean, *_ = mean_interval(values, confidence)  # checks these two
    seed, resamples = whole("seed", seed, 0), whole("resamples", resamples, 1)
    x, rng = np.asarray(values, dtype=float), np.random.default_rng(seed)
    means = x[rng.integers(len(x), size=(resamples, len(x)))].mean(axis=1)
    tail = (1 - confidence) / 2
    return Interval(mean, *np.quantile(means, [tail, 1 - tail]))


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """The mean of ours - theirs, run by run, with a Student's t interval.

    Runs of one seed share their data, so that the difference is surer than either accuracy.
    Raises ValueError for lists of different lengths, or as `mean_interval` does.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"theirs: got {len(theirs)} values, accepted: {len(ours)}, as in ours")
    return mean_interval(np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float))


def share_interval(right: float, n: int, confidence: float = 0.95) -> Interval:
    """A share of `n` independent trials with Wilson's score interval, which stays within 0 and 1.

    right: how many trials succeeded. Raises ValueError when it is not between 0 and n, or n < 1.
    """
    if not 0 <= right <= n < math.inf or n < 1:
        raise ValueError(f"right and n: got {right} of {n}, accepted: 0 to n, with n >= 1")
    _check_confidence(confidence)
    p, z = right / n, stats.norm.ppf((1 + confidence) / 2)
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2) / (1 + z**2 / n)
    return Interval(p, max(0.0, middle - half), min(1.0, middle + half))


def nearest(queries: Tensor, gallery: Tensor, count: int) -> Tensor:
    """Rows of `gallery` (m, dim) with the largest cosine to each query (n, dim), as (n, count).

    Raises ValueError when `count` is not between 1 and m, or for other shapes.
    """
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"queries, gallery: got shapes {tuple(queries.shape)} and {tuple(gallery.shape)}, "
            "accepted: (n, dim) and (m, dim)"
        )
    all_finite(queries=queries, gallery=gallery)
    if not 1 <= count <= len(gallery):
        raise ValueError(f"count: got {count}, accepted: 1 to {len(gallery)}")
    queries, gallery = (
        x / x.norm(dim=1, keepdim=True).clamp(min=1e-12) for x in (queries, gallery)
    )
    cosines = queries @ gallery.T  # (n, m)
    return cosines.topk(count, dim=1).indices


def labels_needed(shots: Sequence[float], accuracies: Sequence[float], target: float) -> float:
    """How many labels per class reach `target`, reading a learning curve horizontally.

    Interpolates in log(shots) between the first two neighbours that enclose the target; infinite
    when the curve never gets there, the first value of `shots` when it starts above. Raises
    ValueError for shots that do not rise from above 0, or accuracies that do not belong to them.
    """
    shots, accuracies = np.asarray(shots, dtype=float), np.asarray(accuracies, dtype=float)
    rising = shots.ndim == 1 and len(shots) and shots[0] > 0 and (np.diff(shots) > 0).all()
    if not rising or accuracies.shape != shots.shape or not np.isfinite([shots, accuracies]).all():
        raise ValueError(
            f"shots, accuracies: got {shots} and {accuracies}, accepted: rising numbers above 0, "
            "and as many accuracies"
        )
    if math.isnan(target):
        raise ValueError(f"target: got {target}, accepted: a number")
    if accuracies[0] >= target:
        return float(shots[0])
    reached = np.flatnonzero(accuracies >= target)
    if not len(reached):
        return float("inf")
    i = reached[0]
    share = (target - accuracies[i - 1]) / (accuracies[i] - accuracies[i - 1])
    return float(np.exp(np.log(shots[i - 1]) + share * np.log(shots[i] / shots[i - 1])))


# ---------------------------------------------------------------- how far training moves things


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
    Unbiased: with the HSIC estimator of Song et al. 2012, as Nguyen et al. 2021 use it; it can be
    negative, at n = 4 to 8 down to -1. Raises ValueError for different numbers of rows, fewer than
    4 (biased: 2), or features that are all the same.
    """
    x, y = matrices(x=x, y=y)
    least = 4 if unbiased else 2
    if len(x) != len(y) or len(x) < least:
        raise ValueError(
            f"x, y: got {len(x)} and {len(y)} rows, accepted: the same, {least} or more"
        )
    x, y = _centred(x), _centred(y)
    hsic = _unbiased_hsic if unbiased else _biased_hsic
    own = hsic(x, x) * hsic(y, y)
    if not own > 0:
        raise ValueError("x, y: features that are the same for all images have no alignment")
    return float(hsic(x, y) / np.sqrt(own))


def _centred(x: np.ndarray) -> np.ndarray:
    """Less the mean row, and of size about 1: no square of it is lost or infinite."""
    x = x / (np.abs(x).max() or 1)
    x = x - x.mean(axis=0)
    return x / (np.abs(x).max() or 1)


def _biased_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """trace(K L) of the kernels K = x x', L = y y', by the smaller of two products."""
    n, dims = len(x), x.shape[1] * y.shape[1]
    return np.square(x.T @ y).sum() if dims < n * n else ((x @ x.T) * (y @ y.T)).sum()


def _unbiased_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. 2012, equation 5, up to 1 / (n (n - 3)); the kernels' diagonals are left out."""
    n = len(x)
    kernel_x, kernel_y = np.square(x).sum(axis=1), np.square(y).sum(axis=1)  # diagonals (n,)
    rows_x, rows_y = x @ x.sum(axis=0) - kernel_x, y @ y.sum(axis=0) - kernel_y  # row sums (n,)
    both = _biased_hsic(x, y) - kernel_x @ kernel_y
    return both + rows_x.sum() * rows_y.sum() / (n - 1) / (n - 2) - 2 * rows_x @ rows_y / (n - 2)
