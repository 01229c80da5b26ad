"""Learning curves: accuracy against labels and against training steps, and the words for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from labkit.evaluate import ShotsCurve, labels_needed
from labkit.plots.style import INK, METHODS, label_end, percent_axis, spread, style

GUESS = "guessing"  # always the largest class


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
def draw_history(ax: Axes, histories: dict[str, Sequence], chance: float, title: str) -> None:
    """Accuracy against training steps: ID solid, the mean over OOD tests dashed.

    histories: method -> `labkit.transfer.Moment`s. A history of one moment (a probe has no steps)
    is a horizontal line.
    """
    last = max(moment.step for history in histories.values() for moment in history) or 1
    for method, history in histories.items():
        look = METHODS[method]
        flat = len(history) == 1
        steps = [0, last] if flat else [moment.step for moment in history]
        repeat = 2 if flat else 1
        ids = [moment.id for moment in history] * repeat
        ax.plot(steps, ids, color=look.color)
        if history[0].ood:
            ood = [np.mean(list(moment.ood.values())) for moment in history] * repeat
            ax.plot(steps, ood, color=look.color, linestyle="--")
    *ends, guess = spread([*(history[-1].id for history in histories.values()), chance], 0.07)
    for method, end in zip(histories, ends, strict=True):
        label_end(ax, last, end, METHODS[method].name, METHODS[method].color)
    ax.axhline(chance, color=INK, linewidth=1, linestyle=":")
    label_end(ax, last, guess, GUESS, INK)
    percent_axis(ax)
    shifted = any(history[0].ood for history in histories.values())
    ylabel = "accuracy (solid ID, dashed OOD)" if shifted else "accuracy"
    ax.set(xlabel="training steps", ylabel=ylabel, title=title, xlim=(0, last))


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


def describe_history(histories: dict[str, Sequence]) -> str:
    """The alternative text of `draw_history`."""
    parts = []
    for method, history in histories.items():
        ood = list(history[-1].ood.values())
        shifted = f" (OOD {np.mean(ood):.0%})" if ood else ""
        parts.append(f"{METHODS[method].name} ends at {history[-1].id:.0%}{shifted}")
    return f"Test accuracy against training steps: {'; '.join(parts)}."
