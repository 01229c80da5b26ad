"""Notebook 02: the transfer objective, and algorithms A that it can be minimised through.

Read objective (the sum, written once; A = gradient descent), heads (A in closed form), batched (all
tasks at once); then landscape and sinusoids, where A is a few steps, and fewshot with meta_train,
where both are used on emoji.
"""

from labkit.meta.heads import LogisticHead, Prototypes, RidgeHead, embed, prototypical_logits, ridge
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
    train,
)
