"""Exercise checkers, one module per notebook: they hint, and never raise."""

from labkit.checks.core import Outcome, checker
from labkit.checks.meta_learning import first_order, inner_step, query_is_support, ridge
from labkit.checks.motivation import class_means, labels_needed, linear_probe, random_control
