"""What was learned, and how sure we are: intervals over seeds, neighbours, learning curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from labkit.drift import HeadChange, Movement, head_change, linear_cka, movement
from labkit.inputs import all_finite, check_choice, whole
from labkit.tables import Rows, averaged, by_seed, column, values_of

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


class ShotsCurve(NamedTuple):
    """Accuracy of one method against labels per class: means and 95 % intervals over seeds."""

    method: str
    shots: np.ndarray  # (points,), "all" as the mean number of images per class
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def shots_curves(rows: Rows, score: str, all_labels: float) -> dict[str, ShotsCurve]:
    """Gather a sweep's rows (method, shots, seed, scores) into a curve for each method.

    `score` is the column, "id" or "ood"; `all_labels` is where to draw shots="all".
    """
    if rows:
        check_choice("score", (score,), tuple(rows[0]))
    values: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        shots = all_labels if row["shots"] == "all" else float(row["shots"])
        values.setdefault(row["method"], {}).setdefault(shots, []).append(float(row[score]))
    return {
        method: ShotsCurve(
            method,
            np.array(sorted(points)),
            *np.array([mean_interval(points[shots]) for shots in sorted(points)]).T,
        )
        for method, points in values.items()
    }


def at_shots(rows: Rows, method: str, shots: str, score: str) -> np.ndarray:
    """One score of one cell of a sweep, ordered by seed, so that methods can be paired."""
    return column(rows, score, method=method, shots=shots)


def lead(rows: Rows, one: str, two: str, shots: str, scores: Sequence[str]) -> Interval:
    """How far method `one` is ahead of `two`, averaged over `scores`, paired by seed.

    Raises ValueError for no scores, and for what the table does not have.
    """
    if not scores:
        raise ValueError("scores: got none, accepted: one or more")
    ours, theirs = (
        {
            f"one, two: {method!r}, {s!r}": by_seed(rows, s, method=method, shots=shots)
            for s in scores
        }
        for method in (one, two)
    )
    return paired(ours, theirs)


def paired(
    ours: Mapping[str, dict[int, float]], theirs: Mapping[str, dict[int, float]]
) -> Interval:
    """How far our cells are ahead of theirs (see `labkit.tables.averaged`), on average, by seed.

    Raises ValueError, naming the cell, where the seeds are not the same.
    """
    averaged({**ours, **theirs})
    return paired_difference(averaged(ours), averaged(theirs))


def by_score(
    rows: Rows, methods: Sequence[str], shots: str, scores: Sequence[str]
) -> dict[str, list[Interval]]:
    """Method -> the interval over seeds of each score, say of each style."""
    return {
        method: [mean_interval(at_shots(rows, method, shots, score)) for score in scores]
        for method in methods
    }


class FewShotCell(NamedTuple):
    """One method's accuracy in one setting, over many episodes."""

    method: str
    setting: str  # "within" or "across"
    shots: int
    interval: Interval


def few_shot_cells(rows: Rows, methods: Sequence[str]) -> list[FewShotCell]:
    """Gather a sweep's rows (setting, shots, episode, an accuracy per method) into intervals.

    Within styles first, as one reads it: a sweep's table is sorted.
    """
    found = dict.fromkeys((row["setting"], row["shots"]) for row in rows)
    cells = sorted(found, key=lambda cell: cell[0] != "within")
    return [
        FewShotCell(
            method, setting, int(shots), mean_interval(episodes(rows, method, setting, shots))
        )
        for setting, shots in cells
        for method in methods
    ]


def episodes(rows: Rows, method: str, setting: str, shots: int | str) -> np.ndarray:
    """One method's accuracies on the episodes of a setting, in order, so methods can be paired.

    Raises ValueError for a method, setting or number of shots that the table does not have.
    """
    check_choice("method", (method,), tuple(rows[0]) if rows else ())
    check_choice("setting", (setting,), values_of(rows, "setting"))
    check_choice("shots", (str(shots),), values_of(rows, "shots"))
    return np.array(
        [
            float(row[method])
            for row in rows
            if row["setting"] == setting and row["shots"] == str(shots)
        ]
    )
