"""Notebook 05, shifted images: calibration, near to far, accuracy on the line, guesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from labkit.evaluate import Interval
from labkit.failure.calibration import Reliability
from labkit.looks import METHODS
from labkit.ui.images import draw_framed
from labkit.ui.style import INK, percent_axis, style

KNOWN, SURE = METHODS["probe"].color, METHODS["fine-tuning"].color
# A kind of shift keeps its look in every figure.
KINDS = {
    "style": ("o", "#0078bb"),
    "blur": ("s", "#62920c"),
    "rotation": ("D", "#b0558f"),
    "noise": ("^", "#d55e00"),
    "inversion": ("v", "#6549f2"),
}


def kind_of(test: str) -> str:
    """The kind of shift that a test set's name tells: "noise 3" is noise, any other a style."""
    return test.split()[0] if test.split()[0] in KINDS else "style"


@style()
def draw_reliability(axes: Sequence[Axes], found: Mapping[str, Reliability]) -> None:
    """A diagram for each test set: dots on the diagonal are calibrated; their size is the share."""
    for ax, (name, diagram) in zip(axes, found.items(), strict=True):
        full = diagram.count > 0
        x, y = diagram.confidence[full], diagram.accuracy[full]
        share = diagram.count[full] / diagram.count.sum()
        ax.plot([0, 1], [0, 1], ":", color=INK, lw=1.5)
        ax.vlines(x, y, x, color=SURE, lw=3, alpha=0.6)
        ax.scatter(x, y, s=40 + 900 * share, color=KNOWN, zorder=3, linewidths=0, clip_on=False)
        percent_axis(ax)
        ax.xaxis.set_major_formatter(ax.yaxis.get_major_formatter())
        ax.set(xlim=(0, 1), xlabel="confidence", title=name)
    axes[0].set_ylabel("share that is right")


def describe_reliability(found: Mapping[str, Reliability]) -> str:
    parts = []
    for name, diagram in found.items():
        full = diagram.count > 0
        share = diagram.count[full] / diagram.count.sum()
        sure, right = share @ diagram.confidence[full], share @ diagram.accuracy[full]
        parts.append(f"{name.splitlines()[0]}: {sure:.0%} sure, {right:.0%} right")
    return f"Reliability diagrams. {'; '.join(parts)}."


@style()
def draw_drift(ax: Axes, tests: Mapping[str, tuple[float, Interval, float]], title: str) -> None:
    """Accuracy (filled, with intervals) and confidence (hollow) of test sets by feature drift.

    tests: name -> (drift, accuracy, confidence).
    """
    for name, (drift, right, sure) in tests.items():
        marker, color = KINDS[kind_of(name)]
        ax.plot([drift, drift], [right.mean, sure], color=color, lw=1.5, alpha=0.6)
        ax.vlines(drift, right.low, right.high, color=color, lw=6, alpha=0.3)
        ax.plot(drift, sure, marker, color=color, mfc="none", mew=1.8)
        ax.plot(drift, right.mean, marker, color=color)
    for kind, (marker, color) in KINDS.items():
        ax.plot([], [], marker, color=color, label=kind)
    percent_axis(ax)
    ax.legend(loc="lower left", handletextpad=0.2, borderpad=0, labelspacing=0.25, fontsize=13)
    ax.set(xlabel="feature drift (share of the norm)", ylabel="filled: right; hollow: sure",
           xlim=(0, None), title=title)  # fmt: skip


def describe_drift(tests: Mapping[str, tuple[float, Interval, float]]) -> str:
    order = sorted(tests, key=lambda name: tests[name][0])
    parts = [
        f"{name} moves features by {tests[name][0]:.0%}: {tests[name][1].mean:.0%} right, "
        f"{tests[name][2]:.0%} sure"
        for name in (order[0], order[len(order) // 2], order[-1])
    ]
    return f"Accuracy and confidence against feature drift. {'; '.join(parts)}."


@style()
def draw_line(ax: Axes, pairs: Mapping[str, np.ndarray], line, title: str) -> None:
    """OOD against ID accuracy of many networks; pairs: method -> (networks, 2), line: a `Line`."""
    both = np.concatenate(list(pairs.values()))
    for method, points in pairs.items():
        look = METHODS[method]
        ax.plot(*points.T, look.marker, color=look.color, ms=6, alpha=0.7, mew=0, label=look.name)
    ends = np.linspace(both[:, 0].min(), both[:, 0].max(), 50)
    ax.plot(ends, line(ends), color=INK, lw=2.5)
    low, high = both.min() - 0.02, both.max() + 0.02
    ax.plot([low, high], [low, high], ":", color=INK, lw=1.5)
    percent_axis(ax, low, high)
    ax.xaxis.set_major_formatter(ax.yaxis.get_major_formatter())
    ax.legend(loc="upper left", handletextpad=0.2, labelspacing=0.25, borderpad=0, fontsize=13)
    ax.set(xlim=(low, high), xlabel="ID accuracy", ylabel="OOD accuracy", title=title)


@style()
def draw_estimates(axes: Sequence[Axes], guesses: Mapping[str, Mapping[str, tuple]]) -> None:
    """Guessed against true accuracy; guesses: title -> test set -> (true, guessed)."""
    for ax, (title, tests) in zip(axes, guesses.items(), strict=True):
        ax.plot([0, 1], [0, 1], ":", color=INK, lw=1.5)
        for name, (true, guessed) in tests.items():
            marker, color = KINDS[kind_of(name)]
            ax.plot(true, guessed, marker, color=color, ms=9)
        percent_axis(ax)
        ax.xaxis.set_major_formatter(ax.yaxis.get_major_formatter())
        ax.set(xlim=(0, 0.8), xlabel="accuracy, with labels", title=title)
    for kind, (marker, color) in KINDS.items():
        axes[-1].plot([], [], marker, color=color, label=kind)
    axes[-1].legend(loc="lower right", handletextpad=0.2, borderpad=0, labelspacing=0.25)
    axes[0].set_ylabel("guessed without labels")


def describe_estimates(guesses: Mapping[str, Mapping[str, tuple]]) -> str:
    parts = []
    for title, tests in guesses.items():
        worst = max(tests, key=lambda name: abs(tests[name][0] - tests[name][1]))
        true, guessed = tests[worst]
        gap = np.median([abs(a - b) for a, b in tests.values()])
        parts.append(
            f"{title}: half of the guesses err by less than {100 * gap:.0f} points; for {worst} "
            f"it guesses {guessed:.0%} where {true:.0%} is true"
        )
    return f"Accuracy guessed without labels against the truth. {'; '.join(parts)}."


@style()
def draw_damage(axes: Sequence[Axes], result) -> None:
    """Left: damaged images, framed where recognised. Right: how right and how sure, by severity."""
    pictures, curves = axes
    draw_framed(pictures, result.images, 5, result.right)
    pictures.set_title(f"{sum(result.right)} of {len(result.right)} recognised")
    severities = np.arange(len(result.accuracy))
    now = result.severity
    curves.axvline(now, color=INK, lw=1)
    curves.plot(severities, result.accuracy, "-o", color=KNOWN)
    curves.plot(severities, result.confidence, "--^", color=SURE)
    curves.plot([now, now], [result.accuracy[now], result.confidence[now]], color=SURE, lw=6,
                alpha=0.35)  # fmt: skip
    percent_axis(curves)
    curves.set_xticks(severities)
    curves.set(xlabel="severity (dashed: sure, solid: right)", xlim=(-0.1, 5.1))
    curves.set_title(f"{result.accuracy[now]:.0%} right, {result.confidence[now]:.0%} sure")
