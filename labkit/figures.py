"""Figures that several notebooks draw: dots with intervals, curves with bands, and learning curves.

Tables are those of `labkit.sweeps`: a row for each cell, columns mean, low and high. A method is a
key of `looks`, by default of `labkit.looks.LOOKS`.
"""

from __future__ import annotations  # pandas imports jinja2 with its Styler

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.axes import Axes

from labkit.advice import Situation, first_try, points_behind
from labkit.calibration import Reliability
from labkit.looks import LOOKS, Look
from labkit.statistics import Interval, Scores
from labkit.ui.schematic import arrow, box, note, picture, prepare, vector
from labkit.ui.style import INK, label_ends, percent_axis, percent_ticks, style

# Of text in a page: 4.5:1 on white and on #111, by a share of the ink around it.
READ = "color: color-mix(in srgb, {} 60%, currentColor); font-weight: bold"
GUESSING = Look("guessing", INK, "")  # always the largest class
RIGHT, SURE = LOOKS["probe"].color, "#84603c"  # a classifier, and its confidence
Looks = Mapping[str, Look]


@style()
def draw_dots(
    ax: Axes,
    table: pd.DataFrame,
    looks: Looks = LOOKS,
    *,
    title: str = "",
    xlabel: str = "accuracy",
    chance: float | None = None,
    percent: bool = True,
) -> None:
    """A dot with its interval for each method in each row, one row below the other.

    table: indexed by what a row is and by the method, in the order to be drawn; a row need not have
    every method.
    """
    rows, methods = (list(dict.fromkeys(table.index.get_level_values(k))) for k in (0, 1))
    inside = table.groupby(level=0)["mean"]
    place, count = inside.cumcount(), inside.transform("size")  # of a dot among those of its row
    offset = 0.56 * (place / (count - 1).clip(lower=1) - 0.5) * (count > 1)
    table = table.assign(y=offset + [rows.index(row) for row, _ in table.index])
    for method in methods:
        look, found = looks[method], table.xs(method, level=1)
        ax.hlines(found["y"], found["low"], found["high"], color=look.color, lw=3, alpha=0.6)
        marks = {"marker": look.marker, "color": look.color, "label": look.name}
        ax.plot(found["mean"], found["y"], ls="none", ms=10, **marks)
    if chance is not None:
        ax.axvline(chance, color=INK, lw=1, ls=":")
    ax.set_yticks(range(len(rows)), rows)
    ax.set(ylim=(len(rows) - 0.5, -0.5), xlabel=xlabel, title=title)
    ax.grid(axis="x", color=INK, alpha=0.2)
    if percent:
        percent_ticks(ax.xaxis)


@style()
def name_methods(ax: Axes, columns: int = 4) -> None:
    """Every method of an axes once, above its figure."""
    handles, labels = ax.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    ax.figure.legend(
        once.values(), once, loc="outside upper center", ncols=columns, handletextpad=0.3,
        columnspacing=1.2,
    )  # fmt: skip


def describe_dots(table: pd.DataFrame, looks: Looks = LOOKS, percent: bool = True) -> str:
    """Every row in words: the alternative text of `draw_dots`."""
    parts, form = [], ".0%" if percent else ".3g"
    for row, means in table["mean"].groupby(level=0, sort=False):
        each = [f"{looks[m].name} {mean:{form}}" for m, mean in means.droplevel(0).items()]
        parts.append(f"{' '.join(str(row).split())}: {', '.join(each)}")
    return f"{'; '.join(parts)}."


@style()
def draw_curves(
    ax: Axes,
    curves: Mapping[str, pd.DataFrame],
    looks: Looks = LOOKS,
    *,
    dashes: str = "-",
    named: bool = True,
    gap: float = 0.06,
    chance: float | None = None,
) -> None:
    """Curves with bands, each named at its end: method -> mean (and low, high) indexed by x.

    gap: between two names, in units of the y axis (powers of ten of a logarithmic one). chance: a
    level that needs no knowledge.
    """
    for method, curve in curves.items():
        look, x = looks[method], curve.index.to_numpy(dtype=float)
        if "low" in curve:
            ax.fill_between(x, curve["low"], curve["high"], color=look.color, alpha=0.25, lw=0)
        ax.plot(x, curve["mean"], dashes, color=look.color, marker=look.marker)
    ends = [(looks[m], c.index[-1], c["mean"].iloc[-1]) for m, c in curves.items() if named]
    if chance is not None:
        first, last = next(iter(curves.values())).index[[0, -1]]
        ax.plot([first, last], [chance, chance], ":", color=INK, lw=1)
        ends.append((GUESSING, last, chance))
    if ends:
        shown, x, heights = zip(*ends, strict=True)
        label_ends(ax, x, heights, shown, gap)


