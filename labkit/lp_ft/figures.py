"""Methods under many shifts: accuracies with intervals, against learning rates, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from labkit import results
from labkit.evaluate import Interval, mean_interval
from labkit.looks import METHODS
from labkit.ui.style import INK, label_end, percent_axis, spread, style


@style()
def draw_shifts(axes: Sequence[Axes], rows, methods: Sequence[str]) -> None:
    """ID accuracies on the left, OOD on the right; a row per shift, a point with interval a method.

    rows: of data/sweeps/lp_ft.csv.
    """
    shifts = results.shifts(rows)
    offsets = np.linspace(-0.28, 0.28, len(methods))
    for ax, score, title in zip(axes, ("id", "ood"), ("In distribution", "Out of distribution"),
                                strict=True):  # fmt: skip
        for offset, method in zip(offsets, methods, strict=True):
            look = METHODS[method]
            found = [mean_interval(results.scores(rows, s, method, score)) for s in shifts]
            y = np.arange(len(shifts)) + offset
            mean, low, high = np.array(found).T
            ax.hlines(y, low, high, color=look.color, lw=2.5)
            ax.plot(mean, y, marker=look.marker, ls="none", color=look.color, ms=9, label=look.name)
        ax.set_yticks(range(len(shifts)), shifts if score == "id" else [""] * len(shifts))
        ax.invert_yaxis()
        ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")
        ax.set(title=title, xlabel="accuracy")
        ax.grid(axis="x", color=INK, alpha=0.2)
    axes[0].figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(methods),
        handletextpad=0.3, columnspacing=1.2,
    )  # fmt: skip


def describe_shifts(rows, methods: Sequence[str]) -> str:
    """The alternative text of `draw_shifts`."""
    parts = []
    for shift in results.shifts(rows):
        pairs = [
            f"{METHODS[m].name} {results.scores(rows, shift, m, 'id').mean():.0%} and "
            f"{results.scores(rows, shift, m, 'ood').mean():.0%}"
            for m in methods
        ]
        parts.append(f"{shift}: {', '.join(pairs)}")
    return f"ID and OOD accuracy by shift. {'; '.join(parts)}."


@style()
def draw_rates(ax: Axes, rows, shift: str, methods: Sequence[str], title: str) -> None:
    """Accuracy against learning rate, all networks of a shift: ID solid, OOD dashed."""
    ends = []
    for method in methods:
        look = METHODS[method]
        for score, dashes in (("id", "-"), ("ood", "--")):
            found = results.against_rate(rows, shift, method, score)
            rates, (mean, low, high) = list(found), np.array(list(found.values())).T
            ax.fill_between(rates, low, high, color=look.color, alpha=0.2, lw=0)
            ax.plot(rates, mean, dashes, marker=look.marker, color=look.color)
            ends.append((look, rates[-1], mean[-1]) if score == "id" else None)
    ends = [end for end in ends if end]
    for (look, x, _), y in zip(ends, spread([y for *_, y in ends], 0.03), strict=True):
        label_end(ax, x, y, look.name, look.color)
    ax.set_xscale("log")
    percent_axis(ax, *ax.get_ylim())
    ax.set(xlabel="learning rate", ylabel="accuracy (dashed: OOD)", title=title)


def describe_rates(rows, shift: str, methods: Sequence[str]) -> str:
    """The alternative text of `draw_rates`."""
    parts = []
    for method in methods:
        best = {
            score: max(results.against_rate(rows, shift, method, score).items(),
                       key=lambda item: item[1].mean)
            for score in ("id", "ood")
        }  # fmt: skip
        parts.append(
            f"{METHODS[method].name} is best in distribution at {best['id'][0]:g} "
            f"({best['id'][1].mean:.0%}) and out of it at {best['ood'][0]:g} "
            f"({best['ood'][1].mean:.0%})"
        )
    return f"Accuracy against learning rate, {shift}: {'; '.join(parts)}."


@style()
def draw_layers(ax: Axes, moved: dict[str, dict[str, dict[str, float]]], title: str) -> None:
    """Relative movement by layer; moved: method -> "id" | "ood" -> layer -> movement."""
    ends = {}
    for method, sides in moved.items():
        look = METHODS[method]
        for side, dashes in (("id", "-"), ("ood", "--")):
            values = list(sides[side].values())
            ax.plot(range(len(values)), values, dashes, marker=look.marker, color=look.color)
        ends[method] = list(sides["id"].values())[-1]
    layers = list(next(iter(moved.values()))["id"])
    ax.set_xticks(range(len(layers)), layers)
    ax.set_ylim(bottom=0)
    heights = spread(list(ends.values()), 0.08 * ax.get_ylim()[1])
    for method, y in zip(ends, heights, strict=True):
        label_end(ax, len(layers) - 1, y, METHODS[method].name, METHODS[method].color)
    ax.set(ylabel="relative movement", title=title)


def describe_layers(moved: dict[str, dict[str, dict[str, float]]]) -> str:
    """The alternative text of `draw_layers`."""
    parts = [
        f"{METHODS[method].name} moves the last layer's output by {list(s['id'].values())[-1]:.0%} "
        f"of its norm in distribution and {list(s['ood'].values())[-1]:.0%} out of it"
        for method, s in moved.items()
    ]
    return f"Movement of features by layer: {'; '.join(parts)}."


def points(interval: Interval) -> str:
    """A difference in percentage points with its interval, for a sentence."""
    mean, low, high = (100 * x for x in interval)
    return f"{mean:+.1f} points ({low:+.1f} to {high:+.1f})"
