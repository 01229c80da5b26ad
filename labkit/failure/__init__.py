"""Notebook 05: when transfer fails, how one would notice, and what to try then.

Read labkit.calibration (as sure as right?), label_free_estimates and under_shift (accuracy guessed
without labels), corruptions (images unlike those one learned from), invariance (what pretraining
was told to ignore), double_descent (number of labels), labkit.advice; then figures, panels, sweep.
"""

from labkit.failure.corruptions import corrupt, with_corruptions
from labkit.failure.label_free_estimates import (
    accuracy_line,
    average_thresholded_confidence,
    difference_of_confidences,
)
from labkit.failure.under_shift import in_distribution, report
