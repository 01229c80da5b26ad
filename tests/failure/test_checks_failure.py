"""Notebook 05's exercise checks."""

import numpy as np
from exercises import exercise_tests

from labkit import advice, checks, statistics
from labkit.calibration import Answers, calibration_error
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


def digitized(confidence, right, bins):
    """Bins from an edge to below the next, the last of them 1.0 alone."""
    places = np.digitize(confidence, np.linspace(0, 1, bins + 1))
    full = [places == b for b in np.unique(places)]
    return sum(b.mean() * abs(right[b].mean() - confidence[b].mean()) for b in full)


def from_the_end(confidence, right, elsewhere):
    return (elsewhere > np.sort(confidence)[(~right).sum() - 1]).mean()


def ahead(scores, one, two):
    return (scores[one] - scores[two]).low > 0


def in_their_order(scores):
    """The first of the dictionary, not of BY_CHANGE."""
    return next(m for m in scores if not any(ahead(scores, o, m) for o in scores if o != m))


def each_alone(scores):
    """Without Holm's correction."""
    order = [m for m in advice.BY_CHANGE if m in scores]
    return next(m for m in order if not any(ahead(scores, o, m) for o in scores if o != m))


def against_the_best_mean(scores):
    best = max(scores, key=lambda m: scores[m].mean)
    order = [m for m in advice.BY_CHANGE if m in scores]
    return next(m for m in order if m == best or not ahead(scores, best, m))


def against_later_ones(scores):
    order = [m for m in advice.BY_CHANGE if m in scores]
    for i, mine in enumerate(order):
        if not statistics.clearly_ahead({o: scores[o] - scores[mine] for o in order[i + 1 :]}):
            return mine


def guess(confidence, right, elsewhere):
    return average_thresholded_confidence(Answers(confidence, right), elsewhere)


RIGHT = [
    (checks.expected_calibration_error, error),
    (checks.thresholded_confidence, guess),
    (checks.first_try, advice.first_try),
]
MISTAKES = {
    checks.expected_calibration_error: {
        "Per bin": lambda c, r, b: 0.0,
        "same weight": unweighted,
        "over all": lambda c, r, b: abs(c.mean() - r.mean()),
        "empty": with_empty_bins,
        "their edges": ten_bins,
        "on their edges": digitized,
    },
    checks.thresholded_confidence: {
        "the guess is 1": from_the_end,
        "whatever the shift": lambda c, r, e: r.mean(),
        "mean confidence": lambda c, r, e: e.mean(),
        "below the threshold": lambda c, r, e: 1 - guess(c, r, e),
        "threshold lie, so": lambda c, r, e: (e > 0.5).mean(),
    },
    checks.first_try: {
        "expected": in_their_order,
        "the best mean is luck": against_the_best_mean,
        "a lead among three ... clearly_ahead": each_alone,
        "nearer to pretraining ... all others at once": against_later_ones,
        "not always clearly better": lambda s: max(s, key=lambda m: s[m].mean),
        "Pair them": lambda s: "probe",
        "raised KeyError": lambda s: s["nothing"],
    },
}
test_right_answers_pass, test_stubs_never_pass, test_mistakes_are_named = exercise_tests(
    RIGHT, MISTAKES
)
