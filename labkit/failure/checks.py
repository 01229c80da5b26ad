"""Notebook 05: calibration error, accuracy without labels, and what to try first."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from labkit import advice
from labkit.calibration import Answers, calibration_error
from labkit.exercise import NOTHING, checker, compare
from labkit.failure.label_free_estimates import average_thresholded_confidence
from labkit.statistics import Scores

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
    if yours is not None and np.isnan(yours):
        yield "yours is nan: some bins are empty, and their mean is no number; skip those."
    bins, surer = np.ceil(given.confidence * BINS), given.confidence - given.right
    mistakes = {
        "you give every bin the same weight.\nWeigh it by its share of the answers.": np.mean(
            [abs(surer[bins == m].mean()) for m in np.unique(bins)]
        ),
        "that is the gap over all answers: take it bin by bin, where it can hide.": surer.mean(),
    }
    otherwise = (
        "What is compared in a bin, and how much does a bin count?\nPer bin |share right - mean "
        "confidence|, times the share of all answers in the bin; then the sum."
    )
    yield from compare(yours, calibration_error(given, BINS), mistakes, otherwise)
    right = np.array([1, 0, 0, 0, 0, 1], dtype=bool)  # bins from an edge give another error
    edges = Answers(np.array([0.25, 0.3, 0.5, 0.75, 1.0, 1.0]), right)
    otherwise = (
        "Right for ten bins, but not for four with confidences on their edges.\nBin m holds those "
        "above (m - 1) / bins and up to m / bins."
    )
    yours = function(edges.confidence.copy(), edges.right.copy(), 4)
    yield from compare(yours, calibration_error(edges, 4), {}, otherwise)


@checker
def thresholded_confidence(function: Callable) -> Iterator[str]:
    """Notebook 05: function(confidence, right, elsewhere) -> accuracy guessed without labels."""
    known, elsewhere = some_answers(1), some_answers(2).confidence * 0.8
    yours = function(known.confidence.copy(), known.right.copy(), elsewhere.copy())
    expected = average_thresholded_confidence(known, elsewhere)
    mistakes = {
        "that is the ID accuracy, whatever the shift.": known.right.mean(),
        "that is the mean confidence; ATC counts answers above a threshold.": elsewhere.mean(),
        "you count the answers below the threshold; the others are guessed right.": 1 - expected,
    }
    otherwise = (
        "where must the threshold lie, so that counting above it gives what is known?\nIn "
        "distribution, as large a share of confidences is above it as is right. Count elsewhere."
    )
    if yours is None or abs(yours - expected) > 1.5 / len(elsewhere):  # the threshold itself?
        yield from compare(yours, expected, mistakes, otherwise)
    faultless = replace(known, right=np.ones_like(known.right))
    if function(faultless.confidence.copy(), faultless.right.copy(), elsewhere.copy()) < 1:
        yield "where every answer in distribution is right, no threshold is needed: the guess is 1."


@checker
def first_try(function: Callable) -> Iterator[str]:
    """Notebook 05: function(scores) -> the first of BY_CHANGE that none is clearly ahead of."""
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.05, 8)  # of the seed, shared by all methods

    def scores(**means: float) -> dict[str, Scores]:
        return {
            name.replace("_", "-"): Scores(mean + luck + rng.normal(0, 0.004, 8), overlap=0)
            for name, mean in means.items()
        }

    cases = {
        "fine-tuning leads by ten points": scores(probe=0.5, fine_tuning=0.6, scratch=0.3),
        "fine-tuning leads by less than luck": scores(probe=0.5, fine_tuning=0.501, scratch=0.3),
        "the seeds differ more than the methods": scores(probe=0.5, lp_ft=0.53, fine_tuning=0.53),
        "scratch wins": scores(probe=0.3, fine_tuning=0.5, scratch=0.6),
    }
    wild = Scores(0.6 + np.tile([0.5, -0.5], 4), overlap=0)  # the best mean, and sure of nothing
    cases["the best mean is luck"] = scores(probe=0.4, fine_tuning=0.5) | {"scratch": wild}
    lead = np.tile([0.02, 0.0], 4)  # p is .03 alone, and .1 as one of three
    sure, at = scores(probe=0.5)["probe"], {"lp-ft": lead, "fine-tuning": -lead, "scratch": -lead}
    tried = {name: Scores(sure.values + x, overlap=0) for name, x in at.items()}
    cases["a lead among three may be luck"] = {"probe": sure, **tried}
    behind = {"probe": Scores(sure.values - 0.01, overlap=0), "lp-ft": tried["fine-tuning"]}
    cases["nearer to pretraining are others too"] = {**behind, "fine-tuning": sure}
    for name, case in cases.items():
        # In the order of a dictionary that knows nothing of BY_CHANGE.
        yours, expected = function(dict(reversed(case.items()))), advice.first_try(case)
        if yours is None:
            yield NOTHING
        if yours == expected:
            continue
        means = ", ".join(f"{m} {values.mean:.3f}" for m, values in case.items())
        hint = (
            "the best mean is not always clearly better.\n"
            "Ask statistics.clearly_ahead, of all others at once."
            if yours == max(case, key=lambda m: case[m].mean)
            else "seeds share their luck.\nPair them: scores[other] - scores[mine]."
        )
        yield f"{name} ({means}): yours {yours}, expected {expected}. Hint: {hint}"
