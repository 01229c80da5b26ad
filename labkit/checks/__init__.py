"""Exercise checkers, one module per notebook: they hint, and never raise."""

from labkit.checks.adapters import bottleneck, count_adapters, lora, merge, what_trains
from labkit.checks.contrastive import (
    contrastive_loss,
    false_negative_share,
    gradient,
    nt_xent,
    prompts,
)
from labkit.checks.core import Outcome, checker
from labkit.checks.failure import expected_calibration_error, first_try, thresholded_confidence
from labkit.checks.meta_learning import first_order, inner_step, query_is_support, ridge
from labkit.checks.motivation import class_means, labels_needed, linear_probe, random_control
from labkit.checks.recipes import lp_ft, rate_that_moves, wise_ft
from labkit.checks.span import span_movement
