"""Accuracy against labels per class, read horizontally; and rows of nearest neighbours."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from labkit import sweeps
from labkit.evaluate import labels_needed
from labkit.figures import describe_curves, draw_curves
from labkit.looks import LOOKS
from labkit.ui.images import draw_answers
from labkit.ui.style import INK, log_ticks, percent_axis, style


def shots_curves(table: pd.DataFrame, score: str, all_labels: float) -> dict[str, pd.DataFrame]:
    """Method -> mean, low and high of a score by labels per class.

    table: a sweep's, with columns method and shots; all_labels: where to draw shots="all".
    """
    numbers = table["shots"].map(lambda shots: all_labels if shots == "all" else float(shots))
    methods = table.assign(shots=numbers).groupby("method", sort=False)
    return {m: sweeps.intervals(rows, score, ["shots"]).sort_index() for m, rows in methods}


@style()
def draw_shots(ax: Axes, curves: Mapping[str, pd.DataFrame], chance: float, title: str) -> None:
    """Accuracy against labelled examples per class, on a logarithmic axis, bands over seeds."""
    draw_curves(ax, curves, gap=0.055, chance=chance)
    shots = next(iter(curves.values())).index.to_numpy()
    log_ticks(ax, shots, [f"{n:g}" for n in shots[:-1]] + ["all"])
    highest = max(curve["high"].max() for curve in curves.values())
    percent_axis(ax, high=min(1, np.ceil(10 * highest + 0.5) / 10))
    ax.set(xlabel="labelled images per class", ylabel="accuracy", title=title)


def describe_shots(curves: Mapping[str, pd.DataFrame]) -> str:
    """The alternative text of `draw_shots`."""
    return f"Accuracy by labels for each class, with 95 % intervals. {describe_curves(curves)}"


@style()
def draw_worth(ax: Axes, known: pd.DataFrame, unknown: pd.DataFrame, shots: float) -> None:
    """The horizontal reading: an arrow from `shots` labels with prior knowledge to as many without.

    Where the curve without never gets so far, the arrow runs to the end of the axis and says so.
    """
    accuracy, ceiling = known.loc[shots, "mean"], unknown.index[-1]
    needed = labels_needed(unknown.index, unknown["mean"], accuracy)
    end = min(needed, ceiling)
    arrow = {"arrowstyle": "->", "color": INK, "lw": 2}
    ax.annotate("", (end, accuracy), (shots, accuracy), arrowprops=arrow)
    ax.vlines([shots, end], 0, accuracy, color=INK, lw=1, ls=":")
    text = f"{shots:g} labels = {needed:.0f} without" if needed <= ceiling else "more than all"
    ax.annotate(text, ((shots * end) ** 0.5, 0), xytext=(0, 10), fontsize=13,
                textcoords="offset points", ha="center")  # below all curves  # fmt: skip


@style()
def draw_guesses(ax: Axes, guesses: Mapping[str, float], shots: float) -> None:
    """The reader's guesses, as large open markers."""
    for method, accuracy in guesses.items():
        look = LOOKS[method]
        ax.plot(shots, accuracy, look.marker, color=look.color, mfc="none", mew=2.5, markersize=16)
    ax.annotate("your guesses", (shots, max(guesses.values())), xytext=(0, 14), fontsize=13,
                textcoords="offset points", ha="center")  # fmt: skip


@style()
def draw_neighbours(axes: np.ndarray, result) -> None:
    """Two rows of nearest images: by random features above, by pretrained ones below.

    The query stands in front, framed in grey; neighbours of its class are framed in colour and
    counted by the titles. No names: sixteen more texts would take longer than all the rest.
    """
    titles = {"random": "Before pretraining", "pretrained": "After pretraining"}
    for ax, (network, title) in zip(axes, titles.items(), strict=True):
        same = result.same_class[network]
        images = result.images[network]
        draw_answers(ax, result.query, images, same, 1 + len(images), interpolation="bilinear")
        ax.set_title(f"{title}: {sum(same)} of {len(same)} share its class")
