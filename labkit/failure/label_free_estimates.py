"""How accurate is a classifier on images without labels? From its confidences, or others' fate.

Each looks at labelled images in distribution and unlabelled ones elsewhere. None can be right for
every shift: Garg et al. (2022, section 3) prove that some assumption about the shift is needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import norm

from labkit.failure.calibration import Answers, check_answers, shares


def difference_of_confidences(known: Answers, confidence: np.ndarray) -> float:
    """ID accuracy less the drop in mean confidence (DoC; Guillory et al. 2021).

    known: answers in distribution, with their verdicts; confidence (n,): elsewhere. The guess is
    kept between 0 and 1.
    """
    check_answers(known)
    drop = known.confidence.mean() - shares("confidence", confidence).mean()
    return float(np.clip(known.right.mean() - drop, 0, 1))


def threshold_of(known: Answers) -> float:
    """The confidence that as many answers exceed as are right in distribution.

    (Garg et al. 2022, equation 2.) Only with ties can the two shares differ; minus infinity where
    all are right.
    """
    check_answers(known)
    wrong = int((~known.right).sum())
    order = np.sort(known.confidence)
    return -np.inf if wrong == 0 else float(order[wrong - 1])


def average_thresholded_confidence(known: Answers, confidence: np.ndarray) -> float:
    """ATC (Garg et al. 2022, equation 3): the share of answers above the ID threshold."""
    return float((shares("confidence", confidence) > threshold_of(known)).mean())


class Line(NamedTuple):
    """OOD accuracy as a straight line of ID accuracy, both on a probit scale."""

    slope: float
    intercept: float
    correlation: float  # Pearson's, on the probit scale

    def __call__(self, known: np.ndarray) -> np.ndarray:
        """Read the line: ID accuracies -> OOD accuracies."""
        return norm.cdf(self.intercept + self.slope * _probit(known))


def accuracy_line(known: np.ndarray, elsewhere: np.ndarray) -> Line:
    """Accuracy on the line (Miller et al. 2021): fit ID and OOD accuracies of many classifiers.

    known, elsewhere: (models,), one entry per classifier. Raises ValueError for fewer than three,
    other shapes, values that are not finite, or ID accuracies that are all the same.
    """
    x, y = (_probit(values) for values in (known, elsewhere))
    if (
        not (np.isfinite(x).all() and np.isfinite(y).all())
        or x.shape != y.shape
        or x.ndim != 1
        or len(x) < 3
        or np.ptp(x) == 0
    ):
        raise ValueError(
            f"known, elsewhere: got shapes {x.shape} and {y.shape}, accepted: three or more pairs "
            "of finite numbers, whose first differ"
        )
    slope, intercept = np.polyfit(x, y, 1)
    flat = np.ptp(y) == 0
    return Line(float(slope), float(intercept), 0.0 if flat else float(np.corrcoef(x, y)[0, 1]))


def _probit(accuracies: np.ndarray) -> np.ndarray:
    return norm.ppf(np.clip(np.asarray(accuracies, dtype=float), 1e-3, 1 - 1e-3))
