"""Boxes, arrows and pictures: the vocabulary of every schematic.

A box with a solid edge trains, one with a dashed edge is frozen. One unit is the side of a small
picture; an axes that `prepare` has seen shows units at equal scale.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from labkit.ui.images import draw_sheet, tiles
from labkit.ui.style import INK, style

Point = tuple[float, float]


def prepare(ax: Axes, width: float, height: float) -> None:
    """Turn an axes into a canvas of so many units, (0, 0) its lower left corner."""
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")


@style()
def box(
    ax: Axes, center: Point, text: str, color: str = INK, size: Point = (2.2, 1.2), trains=True
) -> None:
    """A part of a network, with its name."""
    (x, y), (width, height) = center, size
    corner = (x - width / 2, y - height / 2)
    line = {"lw": 2.5 if trains else 1.5, "ls": "-" if trains else (0, (4, 3))}
    shape = "round,pad=0,rounding_size=0.15"
    # Twice: only the inside is transparent.
    ax.add_patch(FancyBboxPatch(corner, width, height, shape, fc=color, ec="none", alpha=0.18))
    ax.add_patch(FancyBboxPatch(corner, width, height, shape, fc="none", ec=color, **line))
    ax.text(x, y, text, ha="center", va="center", fontsize=13, linespacing=1.15)


@style()
def arrow(ax: Axes, start: Point, end: Point, text: str = "", color: str = INK, both=False) -> None:
    """From one place to another, with a word above its middle; `both` for a head at each end."""
    head = "<|-|>" if both else "-|>"
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle=head, mutation_scale=16, color=color,
                                 lw=2, shrinkA=3, shrinkB=3))  # fmt: skip
    if text:
        middle = (np.add(start, end) / 2).tolist()
        ax.annotate(text, middle, xytext=(0, 7), textcoords="offset points", ha="center",
                    va="bottom", fontsize=12, color=color)  # fmt: skip


def picture(ax: Axes, center: Point, image: np.ndarray, side: float = 1.0) -> None:
    """An image (3, size, size), uint8 or in [0, 1]."""
    x, y = center
    half = side / 2
    draw_sheet(ax, tiles(np.asarray(image)[None], 1), (x - half, x + half, y - half, y + half))


def vector(ax: Axes, center: Point, color: str = INK, heights: Sequence[float] = ()) -> None:
    """Features: a column of cells, as dark as their numbers (0 to 1) are large."""
    x, y = center
    cells = list(heights) or [0.9, 0.2, 0.6, 0.35, 0.75]
    side = 0.28
    bottom = y - side * len(cells) / 2
    for i, value in enumerate(cells):
        place = (x - side / 2, bottom + i * side)
        ax.add_patch(Rectangle(place, side, side, fc=color, ec="none", alpha=value))
        ax.add_patch(Rectangle(place, side, side, fc="none", ec=color, lw=1))


@style()
def note(ax: Axes, place: Point, text: str, color: str = INK, **options) -> None:
    """Words beside a drawing, centred."""
    options = {"ha": "center", "va": "center", "fontsize": 13, **options}
    ax.text(*place, text, color=color, **options)
