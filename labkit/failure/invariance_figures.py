"""Notebook 05, augmentations: what four encoders can read, and mismatched preparation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from labkit.evaluate import Interval
from labkit.looks import METHODS
from labkit.ui.images import draw_framed, frame_first
from labkit.ui.style import INK, percent_axis, style

BLIND, SEEING = METHODS["fine-tuning"].color, METHODS["probe"].color
# (colour augmentation, flips) -> name, colour, marker: a triangle has been flipped
ENCODERS = {
    (False, False): ("neither", SEEING, "o"),
    (False, True): ("flips", SEEING, ">"),
    (True, False): ("colour", BLIND, "o"),
    (True, True): ("colour and flips", BLIND, ">"),
}
SLOTS = np.linspace(-0.27, 0.27, 4)


@style()
def draw_traps(
    ax: Axes,
    scores: Mapping[str, Mapping[tuple, Interval]],
    chance: Mapping[str, float],
    title: str,
    now: tuple | None = None,
) -> None:
    """Probe accuracy by question; scores: question -> (colour, flip) -> interval.

    `now` is the encoder to point out, if any: the others fade.
    """
    places = np.arange(len(scores))
    for slot, (key, (_, color, marker)) in zip(SLOTS, ENCODERS.items(), strict=True):
        alpha = 1 if now in (None, key) else 0.3
        mean, low, high = np.array([found[key] for found in scores.values()]).T
        ax.vlines(places + slot, low, high, color=color, lw=3, alpha=alpha)
        ax.plot(places + slot, mean, marker, color=color, ms=11, alpha=alpha)
    guessed = [chance[question] for question in scores]
    ax.hlines(guessed, places - 0.4, places + 0.4, color=INK, lw=1.5, linestyle=":")
    percent_axis(ax)
    ax.set_xticks(range(len(scores)), [f"{question}?" for question in scores])
    ax.set(xlim=(-0.5, len(scores) - 0.5), title=title)


@style()
def label_encoders(ax: Axes) -> None:
    """The legend of `draw_traps`."""
    for name, color, marker in ENCODERS.values():
        ax.plot([], [], marker, color=color, ms=11, label=name)
    ax.legend(title="pretrained to ignore", loc="center left", bbox_to_anchor=(1.01, 0.5),
              handletextpad=0.2, title_fontsize=14, alignment="left")  # fmt: skip


def describe_traps(scores: Mapping[str, Mapping[tuple, Interval]]) -> str:
    parts = []
    for question, found in scores.items():
        each = [f"{ENCODERS[key][0]} {found[key].mean:.0%}" for key in ENCODERS]
        parts.append(f"{question}: {', '.join(each)}")
    return f"Probe accuracy by what pretraining was told to ignore. {'; '.join(parts)}."


@style()
def draw_seen(axes: Sequence[Axes], result) -> None:
    """Left: the emoji and what the encoder takes it for. Right: what its probe can read."""
    row, scores = axes
    images = np.concatenate([result.query[None], result.images])
    draw_framed(row, images, 3, [False, *result.same])
    frame_first(row, images.shape[-1])
    row.set_title(f"{sum(result.same)} of {len(result.same)}: same {result.trait}")
    draw_traps(scores, result.scores, result.chance, "What a probe can read", result.encoder)


@style()
def draw_grid(ax: Axes, values: Sequence[float], grid: np.ndarray, title: str, unit: str) -> None:
    """Accuracy by what was trained on (rows) and tested on (columns), written into each field."""
    highest = max(0.6, grid.max())
    ax.imshow(grid, cmap="cividis", vmin=0, vmax=highest, aspect="auto")
    for (i, j), value in np.ndenumerate(grid):
        color = "white" if value < 0.55 * highest else "black"
        ax.text(j, i, f"{100 * value:.0f}", ha="center", va="center", color=color,
                fontweight="bold" if i == j else "normal")  # fmt: skip
    names = [f"{value:g}" for value in values]
    ax.set_xticks(range(len(values)), names)
    ax.set_yticks(range(len(values)), names)
    ax.spines[:].set_visible(False)
    ax.set(xlabel=f"tested: {unit}", ylabel=f"trained: {unit}", title=title)


def describe_grid(values: Sequence[float], grid: np.ndarray, unit: str) -> str:
    worst = np.unravel_index((grid - np.diag(grid)).argmin(), grid.shape)
    trained, tested = (values[i] for i in worst)
    return (
        f"Accuracy by {unit} in training and testing: {np.diag(grid).min():.0%} to "
        f"{np.diag(grid).max():.0%} where both agree, {grid[worst]:.0%} for {trained:g} then "
        f"{tested:g} (trained on {tested:g}: {grid[worst[1], worst[1]]:.0%})."
    )
