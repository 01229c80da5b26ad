"""Learning curves: accuracy against labels and against training steps, and the words for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from labkit.evaluate import ShotsCurve, labels_needed
from labkit.figures import GUESS
from labkit.looks import METHODS
from labkit.ui.images import draw_frames, draw_sheet, frame_first, tiles
from labkit.ui.style import INK, label_end, percent_axis, spread, style


@style()
def draw_shots(ax: Axes, curves: Sequence[ShotsCurve], chance: float, title: str) -> None:
    """Accuracy against labelled examples per class, on a logarithmic axis, bands over seeds."""
    *ends, guess = spread([*(curve.mean[-1] for curve in curves), chance], 0.055)
    for curve, end in zip(curves, ends, strict=True):
        look = METHODS[curve.method]
        ax.fill_between(curve.shots, curve.low, curve.high, color=look.color, alpha=0.25, lw=0)
        ax.plot(curve.shots, curve.mean, color=look.color, marker=look.marker)
        label_end(ax, curve.shots[-1], end, look.name, look.color)
    shots = curves[0].shots
    ax.plot(shots[[0, -1]], [chance, chance], color=INK, linewidth=1, linestyle=":")
    label_end(ax, shots[-1], guess, GUESS, INK)
    ax.set_xscale("log")
    ax.set_xticks(shots, [f"{n:g}" for n in shots[:-1]] + ["all"])
    ax.minorticks_off()
    percent_axis(
        ax, high=min(1, np.ceil(10 * max(curve.high.max() for curve in curves) + 0.5) / 10)
    )
    ax.set(xlabel="labelled images per class", ylabel="accuracy", title=title)


@style()
def draw_worth(ax: Axes, known: ShotsCurve, unknown: ShotsCurve, shots: float) -> None:
    """The horizontal reading: an arrow from `shots` labels with prior knowledge to as many without.

    Where the curve without never gets so far, the arrow runs to the end of the axis and says so.
    """
    accuracy = known.mean[list(known.shots).index(shots)]
    needed, ceiling = labels_needed(unknown.shots, unknown.mean, accuracy), unknown.shots[-1]
    end = min(needed, ceiling)
    ax.annotate("", (end, accuracy), (shots, accuracy),
                arrowprops={"arrowstyle": "->", "color": INK, "lw": 2})  # fmt: skip
    ax.vlines([shots, end], 0, accuracy, color=INK, lw=1, ls=":")
    text = f"{shots:g} labels = {needed:.0f} without" if needed <= ceiling else "more than all"
    ax.annotate(text, ((shots * end) ** 0.5, 0), xytext=(0, 10), fontsize=13,
                textcoords="offset points", ha="center")  # below all curves  # fmt: skip


@style()
def draw_guesses(ax: Axes, guesses: dict[str, float], shots: float) -> None:
    """The reader's guesses, as large open markers."""
    for method, accuracy in guesses.items():
        look = METHODS[method]
        ax.plot(
            shots,
            accuracy,
            marker=look.marker,
            ls="none",
            color=look.color,
            mfc="none",
            mew=2.5,
            markersize=16,
        )
    ax.annotate("your guesses", (shots, max(guesses.values())), xytext=(0, 14), fontsize=13,
                textcoords="offset points", ha="center")  # fmt: skip


def describe_shots(curves: Sequence[ShotsCurve]) -> str:
    """The alternative text of `draw_shots`."""
    parts = [
        f"{METHODS[c.method].name} goes from {c.mean[0]:.0%} at {c.shots[0]:g} to {c.mean[-1]:.0%}"
        for c in curves
    ]
    return f"Accuracy against labelled images per class: {'; '.join(parts)} at all labels."


@style()
def draw_neighbours(axes: np.ndarray, result) -> None:
    """Two rows of nearest images: by random features above, by pretrained ones below.

    The query stands in front, framed in grey; neighbours of its class are framed in colour and
    counted by the titles. No names: eighteen more texts would take longer than all the rest.
    """
    for ax, network in zip(axes, ("random", "pretrained"), strict=True):
        same = result.same_class[network]
        images = np.concatenate([result.query[None], result.images[network]])
        size = images.shape[-1]
        gap = size // 6
        row = tiles(images, len(images), (0, gap))[:, :-gap]  # (size, width, 4)
        draw_sheet(ax, row, (0, row.shape[1], size, 0))
        frame_first(ax, size)
        draw_frames(ax, size, [(i * (size + gap), 0) for i, own in enumerate(same, 1) if own])
        ax.set(xlim=(-3, row.shape[1] + 3), ylim=(size + 3, -3), aspect="equal")
        ax.axis("off")
        before = "Before pretraining" if network == "random" else "After pretraining"
        ax.set_title(f"{before}: {sum(same)} of {len(same)} share its class")
