"""Exercise checkers, one module per notebook: they hint, and never raise."""

from labkit.adapters.checks import bottleneck, count_adapters, lora, merge, what_trains
from labkit.capstone.checks import advice, honest_interval, planted_leak
from labkit.contrastive.checks import (
    contrastive_loss,
    false_negative_share,
    gradient,
    nt_xent,
    prompts,
)
from labkit.exercise import Outcome, checker
from labkit.failure.checks import expected_calibration_error, first_try, thresholded_confidence
from labkit.lp_ft.checks import lp_ft, rate_that_moves, span_movement, two_rates, wise_ft
from labkit.meta.checks import first_order, inner_step, query_is_support, ridge
from labkit.motivation.checks import class_means, labels_needed, linear_probe, random_control
