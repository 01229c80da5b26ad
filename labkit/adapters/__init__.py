"""Notebook 04: a few new weights in a frozen transformer, and taking them out again.

Read layers (what is inserted) and methods (where, and what trains beside it); parts (what a block's
layers are called), storage_cost and task_weights as needed; then comparison, figures and panels. To
add a method is to add an instance of `Method` to METHODS, and its look to `comparison.TUNED`.
"""

from labkit.adapters.layers import Adapted, Bottleneck, LoRAAttention, LoRALinear, Wrapper
from labkit.adapters.methods import (
    METHODS,
    Adapters,
    LoRA,
    Method,
    Prompts,
    count,
    insert,
    inserted,
    merged,
    remove,
    trained,
    without,
)
