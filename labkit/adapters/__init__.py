"""Notebook 04: a few new weights in a frozen transformer, and taking them out again.

Read layers (what is inserted), methods (where, and what trains), then figures and panels.
"""

from labkit.adapters.layers import Adapted, Bottleneck, LoRALinear
from labkit.adapters.methods import (
    METHODS,
    PLACES,
    Inserted,
    Method,
    count,
    insert,
    inserted,
    merged,
    remove,
    trained,
    without,
)
