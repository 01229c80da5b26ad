"""How accurate is a classifier on images without labels? From its confidences, or others' fate.

Each looks at labelled images in distribution and unlabelled ones elsewhere. None can be right for
every shift: Garg et al. (2022, section 3) prove that some assumption about the shift is needed.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import linregress, norm

from labkit.calibration import Answers, shares
from labkit.inputs import refused


def difference_of_confidences(known: Answers, confidence: np.ndarray) -> float:
    """ID accuracy less the drop in mean confidence (DoC; Guillory et al. 2021), from 0 to 1.

    known: answers in distribution, with their verdicts; confidence (n,): elsewhere.
    """
    drop = known.confidence.mean() - shares("confidence", confidence).mean()
    return float(np.clip(known.right.mean() - drop, 0, 1))


def average_thresholded_confidence(known: Answers, confidence: np.ndarray) -> float:
    """The share of answers above a threshold (ATC; Garg et al. 2022, equations 2 and 3).

    The threshold is the confidence that as many answers exceed in distribution as are right there.
    Of those that equal it (all, where a network is always 1.0 sure) the share counts that makes the
    guess in distribution its accuracy.
    """
    found, wrong = shares("confidence", confidence), int((~known.right).sum())
    if wrong == 0:
        return 1.0
    threshold = np.sort(known.confidence)[wrong - 1]
    (above, at), (above_id, at_id) = (
        ((x > threshold).mean(), (x == threshold).mean()) for x in (found, known.confidence)
    )
    return float(above + at * (known.right.mean() - above_id) / at_id)


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
    x, y = _probit(known), _probit(elsewhere)
    fits = x.ndim == 1 and x.shape == y.shape and len(x) >= 3 and np.isfinite([x, y]).all()
    if not fits or np.ptp(x) == 0:
        accepted = "three or more pairs of finite numbers, whose first differ"
        raise refused("known, elsewhere", f"shapes {x.shape} and {y.shape}", accepted)
    fit = linregress(x, y)
    return Line(float(fit.slope), float(fit.intercept), float(fit.rvalue) if np.ptp(y) else 0.0)


def _probit(accuracies: np.ndarray) -> np.ndarray:
    return norm.ppf(np.clip(np.asarray(accuracies, dtype=float), 1e-3, 1 - 1e-3))
