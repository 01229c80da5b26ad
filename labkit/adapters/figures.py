"""Notebook 04's long experiment: what trained parameters buy, move and forget; which blocks matter.

Every figure draws one result of `labkit.adapters.comparison`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from labkit.adapters.comparison import GREEN, TUNED, look_of
from labkit.figures import describe_dots, draw_dots, name_methods, styled
from labkit.looks import Look
from labkit.ui.style import INK, percent_axis, style

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

MARKERS = "osD^vX"  # of tasks


def show(table: pd.DataFrame, form: str = "{:+.1f}") -> Styler:
    """A result as the notebook shows it, settings in their method's colour."""
    return styled(table, form, {name: look_of(name) for name in table.index})


def describe_settings(
    result: pd.DataFrame | Mapping[str, pd.DataFrame], what: str, form: str = "{:.0%}"
) -> str:
    """A result in words, for its picture's alternative text. what: what the numbers are."""
    parts = []
    for where, table in result.items() if isinstance(result, Mapping) else [("", result)]:
        said = [f"{name} {form.format(mean)}" for name, mean in table["mean"].items()]
        if "moved" in table:
            said = [f"{n}, moved {far:.1f}" for n, far in zip(said, table["moved"], strict=True)]
        parts.append(f"{where}: " * bool(where) + "; ".join(said))
    return f"{what}. {'. '.join(parts)}."


def _draw_settings(ax: Axes, table: pd.DataFrame, **options) -> None:
    """A row for each setting, its name in its method's colour; so a dot needs no letter."""
    dots = {name: look_of(name)._replace(marker="o") for name in table.index}
    draw_dots(ax, table.set_index([table.index, table.index]), dots, **options)
    for label, name in zip(ax.get_yticklabels(), dots, strict=True):
        label.set_color(dots[name].color)


@style()
def draw_frontier(axes: np.ndarray, result: Mapping[str, pd.DataFrame]) -> None:
    """How far every setting is ahead of the probe: a column for each task, ID above OOD."""
    for ax, (where, table) in zip(axes.flat, result.items(), strict=True):
        ahead, behind = (table["low"] > 0).sum(), (table["high"] < 0).sum()
        _draw_settings(ax, table, percent=False, xlabel="")
        ax.axvline(0, color=INK, lw=1.5, ls=":")
        ax.set_title(f"{where}:\n{ahead} clearly ahead, {behind} behind", fontsize=13)
    for ax in axes[-1]:
        ax.set_xlabel("points ahead of the linear probe", fontsize=13)
    for ax in axes[:, 1:].flat:
        ax.tick_params(labelleft=False)


@style()
def draw_movement(axes: Sequence[Axes], result: Mapping[str, pd.DataFrame]) -> None:
    """OOD accuracy against how far OOD features have moved; an axes for each task."""
    for ax, (task, table) in zip(axes, result.items(), strict=True):
        for name, row in table.iterrows():
            look = look_of(name)
            ax.vlines(row["moved"], row["low"], row["high"], color=look.color, lw=1, alpha=0.6)
            method = look.name.rstrip("0123456789 ")
            marks = {"marker": look.marker, "color": look.color, "label": method}
            ax.plot(row["moved"], row["mean"], ls="none", ms=11, **marks)
        percent_axis(ax, *ax.get_ylim())
        ax.set_title(task, fontsize=15)
        ax.set_xlabel("OOD features moved by", fontsize=13)
    axes[0].set_ylabel("accuracy out of distribution", fontsize=13)
    name_methods(axes[0])


@style()
def draw_forgetting(ax: Axes, result: pd.DataFrame) -> None:
    """The old job after learning a new one; the line is the encoder before, the probe's."""
    before, worst = result.loc[TUNED["probe"].name, "mean"], result["mean"].idxmin()
    _draw_settings(ax, result, xlabel="upstream emoji given their own name, of 1,150")
    ax.axvline(before, color=INK, lw=1.5, ls=":")
    least = result["mean"].min()
    ax.set(xlim=(0, None), title=f"Fewest after {worst}: {least:.0%}, and {before:.0%} before")


@style()
def draw_pruning(ax: Axes, result: pd.DataFrame) -> None:
    """Accuracy lost when one block's adapters are taken out after training, and when all are."""
    singly = result["mean"].drop("all", level="block")
    block, task = singly.idxmax()
    title = f"Block {block}'s are worth most: {singly.max():.0f} points on {task}"
    xlabel = "points of ID accuracy lost"
    draw_dots(ax, result, _task_looks(result), percent=False, xlabel=xlabel, title=title)
    ax.set_ylabel("block that lost its adapters")
    ax.axvline(0, color=INK, lw=1)
    ax.legend(fontsize=12)


def describe_pruning(result: pd.DataFrame) -> str:
    """The alternative text of `draw_pruning`."""
    said = describe_dots(result.round(1), _task_looks(result), percent=False)
    return f"Points of ID accuracy lost without the adapters of a block. {said}"


def _task_looks(result: pd.DataFrame) -> dict[str, Look]:
    tasks = result.index.get_level_values("task").unique()
    return {t: Look(t, GREEN, marker) for t, marker in zip(tasks, MARKERS, strict=False)}
