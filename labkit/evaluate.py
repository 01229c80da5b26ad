"""What was learned, and how sure we are: intervals over seeds, neighbours in feature space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

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
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: got {confidence}, accepted: above 0 and below 1")
    half = stats.t.ppf((1 + confidence) / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(x.mean(), x.mean() - half, x.mean() + half)


def nearest(queries: Tensor, gallery: Tensor, count: int) -> Tensor:
    """Rows of `gallery` (m, dim) with the largest cosine to each query (n, dim), as (n, count).

    Raises ValueError when `count` is not between 1 and m.
    """
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
    when the curve never gets there, the first value of `shots` when it starts above.
    """
    shots, accuracies = np.asarray(shots, dtype=float), np.asarray(accuracies, dtype=float)
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


def shots_curves(
    rows: Sequence[dict[str, str]], score: str, all_labels: float
) -> dict[str, ShotsCurve]:
    """Gather a sweep's rows (method, shots, seed, scores) into a curve for each method.

    `score` is the column, "id" or "ood"; `all_labels` is where to draw shots="all".
    """
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


def at_shots(rows: Sequence[dict[str, str]], method: str, shots: str, score: str) -> np.ndarray:
    """One score of one cell of a sweep, ordered by seed, so that methods can be paired."""
    cell = [row for row in rows if row["method"] == method and row["shots"] == shots]
    return np.array([float(row[score]) for row in sorted(cell, key=lambda row: int(row["seed"]))])


class FewShotCell(NamedTuple):
    """One method's accuracy in one setting, over many episodes."""

    method: str
    setting: str  # "within" or "across"
    shots: int
    interval: Interval


def few_shot_cells(rows: Sequence[dict[str, str]], methods: Sequence[str]) -> list[FewShotCell]:
    """Gather a sweep's rows (setting, shots, episode, an accuracy per method) into intervals."""
    cells = dict.fromkeys((row["setting"], row["shots"]) for row in rows)
    return [
        FewShotCell(
            method, setting, int(shots), mean_interval(episodes(rows, method, setting, shots))
        )
        for setting, shots in cells
        for method in methods
    ]


def episodes(
    rows: Sequence[dict[str, str]], method: str, setting: str, shots: int | str
) -> np.ndarray:
    """One method's accuracies on the episodes of a setting, in order, so methods can be paired."""
    return np.array(
        [
            float(row[method])
            for row in rows
            if row["setting"] == setting and row["shots"] == str(shots)
        ]
    )
