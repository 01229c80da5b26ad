"""What becomes of a classifier when its images change: right, sure, and what it could have known.

known = in_distribution(fit.model, task)      # from labelled ID validation images
report(fit.model, known, task.ood["fluent"])  # accuracy, confidence, and guesses without labels
"""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
from torch import nn

from labkit.calibration import Answers, answers, calibration_error, fit_temperature
from labkit.failure.label_free_estimates import (
    average_thresholded_confidence,
    difference_of_confidences,
)
from labkit.sweeps import intervals
from labkit.tasks import Examples, Task
from labkit.training import features


class Known(NamedTuple):
    """What labelled validation images tell: nothing here has seen a test image."""

    temperature: float  # fitted by temperature scaling
    validation: Answers  # at that temperature


class Report(NamedTuple):
    """A classifier on one set of test images."""

    n: int
    accuracy: float
    confidence: float  # mean, as the network gives it
    error: float  # expected calibration error
    scaled_confidence: float  # after temperature scaling on ID validation
    scaled_error: float
    doc: float  # accuracy guessed without labels: difference of confidences
    atc: float  # and by average thresholded confidence


def in_distribution(model: nn.Module, task: Task) -> Known:
    """Fit the temperature on ID validation, and keep the answers there."""
    logits = features(model, task.validation.images)
    temperature = fit_temperature(logits, task.validation.labels)
    return Known(temperature, answers(logits, task.validation.labels, temperature))


def report(model: nn.Module, known: Known, examples: Examples) -> Report:
    """Measure `model` on labelled test images; the two guesses do not look at the labels."""
    logits = features(model, examples.images)
    plain, scaled = (answers(logits, examples.labels, t) for t in (1.0, known.temperature))
    return Report(
        len(examples.labels),
        float(plain.right.mean()),
        float(plain.confidence.mean()),
        calibration_error(plain),
        float(scaled.confidence.mean()),
        calibration_error(scaled),
        difference_of_confidences(known.validation, scaled.confidence),
        average_thresholded_confidence(known.validation, scaled.confidence),
    )


def as_table(reports: Mapping[str, Report]) -> pd.DataFrame:
    """How often each is right, how sure, and how far off that is, before and after scaling."""
    shown = ("accuracy", "confidence", "error", "scaled_confidence", "scaled_error")
    names = ("right", "sure", "calibration error", "sure, scaled", "its calibration error")
    rows = {name: [getattr(found, field) for field in shown] for name, found in reports.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=names)


def by_test(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """data/sweeps/shifts.csv as a row for each test of a model: means over seeds, by test.

    Columns as in the table, and `low` and `high` of the accuracy. Raises ValueError for a model
    that the table does not have.
    """
    sure = intervals(table, "accuracy", ["test"], model=model)[["low", "high"]]
    means = table[table["model"] == model].groupby("test", sort=False).mean(numeric_only=True)
    return means.join(sure)
