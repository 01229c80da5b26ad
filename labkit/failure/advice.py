"""What should I try first? Of the methods measured, the least change that nothing clearly beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from labkit.evaluate import Interval, paired_difference

# From near the pretrained network to far from it. (Not quite by cost: WiSE-FT is half of the way to
# an LP-FT, which has to be trained first.)
BY_CHANGE = ("probe", "wise-ft", "lp-ft", "fine-tuning", "scratch")


class Situation(NamedTuple):
    """One measured case: accuracies by method, a value per seed, in the same order of seeds."""

    name: str
    scores: dict[str, np.ndarray]


def first_try(scores: Mapping[str, Sequence[float]], by_change: Sequence[str] = BY_CHANGE) -> str:
    """The method nearest to pretraining that none is ahead of, with 95 % confidence, by seed.

    If each is beaten by one (which paired intervals allow), the one with the best mean. Raises
    ValueError when a method of `scores` has no place in `by_change`.
    """
    unknown = sorted(set(scores) - set(by_change))
    if unknown or not scores:
        raise ValueError(f"scores: got {unknown or 'nothing'}, accepted: {', '.join(by_change)}")
    for method in (m for m in by_change if m in scores):
        others = [lead(scores, other, method) for other in scores if other != method]
        if all(interval.low <= 0 for interval in others):
            return method
    return max(scores, key=lambda method: np.mean(scores[method]))


def lead(scores: Mapping[str, Sequence[float]], method: str, other: str) -> Interval:
    """How far `method` is ahead of `other`, seed by seed."""
    return paired_difference(scores[method], scores[other])
