"""Notebook 03's CLIP playground: what words find, what a picture is called, and which class."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from labkit.looks import METHODS
from labkit.ui.images import draw_sheet, tiles
from labkit.ui.style import INK, place_ticks, shorten, style


@style()
def draw_search(axes: np.ndarray, result) -> None:
    """Above: the nearest images of every style to the words; below: a picture's nearest captions.

    Every word that CLIP never met is named in the title. The pictures found have no names: a click
    on one asks what it is, and twenty texts would take longer than all the rest.
    """
    top, bottom = axes
    picture = tiles(result.found, len(result.styles), gap=(0, 0))
    rows = len(result.found) // len(result.styles)
    draw_sheet(top, picture, (0, len(result.styles), rows, 0))
    for j, name in enumerate(result.styles):
        top.text(j + 0.5, rows + 0.1, name.replace("-", "\n"), ha="center", va="top", fontsize=11,
                 linespacing=1, clip_on=True)  # fmt: skip
    top.set(xlim=(-0.05, len(result.styles) + 0.05), ylim=(rows + 0.7, 0), aspect="equal")
    top.axis("off")
    top.set_title(_search_title(result), fontsize=15)
    _draw_captions(bottom, result)


def _search_title(result) -> str:
    question = f"“{shorten(result.words, 24)}”" if result.words else f"the {result.name} itself"
    if result.nothing_known:
        return f"{question}: no letters CLIP knows, so the answer is arbitrary"
    if result.unknown:
        unknown = shorten(", ".join(result.unknown), 18)
        return f"Nearest to {question}; read by letters: {unknown}"
    return f"Nearest to {question}, first row first"


def _draw_captions(ax: Axes, result) -> None:
    colors = [METHODS["clip"].color if own else INK for own in result.is_own]
    places = np.arange(len(result.captions))
    ax.barh(places, result.cosines, color=colors, height=0.7)
    for place, name, value, own in zip(
        places, result.captions, result.cosines, result.is_own, strict=True
    ):
        ax.annotate(f"{'✓ ' if own else ''}{name}", (max(value, 0), place), xytext=(6, 0),
                    textcoords="offset points", va="center", fontsize=13,
                    fontweight="bold" if own else "normal", clip_on=True)  # fmt: skip
    picture = tiles(result.picture[None], 1)
    draw_sheet(ax, picture, (-0.36, -0.05, 3.9, 0.1))
    ax.set(xlim=(-0.4, 1.7), ylim=(len(places) - 0.4, -0.6), xlabel="cosine with the picture")
    place_ticks(ax.xaxis, [0, 0.5, 1])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_title(
        f"What is this? Its own name, {shorten(result.name, 18)}, is number {result.rank} "
        f"of {result.candidates:,}",
        fontsize=15,
    )


@style()
def draw_zero_shot(axes: np.ndarray, result) -> None:
    """Accuracy per style with the reader's prompts, the default prompts beside it; and failures."""
    left, right = axes
    places = np.arange(len(result.styles))
    mean, low, high = np.array(result.intervals).T
    color = METHODS["clip"].color
    left.hlines(places, low, high, color=color, lw=5, alpha=0.35)
    left.plot(mean, places, METHODS["clip"].marker, color=color, markersize=10, ls="none")
    left.plot(result.default, places, "|", color=INK, markersize=16, mew=2.5, ls="none")
    left.axvline(result.chance, color=INK, lw=1, ls=":")
    left.annotate("largest class", (result.chance, -0.75), xytext=(4, 0), fontsize=11,
                  textcoords="offset points", va="center", clip_on=True)  # fmt: skip
    place_ticks(left.yaxis, places, result.styles)
    left.set(ylim=(len(places) - 0.4, -1.1), xlabel="accuracy (tick: bare class names)")
    left.set_xlim(0, 1)
    place_ticks(left.xaxis, [0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    unknown = f"; never met: {shorten(', '.join(result.unknown), 18)}" if result.unknown else ""
    left.set_title(f"{result.overall.mean:.0%} over all styles{unknown}", fontsize=15)
    titles = [f"{shorten(name, 11)}:\n{shorten(guess, 11)}?" for name, guess in result.mistakes]
    _draw_tiles(right, result.wrong, titles, columns=3, room=0.5)
    right.set(xlim=(-0.25, 3.6), ylim=(3, 0))
    right.set_title(f"Wrong: {result.failures:,} of {result.total:,}", fontsize=15)


def _draw_tiles(ax: Axes, images: np.ndarray, names, columns: int, room: float) -> None:
    """A grid of pictures of side 1 with names below, all within the axes: fast enough to type."""
    size, rows = images.shape[-1], -(-len(images) // columns)
    gap = (round(room * size), round(0.15 * size))
    picture = tiles(images, columns, gap)
    height, width = (side / size for side in picture.shape[:2])
    draw_sheet(ax, picture, (0, width, height, 0))
    for i, name in enumerate(names):
        place = (i % columns * width / columns + 0.5, i // columns * height / rows + 1.02)
        ax.text(*place, name, ha="center", va="top", fontsize=12, clip_on=True)
    ax.set_aspect("equal")
    ax.axis("off")
