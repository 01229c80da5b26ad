"""Notebook 04's sweep: what trained parameters buy, move and forget, and which blocks matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from labkit.adapters import results
from labkit.looks import METHODS, Look
from labkit.ui.style import INK, percent_axis, style

_GREEN = METHODS["adapters"].color
TUNED = {name: METHODS[name] for name in ("probe", "norms", "bitfit", "lora", "adapters")} | {
    "ffn-adapters": Look("adapters after FFN only", _GREEN, "$\\mathbf{F}$"),
    "parallel-adapters": Look("parallel adapters", _GREEN, "$\\mathbf{P}$"),
    "fine-tuning": METHODS["fine-tuning"],
}
SIDES = {"id": "in distribution", "ood": "out of distribution"}


def name_of(setting: results.Setting) -> str:
    method, width = setting
    shown = method in ("adapters", "lora")
    return f"{TUNED[method].name} {width}" if shown else TUNED[method].name


# ------------------------------------------------ accuracy against trained parameters


@style()
def draw_frontier(axes: np.ndarray, rows, titles: Sequence[str]) -> None:
    """Accuracy against trained parameters, log axis: a column per task, ID above OOD."""
    for column, task in enumerate(results.tasks(rows)):
        for row, side in enumerate(SIDES):
            ax = axes[row, column]
            _draw_settings(ax, rows, task, side)
            ax.set_xscale("log")
            ax.set_xlim(900, 2.5e6)
            ax.minorticks_off()
            _percent(ax)
            ax.grid(axis="y", color=INK, alpha=0.2)
            if not column:
                ax.set_ylabel(f"accuracy {SIDES[side]}", fontsize=13)
        axes[0, column].set_title(titles[column], fontsize=15)
        axes[1, column].set_xlabel("parameters trained per task", fontsize=13)
    _legend(axes.flat[0])


def _draw_settings(ax: Axes, rows, task: str, side: str) -> None:
    """A point with its interval for each setting; one method's widths are joined."""
    joined: dict[str, list[tuple[float, float]]] = {}
    for setting in results.settings(rows):
        look = TUNED[setting[0]]
        mean, low, high = results.interval(rows, task, setting, side)
        size = results.parameters(rows, task, setting)
        ax.vlines(size, low, high, color=look.color, lw=2, alpha=0.5)
        ax.plot(size, mean, marker=look.marker, ls="none", color=look.color, ms=11, label=look.name)
        joined.setdefault(setting[0], []).append((size, mean))
    for method, points in joined.items():
        if len(points) > 1:
            ax.plot(*np.transpose(points), "-" if side == "id" else "--", lw=1.2,
                    color=TUNED[method].color)  # fmt: skip


def _percent(ax: Axes) -> None:
    percent_axis(ax, *ax.get_ylim())
    ax.yaxis.set_major_locator(MultipleLocator(0.02))


def _legend(ax: Axes, columns: int = 4) -> None:
    """Every method once, above the figure."""
    handles, labels = ax.get_legend_handles_labels()
    once = {label: handle for handle, label in zip(handles, labels, strict=True)}
    ax.figure.legend(once.values(), once, loc="outside upper center", ncols=columns,
                     handletextpad=0.3, columnspacing=1.2)  # fmt: skip


def describe_frontier(rows) -> str:
    """The alternative text of `draw_frontier`."""

    def say(task: str, setting: results.Setting) -> str:
        size = results.parameters(rows, task, setting)
        id_, ood = (results.scores(rows, task, setting, side).mean() for side in SIDES)
        return f"{name_of(setting)} ({size:,}) {id_:.0%} and {ood:.0%}"

    return f"ID and OOD accuracy by method (trained parameters). {_by_task(rows, say)}."


def _by_task(rows, say: Callable[[str, results.Setting], str]) -> str:
    """What `say(task, setting)` says of every setting, task by task."""
    found = results.settings(rows)
    parts = (f"{t}: {', '.join(say(t, s) for s in found)}" for t in results.tasks(rows))
    return "; ".join(parts)


# ------------------------------------------------ movement, forgetting, pruning