def describe_curves(curves: Mapping[str, pd.DataFrame], looks: Looks = LOOKS) -> str:
    """Where every curve begins and ends: the alternative text of `draw_curves`."""
    parts = [
        f"{looks[method].name} from {c['mean'].iloc[0]:.0%} at {c.index[0]:g} to "
        f"{c['mean'].iloc[-1]:.0%} at {c.index[-1]:g}"
        for method, c in curves.items()
    ]
    return f"{'; '.join(parts)}."


@style()
def draw_history(
    ax: Axes, histories: Mapping[str, Sequence], chance: float, title: str, looks: Looks = LOOKS,
    steps: int = 0,
) -> None:  # fmt: skip
    """Accuracy against training steps: ID solid, the mean over OOD tests dashed.

    histories: method -> `labkit.transfer.Moment`s, the probe's a single one: a horizontal line.
    steps: where the axis ends, if not with the last moment.
    """
    steps = steps or max(moment.step for history in histories.values() for moment in history)
    for method, history in histories.items():
        if method == "probe":
            history = [history[0]._replace(step=step) for step in (0, steps)]
        x = [moment.step for moment in history]
        ax.plot(x, [moment.id for moment in history], color=looks[method].color)
        if history[0].ood:
            ood = [np.mean(list(moment.ood.values())) for moment in history]
            ax.plot(x, ood, "--", color=looks[method].color)
    ends = [*(history[-1].id for history in histories.values()), chance]
    label_ends(ax, steps, ends, [*(looks[method] for method in histories), GUESSING], 0.07)
    ax.axhline(chance, color=INK, linewidth=1, linestyle=":")
    percent_axis(ax)
    shifted = any(history[0].ood for history in histories.values())
    ylabel = "accuracy (solid ID, dashed OOD)" if shifted else "accuracy"
    ax.set(xlabel="training steps", ylabel=ylabel, title=title, xlim=(0, steps))


def describe_history(histories: Mapping[str, Sequence], looks: Looks = LOOKS) -> str:
    """The alternative text of `draw_history`."""
    parts, shifted = [], ""
    for method, history in histories.items():
        ood = list(history[-1].ood.values())
        shifted = f" (OOD {np.mean(ood):.0%})" if ood else ""
        parts.append(f"{looks[method].name} ends at {history[-1].id:.0%}{shifted}")
    dashed = ", dashed where the images are of another kind" if shifted else ""
    return f"Test accuracy while it trains{dashed}. {'; '.join(parts)}."


def in_points(leads: Mapping[str, Scores]) -> pd.io.formats.style.Styler:
    """What was compared -> its lead in percentage points with its interval, and what for."""
    names = {method: look.name for method, look in LOOKS.items()}
    found = {what: lead.interval for what, lead in leads.items()}
    table = pd.DataFrame(found, index=Interval._fields).T.rename(index=names)
    about = "; ".join(dict.fromkeys(lead.about for lead in leads.values()))
    caption = f"percentage points, 95 % interval {about}"
    return (100 * table).style.format("{:+.1f}").set_caption(caption)


def styled(
    table: pd.DataFrame, form: str | Mapping[str, str] = "{:.1%}", looks: Looks = LOOKS
) -> pd.io.formats.style.Styler:
    """A table as a notebook shows it: numbers short, methods in their colour and by their name."""
    colors = {look.name: look.color for look in looks.values()}
    names = {method: look.name for method, look in looks.items()}
    shown = table.rename(index=names)
    over = (f"th.col_heading.level{n}" for n in range(table.columns.nlevels - 1))  # several columns
    centred = [{"selector": heading, "props": "text-align: center"} for heading in over]
    return (
        shown.style.format(form, na_rep="")
        .set_table_styles(centred)
        .map_index(lambda name: READ.format(colors[name]) if name in colors else "")
    )


