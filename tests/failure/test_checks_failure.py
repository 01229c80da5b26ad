"""Notebook 05's checks: right answers pass, stubs never do, usual mistakes are recognised."""

from __future__ import annotations

import numpy as np
import pytest

from labkit import checks
from labkit.failure import advice
from labkit.failure.calibration import Answers, calibration_error
from labkit.failure.label_free_estimates import average_thresholded_confidence


def error(confidence, right, bins):
    return calibration_error(Answers(confidence, right), bins)


def unweighted(confidence, right, bins):
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    full = [places == b for b in range(bins) if (places == b).any()]
    return np.mean([abs(right[b].mean() - confidence[b].mean()) for b in full])


def with_empty_bins(confidence, right, bins):
    total, edges = 0.0, np.linspace(0, 1, bins + 1)
    with np.errstate(invalid="ignore"):
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            here = (confidence > low) & (confidence <= high)
            sums = right[here].sum() / here.sum() - confidence[here].sum() / here.sum()
            total += here.mean() * abs(sums)
    return total


def ten_bins(confidence, right, bins):
    """Edges on the wrong side, and never another number of bins."""
    total = 0.0
    for low in np.arange(10) / 10:
        here = (confidence >= low) & (confidence < low + 0.1)
        if here.any():
            total += here.mean() * abs(right[here].mean() - confidence[here].mean())
    return total


def from_the_end(confidence, right, elsewhere):
    return (elsewhere > np.sort(confidence)[(~right).sum() - 1]).mean()


def ahead(scores, one, two):
    return (scores[one] - scores[two]).low > 0


def in_their_order(scores):
    """The first of the dictionary, not of BY_CHANGE."""
    return next(m for m in scores if not any(ahead(scores, o, m) for o in scores if o != m))


def against_the_best_mean(scores):
    best = max(scores, key=lambda m: scores[m].mean)
    order = [m for m in advice.BY_CHANGE if m in scores]
    return next(m for m in order if m == best or not ahead(scores, best, m))


def guess(confidence, right, elsewhere):
    return average_thresholded_confidence(Answers(confidence, right), elsewhere)


def test_right_answers_pass() -> None:
    assert checks.expected_calibration_error(error)
    assert checks.thresholded_confidence(guess)
    assert checks.first_try(advice.first_try)


@pytest.mark.parametrize(
    ("check", "mistake", "hint"),
    [
        ("expected_calibration_error", lambda c, r, b: None, "returns nothing"),
        ("expected_calibration_error", lambda c, r, b: 0.0, "per bin"),
        ("expected_calibration_error", unweighted, "same weight"),
        ("expected_calibration_error", lambda c, r, b: abs(c.mean() - r.mean()), "over all"),
        ("expected_calibration_error", with_empty_bins, "empty"),
        ("expected_calibration_error", ten_bins, "their edges"),
        ("thresholded_confidence", from_the_end, "the guess is 1"),
        ("first_try", in_their_order, "expected"),
        ("first_try", against_the_best_mean, "the best mean is luck"),
        ("thresholded_confidence", lambda c, r, e: None, "returns nothing"),
        ("thresholded_confidence", lambda c, r, e: r.mean(), "whatever the shift"),
        ("thresholded_confidence", lambda c, r, e: e.mean(), "mean confidence"),
        ("thresholded_confidence", lambda c, r, e: 1 - guess(c, r, e), "below the threshold"),
        ("thresholded_confidence", lambda c, r, e: (e > 0.5).mean(), "choose the threshold"),
        ("first_try", lambda s: None, "returns nothing"),
        ("first_try", lambda s: max(s, key=lambda m: s[m].mean), "not always clearly better"),
        ("first_try", lambda s: "probe", "pair the seeds"),
        ("first_try", lambda s: s["nothing"], "raised KeyError"),
    ],
)
def test_mistakes_are_recognised(check: str, mistake, hint: str) -> None:
    outcome = getattr(checks, check)(mistake)
    assert not outcome and hint in outcome.message
