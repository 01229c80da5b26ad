"""What should I try first? Of the methods measured, the least change that nothing clearly beats."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from labkit.inputs import check_choice
from labkit.statistics import Scores, clearly_ahead

# From near the pretrained network to far from it. (Not quite by cost: WiSE-FT is half of the way to
# an LP-FT, which has to be trained first.)
BY_CHANGE = ("probe", "wise-ft", "lp-ft", "fine-tuning", "scratch")


class Situation(NamedTuple):
    """One measured case."""

    name: str
    scores: Mapping[str, Scores]  # of each method


def first_try(scores: Mapping[str, Scores]) -> str:
    """The method nearest to pretraining that no other is `clearly_ahead` of, paired by seed.

    If each is beaten by one (which paired intervals allow), the one with the best mean. Raises
    ValueError when a method of `scores` is not one of BY_CHANGE.
    """
    check_choice("scores", tuple(scores), BY_CHANGE)
    for method in (m for m in BY_CHANGE if m in scores):
        others = {other: scores[other] - scores[method] for other in scores if other != method}
        if not clearly_ahead(others):
            return method
    return max(scores, key=lambda method: scores[method].mean)


def points_behind(situations: Sequence[Situation]) -> pd.DataFrame:
    """How many points each method's mean is behind the best: a row for each situation."""
    means = pd.DataFrame({s.name: {m: x.mean for m, x in s.scores.items()} for s in situations}).T
    measured = [method for method in BY_CHANGE if method in means]
    return 100 * means[measured].sub(means.max(axis=1), axis=0)
