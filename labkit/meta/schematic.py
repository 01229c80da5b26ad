"""The picture of one task: a support set to learn from, an algorithm, a function, a query set."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from labkit.looks import LOOKS
from labkit.ui.schematic import arrow, box, note, picture, prepare


def draw_task(ax: Axes, support: np.ndarray, query: np.ndarray) -> None:
    """D_i through A to f_i, and f_i on new points; support, query: images (n, 3, size, size)."""
    prepare(ax, 14.2, 4.2)
    color = LOOKS["maml"].color
    count = len(support)
    for i, image in enumerate(support):
        picture(ax, (0.6 + i, 2.6), image, 0.85)
        note(ax, (0.6 + i, 1.9), f"class {i + 1}", fontsize=10)
    right = 0.1 + count
    note(ax, (right / 2 + 0.1, 3.5), "support $D_i^s$: one drawing of each")
    arrow(ax, (right, 2.6), (right + 0.8, 2.6))
    middle = right + 2.0
    box(ax, (middle, 2.6), "learn\n$A(D_i^s, \\theta)$", color)
    box(ax, (middle, 0.6), "prior $\\theta$", color, size=(2.2, 0.8))
    arrow(ax, (middle, 1.05), (middle, 1.95), color=color)
    arrow(ax, (middle + 1.15, 2.6), (middle + 2.0, 2.6))
    box(ax, (middle + 2.9, 2.6), "$f_i$", color, size=(1.6, 1.2))
    for i, image in enumerate(query):
        picture(ax, (middle + 2.4 + 1.1 * i, 0.6), image, 0.85)
    end = middle + 2.5 + 1.1 * len(query)
    note(ax, (end + 0.1, 0.6), "query:\nnew drawings", ha="left", fontsize=12)
    arrow(ax, (middle + 2.9, 1.1), (middle + 2.9, 1.95))
    arrow(ax, (middle + 3.7, 2.6), (middle + 4.5, 2.6))
    note(ax, (middle + 4.6, 2.6), "which class?\nhow wrong: $\\hat L$", ha="left")
