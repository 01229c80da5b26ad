"""How accurate is a classifier on images without labels? Guesses from its confidences.

Each looks at labelled images in distribution and unlabelled ones elsewhere. None can be right for
every shift: Garg et al. (2022, section 3) prove that some assumption about the shift is needed.
"""

from __future__ import annotations

import numpy as np

from labkit.calibration import Answers


def difference_of_confidences(known: Answers, confidence: np.ndarray) -> float:
    """ID accuracy less the drop in mean confidence (DoC; Guillory et al. 2021).

    known: answers in distribution, with their verdicts; confidence (n,): elsewhere. The guess is
    kept between 0 and 1.
    """
    drop = known.confidence.mean() - _checked(confidence).mean()
    return float(np.clip(known.right.mean() - drop, 0, 1))


def threshold_of(known: Answers) -> float:
    """The confidence that as many answers exceed as are right in distribution.

    (Garg et al. 2022, equation 2.) Only with ties can the two shares differ.
    """
    wrong = int((~known.right).sum())
    order = np.sort(_checked(known.confidence))
    return -np.inf if wrong == 0 else float(order[wrong - 1])


def average_thresholded_confidence(known: Answers, confidence: np.ndarray) -> float:
    """ATC (Garg et al. 2022, equation 3): the share of answers above the ID threshold."""
    return float((_checked(confidence) > threshold_of(known)).mean())


def _checked(confidence: np.ndarray) -> np.ndarray:
    x = np.asarray(confidence, dtype=float)
    if x.ndim != 1 or not len(x) or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"confidence: got shape {x.shape}, accepted: (n,), from 0 to 1")
    return x
