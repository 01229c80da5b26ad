"""Notebook 02: the transfer objective, and algorithms A that it can be minimised through.

Read objective (the sum, written once), heads (closed forms), batched (all tasks at once).
"""

from labkit.meta.heads import (
    Function,
    LogisticHead,
    Prototypes,
    RidgeHead,
    embed,
    prototypical_logits,
    ridge,
    with_one,
)
from labkit.meta.objective import (
    Algorithm,
    GradientDescent,
    Loss,
    TaskBatch,
    check_labels,
    check_tasks,
    maml_loss,
    objective,
    reptile_loss,
    total_loss,
    train,
)
