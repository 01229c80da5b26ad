"""Notebook 04: what trains in a block, what tasks cost, and results of `adapters.comparison`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba

from labkit.adapters.comparison import GREEN, TUNED, look_of
from labkit.figures import describe_dots, draw_dots, name_methods, styled
from labkit.looks import Look
from labkit.ui.style import INK, label_end, label_ends, percent_axis, place_ticks, style

# ------------------------------------------------ instant panels

# part -> (x of its middle, its label), from left to right
PARTS = {
    "patches": (0.55, "patches"),
    "norm1": (2.0, "norm"),
    "attention": (3.25, "attention"),
    "after_attention": (4.5, "adapter"),
    "norm2": (6.25, "norm"),
    "feed_forward": (7.5, "FFN"),
    "after_feed_forward": (8.75, "adapter"),
    "norm": (10.45, "norm"),
    "head": (11.7, "head"),
    "tokens": (1.85, "prompts"),
}

SUMS, SPLITS = (5.35, 9.6), (1.3, 5.6)  # where the residual stream parts, and takes a half in
BOTH = (-1, 1)  # sides on which what stands above is joined to the stream
ONCE, EACH = (0.5, (1,)), (1.85, (-1,))  # where tokens stand that join the patches, or every block
HALF, ABOVE, BELOW = 0.53, 1.15, -0.8  # half a box; where a parallel adapter stands; the stream


@style()
def draw_block(ax: Axes, result) -> None:
    """One block, with all that stands before and after it; what trains is filled with colour."""
    look, shown = TUNED[result.method], [p for p in PARTS if p not in result.absent]
    above = {part: (PARTS[part.removeprefix("after_")][0], BOTH) for part in result.beside}
    if "tokens" in shown:
        above["tokens"] = ONCE if "tokens" in result.once else EACH
    row = [part for part in shown if part not in above]
    ax.add_collection(LineCollection(_wires(row, above), colors=INK, lw=1.5, zorder=1))
    ax.plot(SUMS, [0, 0], "+", color=INK, ms=11, mew=2.5)
    places = [(above[p][0], ABOVE) if p in above else (PARTS[p][0], 0) for p in shown]
    _draw_boxes(ax, places, [look.color if result.trains[part] else "none" for part in shown])
    for part, (x, y) in zip(shown, places, strict=True):
        label, count = PARTS[part][1], result.trains[part]
        ax.text(x, y, f"{label}\n{count:,}" if count else label, ha="center", va="center",
                fontsize=11, color=INK, zorder=5,
                fontweight="bold" if count else "normal", clip_on=True)  # fmt: skip
    frame = [[(1.15, -1.1), (9.85, -1.1), (9.85, 1.75), (1.15, 1.75), (1.15, -1.1)]]
    ax.add_collection(LineCollection(frame, colors=INK, lw=1, ls=":"))
    ax.text(9.75, 1.65, f"× {result.depth} blocks", ha="right", va="top", fontsize=12)
    ax.set(xlim=(-0.1, 12.4), ylim=(-1.2, 1.85))
    ax.axis("off")
    share = f"{result.count:,} of {result.total:,} numbers train"
    ax.set_title(f"{look.name}: {share} ({result.count / result.total:.1%})", fontsize=15)


def _wires(row: list[str], above: dict[str, tuple]) -> list:
    """Lines between neighbouring boxes, round the two halves, and to what stands above."""
    middles = sorted([(PARTS[part][0], HALF) for part in row] + [(x, 0.15) for x in SUMS])
    ends = zip(middles, middles[1:], strict=False)
    wires = [[(a + half, 0), (b - other, 0)] for (a, half), (b, other) in ends]
    for split, total in zip(SPLITS, SUMS, strict=True):
        wires.append([(split, 0), (split, BELOW), (total, BELOW), (total, -0.15)])
    for x, sides in above.values():
        for side in sides:
            out = x + side * (HALF + 0.07)
            wires.append([(x + side * HALF, ABOVE), (out, ABOVE), (out, 0)])
    return wires


def _draw_boxes(ax: Axes, places: list[tuple[float, float]], colors: list[str]) -> None:
    """All boxes at once; one that trains is filled."""
    corners = np.array([(-1, -0.78), (1, -0.78), (1, 0.78), (-1, 0.78)]) * HALF
    edges = [INK if color == "none" else color for color in colors]
    faces = [color if color == "none" else to_rgba(color, 0.2) for color in colors]
    ax.add_collection(
        PolyCollection([corners + place for place in places], facecolors=faces, edgecolors=edges,
                       lw=1.5, joinstyle="round", zorder=3)
    )  # fmt: skip


TICKS = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)
HEIGHTS = {"ViT": (1, 1e4), "BERT-large": (300, 3e6)}  # megabytes; a change redraws the axes


@style()
def draw_storage(ax: Axes, result) -> None:
    """Megabytes against the number of tasks, both on log axes; dots at the chosen number."""
    ax.set(xlim=(1, 1000), ylim=HEIGHTS[result.where[0].name])  # first: no limits to be guessed
    ax.set(xscale="log", yscale="log")
    colors = [TUNED[method].color for method in result.curves]
    curves = list(result.curves.values())
    ax.add_collection(LineCollection(curves, colors=colors, lw=2.5), autolim=False)
    now = list(result.megabytes.values())
    ax.scatter([result.tasks] * len(now), now, s=100, c=colors, zorder=3, clip_on=False)
    ax.axvline(result.tasks, color=INK, lw=1, ls=":")
    ends = [curve[-1, 1] for curve in curves]
    label_ends(ax, 1000, ends, [TUNED[method] for method in result.curves], 0.32)
    ax.set(xlabel="number of tasks", ylabel="megabytes in all")
    for axis, ticks in ((ax.xaxis, TICKS[:4]), (ax.yaxis, TICKS)):
        place_ticks(axis, ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    tuned, small = (size(result.megabytes[m]) for m in ("fine-tuning", "adapters"))
    ax.set_title(f"{result.tasks:,} tasks: {tuned} tuned in full, {small} by adapters",
                 fontsize=15)  # fmt: skip


def size(megabytes: float) -> str:
    """A size as people say it: "4.9 MB", "1.3 GB"."""
    unit, value = ("GB", megabytes / 1000) if megabytes >= 1000 else ("MB", megabytes)
    return f"{value:.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"


# ------------------------------------------------ the long experiment

MARKERS = "osD^vX"  # of tasks


def show(table: pd.DataFrame, form: str = "{:+.1f}") -> pd.io.formats.style.Styler:
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


# Settings that are shown first, and their markers.
FIRST = {"fine-tuning": "o", "adapters 8": "s", "LoRA 8": "D", "prompts, every block": "^"}


@style()
def draw_frontier(ax: Axes, result: Mapping[str, pd.DataFrame]) -> None:
    """How far four settings are ahead of the probe, in a row for each task, ID and OOD."""
    table = pd.concat({w: found[found.index.isin([*FIRST])] for w, found in result.items()})
    names = list(table.index.unique(level=1))
    looks = {name: look_of(name)._replace(marker=FIRST[name]) for name in names}
    sure = ((table["low"] > 0) | (table["high"] < 0)).sum()
    title = f"{sure} of {len(table)} differences from the probe are more than luck"
    xlabel = "points ahead of the linear probe"
    draw_dots(ax, table, looks, percent=False, xlabel=xlabel, title=title)
    ax.axvline(0, color=INK, lw=1.5, ls=":")
    for name, line, right in zip(names, ax.lines, table["high"], strict=False):  # in the first row
        label_end(ax, right, line.get_ydata()[0], name, looks[name].color)


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
    dots = {name: look_of(name)._replace(marker="o") for name in result.index}
    xlabel = "upstream emoji given their own name, of 1,150"
    draw_dots(ax, result.set_index([result.index, result.index]), dots, xlabel=xlabel)
    for label, look in zip(ax.get_yticklabels(), dots.values(), strict=True):
        label.set_color(look.color)  # a row's name has it, so a dot needs no letter
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
