"""Notebook 05: when transfer fails, how one would notice, and what to try then.

Read calibration (is a classifier as sure as it is right?), label_free_estimates and under_shift
(accuracy guessed without labels), corruptions (images unlike the training images), invariance (what
pretraining was told to ignore), double_descent (the number of labels) and advice (what to try
first); then figures, panels, and sweep, which measured the tables.
"""

from labkit.failure.advice import Situation, first_try
from labkit.failure.calibration import Answers, answers, calibration_error, fit_temperature
from labkit.failure.corruptions import corrupt, with_corruptions
from labkit.failure.label_free_estimates import (
    accuracy_line,
    average_thresholded_confidence,
    difference_of_confidences,
)
from labkit.failure.under_shift import in_distribution, report
