"""What should I try first? Of the methods measured, the cheapest that nothing clearly beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from labkit.evaluate import Interval, paired_difference

# From cheap to dear: a probe trains in a second and can be undone; scratch needs the most labels.
BY_COST = ("probe", "wise-ft", "lp-ft", "fine-tuning", "scratch")


class Situation(NamedTuple):
    """One measured case: accuracies by method, a value per seed, in the same order of seeds."""

    name: str
    scores: dict[str, np.ndarray]


def first_try(scores: Mapping[str, Sequence[float]], by_cost: Sequence[str] = BY_COST) -> str:
    """The cheapest method that no other is ahead of with 95 % confidence, paired by seed.

    If each is beaten by one (which paired intervals allow), the one with the best mean. Raises
    ValueError when a method of `scores` has no place in `by_cost`.
    """
    unknown = sorted(set(scores) - set(by_cost))
    if unknown or not scores:
        raise ValueError(f"scores: got {unknown or 'nothing'}, accepted: {', '.join(by_cost)}")
    for method in (m for m in by_cost if m in scores):
        others = [lead(scores, other, method) for other in scores if other != method]
        if all(interval.low <= 0 for interval in others):
            return method
    return max(scores, key=lambda method: np.mean(scores[method]))


def lead(scores: Mapping[str, Sequence[float]], method: str, other: str) -> Interval:
    """How far `method` is ahead of `other`, seed by seed."""
    return paired_difference(scores[method], scores[other])
