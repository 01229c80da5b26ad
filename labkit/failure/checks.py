"""Notebook 05: calibration error, accuracy without labels, and what to try first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from labkit.exercise import checker
from labkit.failure import advice
from labkit.failure import label_free_estimates as proxies
from labkit.failure.calibration import Answers, calibration_error

BINS = 10


def some_answers(seed: int, n: int = 300) -> Answers:
    """Answers that are surer than they are right."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.1, 1, n)
    return Answers(confidence, rng.random(n) < confidence**2)


@checker
def expected_calibration_error(function: Callable) -> Iterator[str]:
    """Notebook 05: function(confidence, right, bins) -> the ECE of answers in equal bins."""
    given = some_answers(0)
    yours = function(given.confidence.copy(), given.right.copy(), BINS)
    if yours is None:
        yield "your function returns nothing; end it with `return error`."
        return
    expected = calibration_error(given, BINS)
    overall = abs(given.confidence.mean() - given.right.mean())
    signed = given.confidence.mean() - given.right.mean()
    plain = [
        abs(given.right[in_bin].mean() - given.confidence[in_bin].mean())
        for low in np.linspace(0, 1, BINS + 1)[:-1]
        if (in_bin := (given.confidence > low) & (given.confidence <= low + 1 / BINS)).any()
    ]
    compared = f"(yours {float(yours):.4f}, expected {expected:.4f})"
    if np.isnan(yours):
        yield "yours is nan: some bins are empty, and their mean is no number; skip those."
        return
    if np.isclose(yours, np.mean(plain)) and not np.isclose(yours, expected):
        yield f"you give every bin the same weight; weigh it by its share of the answers {compared}"
    if np.isclose(yours, signed) or np.isclose(yours, overall):
        yield f"that is the gap over all answers: take it bin by bin, where it can hide {compared}"
    if not np.isclose(yours, expected, atol=1e-6):
        yield (
            "per bin: |share right - mean confidence|, times the share of all answers in the bin; "
            f"then the sum {compared}"
        )
    edges = Answers(np.array([0.25, 0.3, 0.5, 0.75, 1.0, 1.0]), np.arange(6) % 2 == 0)
    yours = function(edges.confidence.copy(), edges.right.copy(), 4)
    if not np.isclose(yours, calibration_error(edges, 4)):
        yield (
            "right for ten bins, but not for four with confidences on their edges: bin m holds "
            "those above (m - 1) / bins and up to m / bins."
        )


@checker
def thresholded_confidence(function: Callable) -> Iterator[str]:
    """Notebook 05: function(confidence, right, elsewhere) -> accuracy guessed without labels."""
    known, elsewhere = some_answers(1), some_answers(2).confidence * 0.8
    yours = function(known.confidence.copy(), known.right.copy(), elsewhere.copy())
    if yours is None:
        yield "your function returns nothing; return a share between 0 and 1."
        return
    expected = proxies.average_thresholded_confidence(known, elsewhere)
    compared = f"(yours {float(yours):.3f}, expected {expected:.3f})"
    if np.isclose(yours, known.right.mean()):
        yield f"that is the ID accuracy, whatever the shift {compared}"
    if np.isclose(yours, elsewhere.mean()):
        yield f"that is the mean confidence; ATC counts answers above a threshold {compared}"
    if np.isclose(yours, 1 - expected):
        yield f"you count the answers below the threshold; the others are guessed right {compared}"
    if abs(yours - expected) > 1.5 / len(elsewhere):
        yield (
            "choose the threshold so that, in distribution, as large a share of confidences is "
            f"above it as is right; then count the share above it elsewhere {compared}"
        )
    faultless = known._replace(right=np.ones_like(known.right))
    if function(faultless.confidence.copy(), faultless.right.copy(), elsewhere.copy()) < 1:
        yield "where every answer in distribution is right, no threshold is needed: the guess is 1."


@checker
def first_try(function: Callable) -> Iterator[str]:
    """Notebook 05: function(scores) -> the first of BY_CHANGE that none is clearly ahead of."""
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.05, 8)  # of the seed, shared by all methods

    def scores(**means: float) -> dict[str, np.ndarray]:
        return {
            name.replace("_", "-"): mean + luck + rng.normal(0, 0.004, 8)
            for name, mean in means.items()
        }

    cases = {
        "fine-tuning leads by ten points": scores(probe=0.5, fine_tuning=0.6, scratch=0.3),
        "fine-tuning leads by less than luck": scores(probe=0.5, fine_tuning=0.501, scratch=0.3),
        "the seeds differ more than the methods": scores(probe=0.5, lp_ft=0.53, fine_tuning=0.53),
        "scratch wins": scores(probe=0.3, fine_tuning=0.5, scratch=0.6),
    }
    wild = {"scratch": 0.6 + np.tile([0.5, -0.5], 4)}  # the best mean, and sure of nothing
    cases["the best mean is luck"] = scores(probe=0.4, fine_tuning=0.5) | wild
    for name, case in cases.items():
        # In the order of a dictionary that knows nothing of BY_CHANGE.
        yours, expected = function(dict(reversed(case.items()))), advice.first_try(case)
        if yours is None:
            yield "your function returns nothing; return the name of a method."
            return
        if yours == expected:
            continue
        means = ", ".join(f"{m} {values.mean():.3f}" for m, values in case.items())
        best = max(case, key=lambda m: case[m].mean())
        hint = (
            "the best mean is not always clearly better: is the whole interval of the paired "
            "difference above 0?"
            if yours == best
            else "pair the seeds (evaluate.paired_difference): the luck that methods share cancels."
        )
        yield f"{name} ({means}): yours {yours}, expected {expected}. Hint: {hint}"
