"""Notebook 05, number of labels: double descent, negative transfer, and the decision chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from labkit.evaluate import Interval, mean_interval
from labkit.failure import advice
from labkit.looks import METHODS
from labkit.ui.style import INK, percent_axis, place_ticks, style

NOW = METHODS["fine-tuning"].color


@style()
def draw_labels(ax: Axes, result) -> None:
    """Accuracy against labels in all; the live fits as dots at the chosen number."""
    low, mean, high = result.curve
    color = METHODS["probe"].color
    ax.axvline(result.threshold, color=INK, lw=1, linestyle=":")
    ax.axhline(result.chance, color=INK, lw=1, linestyle=":")
    ax.fill_between(result.counts, low, high, color=color, alpha=0.25, lw=0)
    ax.plot(result.counts, mean, color=color)
    ax.plot(np.full(len(result.draws), result.n), result.draws, "o", color=NOW, ms=9, alpha=0.7)
    ax.set_xscale("log")
    ticks = [n for n in result.counts if n < 50] + [result.threshold, result.counts[-1]]
    place_ticks(ax.xaxis, ticks, [f"{n}" for n in ticks])
    ax.minorticks_off()
    percent_axis(ax, 0, 0.7)
    ax.set(xlabel="labelled images in all (dots: fitted now)", ylabel="test accuracy",
           xlim=(result.counts[0] * 0.9, result.counts[-1] * 1.1))  # fmt: skip
    spread = 100 * np.ptp(result.draws)
    ax.set_title(f"{result.n} labels: {result.draws.mean():.0%}, {spread:.0f} points apart")


@style()
def draw_contest(ax: Axes, scores: Mapping[str, Mapping[str, Interval]], title: str) -> None:
    """Methods side by side; scores: situation -> method -> interval."""
    methods = list(dict.fromkeys(m for found in scores.values() for m in found))
    for place, found in enumerate(scores.values()):
        for slot, method in zip(np.linspace(-0.2, 0.2, len(methods)), methods, strict=True):
            mean, low, high = found[method]
            look = METHODS[method]
            ax.hlines(place + slot, low, high, color=look.color, lw=3)
            ax.plot(mean, place + slot, look.marker, color=look.color, ms=11,
                    label=look.name if place == 0 else None)  # fmt: skip
    ax.set_yticks(range(len(scores)), scores)
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")
    ax.grid(axis="x", color=INK, alpha=0.2)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), handletextpad=0.2)
    ax.set(xlim=(0, 1), xlabel="test accuracy", title=title)


def describe_contest(scores: Mapping[str, Mapping[str, Interval]]) -> str:
    parts = []
    for name, found in scores.items():
        each = [f"{METHODS[m].name} {interval.mean:.0%}" for m, interval in found.items()]
        parts.append(f"{name.replace(chr(10), ' ')}: {', '.join(each)}")
    return f"Test accuracy by method. {'; '.join(parts)}."


@style()
def draw_chart(ax: Axes, situations: Sequence[advice.Situation]) -> None:
    """What to try first: points behind the best in each situation; the advice is filled."""
    methods = [m for m in advice.BY_CHANGE if any(m in s.scores for s in situations)]
    for row, situation in enumerate(situations):
        means = {m: float(np.mean(values)) for m, values in situation.scores.items()}
        best, first = max(means.values()), advice.first_try(situation.scores)
        for column, method in enumerate(methods):
            if method not in means:
                continue
            color, chosen = METHODS[method].color, method == first
            if chosen:
                ax.fill([column - 0.46, column + 0.46, column + 0.46, column - 0.46],
                        [row - 0.4, row - 0.4, row + 0.4, row + 0.4], color=color)  # fmt: skip
            behind = 100 * (means[method] - best)
            words = "best" if behind == 0 else f"{behind:.1f}".replace("-0.0", "0.0")
            ax.text(column, row, words, ha="center",
                    va="center", color="white" if chosen else INK,
                    fontweight="bold" if chosen else "normal")  # fmt: skip
    ax.set_xticks(range(len(methods)), [METHODS[m].name for m in methods])
    ax.xaxis.tick_top()
    ax.set_yticks(range(len(situations)), [s.name for s in situations])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-0.5, len(methods) - 0.5), ylim=(len(situations) - 0.5, -0.5))
    ax.set_title("Points behind the best; filled: try this first", pad=12)


def describe_chart(situations: Sequence[advice.Situation]) -> str:
    parts = []
    for s in situations:
        best = max(s.scores, key=lambda method: np.mean(s.scores[method]))
        first = METHODS[advice.first_try(s.scores)].name
        parts.append(f"{s.name}: try {first} (best on average: {METHODS[best].name})")
    return f"What to try first. {'; '.join(parts)}."


def intervals_of(scores: Mapping[str, np.ndarray]) -> dict[str, Interval]:
    """Method -> the interval over seeds."""
    return {method: mean_interval(values) for method, values in scores.items()}