@style()
def draw_movement(axes: Sequence[Axes], rows, titles: Sequence[str]) -> None:
    """OOD accuracy against how far OOD features have moved; an axes per task."""
    for ax, task, title in zip(axes, results.tasks(rows), titles, strict=True):
        for setting in results.settings(rows):
            look = TUNED[setting[0]]
            mean, low, high = results.interval(rows, task, setting, "ood")
            moved = results.scores(rows, task, setting, "moved_ood").mean()
            ax.vlines(moved, low, high, color=look.color, lw=2, alpha=0.5)
            ax.plot(
                moved, mean, marker=look.marker, ls="none", color=look.color, ms=11, label=look.name
            )
        _percent(ax)
        ax.set_title(title, fontsize=15)
        ax.set_xlabel("OOD features moved by", fontsize=13)
    axes[0].set_ylabel("accuracy out of distribution", fontsize=13)
    _legend(axes[0])


def describe_movement(rows) -> str:
    """The alternative text of `draw_movement`."""

    def say(task: str, setting: results.Setting) -> str:
        moved, ood = (results.scores(rows, task, setting, c).mean() for c in ("moved_ood", "ood"))
        return f"{name_of(setting)} moved {moved:.1f}, {ood:.0%}"

    return f"How far OOD features moved, and OOD accuracy. {_by_task(rows, say)}."


@style()
def draw_forgetting(ax: Axes, rows, title: str) -> None:
    """The old job after learning a new one, averaged over tasks; the line is the encoder before."""
    names, tasks = results.settings(rows), results.tasks(rows)
    before = results.scores(rows, tasks, ("probe", 0), "old_job").mean()
    for place, setting in enumerate(names[::-1]):
        look = TUNED[setting[0]]
        mean, low, high = results.interval(rows, tasks, setting, "old_job")
        ax.barh(place, mean, color=look.color, height=0.6, alpha=0.35)
        ax.hlines(place, low, high, color=look.color, lw=3)
        ax.plot(mean, place, marker=look.marker, ls="none", color=look.color, ms=10)
    ax.axvline(before, color=INK, lw=1.5, ls=":")
    text = "before, and after adapters.remove (mean of three tasks)"
    ax.annotate(text, (before, len(names) - 0.45),
                xytext=(-4, 0), textcoords="offset points", ha="right", va="bottom",
                fontsize=12)  # fmt: skip
    ax.set_yticks(range(len(names)), [name_of(s) for s in names[::-1]])
    ax.set(xlabel="upstream emoji given their own name, of 1,150", title=title)
    ax.set_ylim(-0.6, len(names) + 0.3)
    ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")


def describe_forgetting(rows) -> str:
    """The alternative text of `draw_forgetting`."""
    names = results.tasks(rows)
    found = [
        f"{name_of(s)} {results.scores(rows, names, s, 'old_job').mean():.0%}"
        for s in results.settings(rows)
    ]
    return f"Upstream emoji given their own name after a new task: {', '.join(found)}."


BLOCKS = tuple("012345")


@style()
def draw_pruning(
    ax: Axes, rows, setting: results.Setting, names: Sequence[str], title: str
) -> None:
    """Accuracy lost when one block's adapters are taken out after training, and when all are.

    names: of the tasks, in short.
    """
    dashes = ("-", "--", ":")
    for number, (task, name) in enumerate(zip(results.tasks(rows), names, strict=True)):
        found = np.array([results.lost(rows, task, setting, p) for p in (*BLOCKS, "all")])
        x = np.array([*range(len(BLOCKS)), 6.5]) + 0.09 * (number - 1)
        ax.vlines(x, found[:, 1], found[:, 2], color=_GREEN, lw=2, alpha=0.5)
        ax.plot(x[:-1], found[:-1, 0], dashes[number % 3], color=_GREEN, marker="o", label=name)
        ax.plot(x[-1], found[-1, 0], "o", color=_GREEN)
    ax.axhline(0, color=INK, lw=1)
    ax.legend(loc="upper center")
    ax.set_xticks([*range(len(BLOCKS)), 6.5], [*BLOCKS, "all"])
    ax.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}")
    ax.set(xlabel="block that lost its adapters", ylabel="points of ID accuracy lost", title=title)


def describe_pruning(rows, setting: results.Setting) -> str:
    """The alternative text of `draw_pruning`."""
    parts = []
    for task in results.tasks(rows):
        found = [results.lost(rows, task, setting, p).mean for p in (*BLOCKS, "all")]
        singly = ", ".join(f"{100 * x:+.1f}" for x in found[:-1])
        parts.append(f"{task}: blocks 0 to 5 {singly}, all {100 * found[-1]:+.1f}")
    return f"Points of ID accuracy lost without the adapters of a block. {'; '.join(parts)}."