def folded(summary: str, table: pd.io.formats.style.Styler) -> HTML:
    """A long table behind a line that opens it."""
    return HTML(f"<details><summary>{summary}</summary>{table.to_html()}</details>")


def draw_network(
    ax: Axes, image: np.ndarray, answer: str, trains: Sequence[str], color: str, title: str = ""
) -> None:
    """The schematic of a classifier: an image through encoder and head to an answer.

    image: (3, size, size); trains: which of "encoder" and "head" train (a solid edge), the other is
    frozen (dashed).
    """
    prepare(ax, 11.6, 2.6)
    picture(ax, (0.7, 1.0), image, 1.2)
    for x, part, name in ((3.0, "encoder", "encoder $B$"), (7.2, "head", "head $v$")):
        on = part in trains
        state, ink = ("trains", color) if on else ("frozen", INK)
        arrow(ax, (x - 1.8, 1.0), (x - 1.15, 1.0))
        box(ax, (x, 1.0), f"{name}\n{state}", ink, trains=on)
    arrow(ax, (4.1, 1.0), (4.7, 1.0))
    vector(ax, (5.0, 1.0), color if "encoder" in trains else INK)
    arrow(ax, (8.3, 1.0), (9.1, 1.0))
    note(ax, (9.3, 1.0), f"\u201c{answer}\u201d", ha="left")
    note(ax, (5.0, 0.05), "features $Bx$", fontsize=12)
    note(ax, (0.1, 2.35), title, ha="left", fontsize=15, fontweight="bold")


def square(ax: Axes, low: float = 0.0, high: float = 1.0) -> None:
    """Shares on both axes, and the line where they are equal."""
    ax.plot([low, high], [low, high], ":", color=INK, lw=1.5)
    percent_axis(ax, low, high)
    ax.xaxis.set_major_formatter(ax.yaxis.get_major_formatter())
    ax.set_xlim(low, high)


@style()
def draw_reliability(axes: Sequence[Axes], found: Mapping[str, Reliability]) -> None:
    """A diagram for each test set: dots on the diagonal are calibrated; their size is the share."""
    for ax, (name, diagram) in zip(axes, found.items(), strict=True):
        size = 40 + 900 * diagram.count / diagram.count.sum()
        x, y = diagram.confidence, diagram.accuracy
        square(ax)
        ax.vlines(x, y, x, color=SURE, lw=3, alpha=0.6)
        ax.scatter(x, y, s=size, color=RIGHT, zorder=3, linewidths=0, clip_on=False)
        ax.set(xlabel="confidence", title=f"{name}\n{sure_and_right(diagram)}")
    axes[0].set_ylabel("share that is right")


def describe_reliability(found: Mapping[str, Reliability]) -> str:
    parts = [f"{name}: {sure_and_right(diagram)}" for name, diagram in found.items()]
    shown = "On the diagonal as many are right as the confidence says; a larger dot is more images."
    return f"{shown} {'; '.join(parts)}."


def sure_and_right(diagram: Reliability) -> str:
    sure, right = diagram.mean(diagram.confidence), diagram.mean(diagram.accuracy)
    return f"{sure:.0%} sure, {right:.0%} right"


def show_advice(situations: Sequence[Situation]) -> pd.io.formats.style.Styler:
    """What to try first: points behind the best in each situation; the advice is filled."""
    first = {s.name: first_try(s.scores) for s in situations}

    def fill(row: pd.Series) -> list[str]:
        filled = "background-color: {}; color: white; font-weight: bold"
        return [filled.format(LOOKS[m].color) * (m == first[row.name]) for m in row.index]

    shown = points_behind(situations).style.apply(fill, axis=1)
    shown = shown.format(lambda x: "best" if x == 0 else f"{round(x, 1) + 0.0:.1f}", na_rep="")
    return shown.format_index(lambda method: LOOKS[method].name, axis=1)
