"""Notebook 05's figures: sure and right, guessed and true, what encoders read, how many labels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from labkit.failure.invariance import WEIGHTS
from labkit.failure.label_free_estimates import Line
from labkit.figures import RIGHT, SURE, square
from labkit.looks import LOOKS, Look
from labkit.ui.images import draw_answers, draw_images
from labkit.ui.style import INK, log_ticks, percent_axis, percent_ticks, place_ticks, shorten, style

KINDS = {  # of shifts
    "style": Look("style", "#a89000", "o"),
    "blur": Look("blur", "#840cfc", "s"),
    "rotation": Look("rotation", "#b43030", "D"),
    "noise": Look("noise", "#c00090", "^"),
    "inversion": Look("inversion", "#009cd8", "v"),
}
ENCODERS = {  # by what pretraining was told to ignore; a triangle has been flipped
    WEIGHTS[False, False]: Look("neither", "#00a800", "o"),
    WEIGHTS[False, True]: Look("flips", "#00a800", ">"),
    WEIGHTS[True, False]: Look("colour", "#fc0090", "o"),
    WEIGHTS[True, True]: Look("colour and flips", "#fc0090", ">"),
}
ESTIMATES = {"doc": "Drop in confidence (DoC)", "atc": "Above a threshold (ATC)"}


def kind_of(test: str) -> str:
    """The kind of shift that a test set's name tells: "noise 3" is noise, any other a style."""
    return test.split()[0] if test.split()[0] in KINDS else "style"


def name_kinds(ax: Axes, place: str) -> None:
    for look in KINDS.values():
        ax.plot([], [], look.marker, color=look.color, label=look.name)
    ax.legend(loc=place, handletextpad=0.2, borderpad=0, labelspacing=0.25, fontsize=13)


@style()
def draw_drift(ax: Axes, tests: pd.DataFrame) -> None:
    """Accuracy (filled, with intervals) and confidence (hollow) by how far features have moved.

    tests: as `under_shift.by_test` gives them.
    """
    for name, test in tests.iterrows():
        look, x = KINDS[kind_of(name)], test["drift"]
        ax.plot([x, x], [test["accuracy"], test["confidence"]], color=look.color, lw=1.5, alpha=0.6)
        ax.vlines(x, test["low"], test["high"], color=look.color, lw=6, alpha=0.3)
        ax.plot(x, test["confidence"], look.marker, color=look.color, mfc="none", mew=1.8)
        ax.plot(x, test["accuracy"], look.marker, color=look.color)
    percent_axis(ax)
    name_kinds(ax, "lower left")
    far = tests.loc[tests["drift"].idxmax()]
    ax.set(xlabel="feature drift (share of the norm)", ylabel="filled: right; hollow: sure",
           xlim=(0, None), title="Furthest, {}: {:.0%} right, {:.0%} sure".format(
               far.name, far["accuracy"], far["confidence"]))  # fmt: skip


def describe_drift(tests: pd.DataFrame) -> str:
    ordered = tests.sort_values("drift").iloc[[0, len(tests) // 2, -1]]
    parts = [
        f"{name} moves features by {test['drift']:.0%}: {test['accuracy']:.0%} right, "
        f"{test['confidence']:.0%} sure"
        for name, test in ordered.iterrows()
    ]
    return f"Accuracy and confidence against feature drift. {'; '.join(parts)}."


@style()
def draw_line(ax: Axes, networks: pd.DataFrame, line: Line) -> None:
    """OOD against ID accuracy of many networks; columns method, id and ood."""
    both = networks[["id", "ood"]]
    square(ax, both.min(axis=None) - 0.02, both.max(axis=None) + 0.02)
    for method, found in networks.groupby("method"):
        look = LOOKS[method]
        ax.plot(found["id"], found["ood"], look.marker, color=look.color, ms=6, alpha=0.7, mew=0,
                label=look.name)  # fmt: skip
    ends = np.linspace(both["id"].min(), both["id"].max(), 50)
    ax.plot(ends, line(ends), color=INK)
    ax.legend(loc="upper left", handletextpad=0.2, labelspacing=0.25, borderpad=0, fontsize=13)
    title = f"{len(networks)} networks: correlation {line.correlation:.2f}"
    ax.set(xlabel="ID accuracy", ylabel="OOD accuracy", title=title)


@style()
def draw_estimates(axes: Sequence[Axes], tests: pd.DataFrame) -> None:
    """Accuracy guessed without labels against the truth; tests as `by_test` gives them."""
    for ax, (guess, title) in zip(axes, ESTIMATES.items(), strict=True):
        square(ax)
        for name, test in tests.iterrows():
            look = KINDS[kind_of(name)]
            ax.plot(test["accuracy"], test[guess], look.marker, color=look.color, ms=9)
        ax.set(xlim=(0, 0.8), xlabel="accuracy, with labels", title=title)
    name_kinds(axes[-1], "lower right")
    axes[0].set_ylabel("guessed without labels")


def describe_estimates(tests: pd.DataFrame) -> str:
    parts = []
    for guess, title in ESTIMATES.items():
        gaps = (tests[guess] - tests["accuracy"]).abs()
        worst = tests.loc[gaps.idxmax()]
        parts.append(
            f"{title}: half of the guesses err by less than {100 * gaps.median():.0f} points; for "
            f"{worst.name} it guesses {worst[guess]:.0%} where {worst['accuracy']:.0%} is true"
        )
    return f"Accuracy guessed without labels against the truth. {'; '.join(parts)}."


@style()
def draw_damage(axes: Sequence[Axes], result) -> None:
    """Left: wrong, and sure of it (or never wrong). Right: how right and how sure, by severity."""
    pictures, curves = axes
    both = zip(result.said, result.sure, strict=True)
    titles = [f"{shorten(said, 14)}\n{sure:.0%}" for said, sure in both]
    draw_images(pictures, result.images, titles, 4, "nearest")
    severities, now = np.arange(len(result.accuracy)), result.severity
    right, sure = result.accuracy[now], result.confidence[now]
    pictures.set_title(f"It is sure of these, and {'wrong' if right < 1 else 'right'}")
    curves.axvline(now, color=INK, lw=1)
    curves.plot(severities, result.accuracy, "-o", color=RIGHT)
    curves.plot(severities, result.confidence, "--^", color=SURE)
    curves.plot([now, now], [right, sure], color=SURE, lw=6, alpha=0.35)
    percent_axis(curves)
    curves.set_xticks(severities)
    curves.set(xlabel="severity (dashed: sure, solid: right)", xlim=(-0.1, 5.1))
    curves.set_title(f"It is {right:.0%} right, {sure:.0%} sure")


@style()
def draw_traps(
    ax: Axes, scores: pd.DataFrame, chance: pd.Series, title: str, now: str | None = None
) -> None:
    """What a probe reads, as `invariance.trap_scores` and `trap_chance` give it; dotted: guessing.

    `now` is the encoder to point out, if any: the others fade. (A panel draws this: no pandas.)
    """
    rows = np.arange(len(chance))
    found = scores.to_numpy().reshape(len(rows), len(ENCODERS), 3)
    for i, (name, look) in enumerate(ENCODERS.items()):
        y, (mean, low, high) = rows + 0.18 * i - 0.27, found[:, i].T
        alpha = 1 if now in (None, name) else 0.3
        ax.hlines(y, low, high, color=look.color, lw=3, alpha=alpha)
        ax.plot(mean, y, look.marker, color=look.color, ms=11, alpha=alpha, label=look.name)
    ax.vlines(chance, rows - 0.4, rows + 0.4, color=INK, lw=1.5, linestyle=":")
    percent_ticks(ax.xaxis)
    place_ticks(ax.yaxis, rows, [f"{question}?" for question in chance.index])
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), xlabel="accuracy", title=title)


@style()
def draw_seen(axes: Sequence[Axes], result) -> None:
    """Left: the emoji and what the encoder takes it for. Right: what its probe can read."""
    row, scores = axes
    draw_answers(row, result.query, result.images, result.same, 3)
    row.set_title(f"{sum(result.same)} of {len(result.same)}: same {result.trait}")
    draw_traps(
        scores, result.scores, result.chance, "What a probe can read", WEIGHTS[result.encoder]
    )


@style()
def draw_labels(ax: Axes, result) -> None:
    """Accuracy against labels in all; the live fits as dots at the chosen number."""
    low, mean, high = result.curve
    ax.axvline(result.threshold, color=INK, lw=1, linestyle=":")
    ax.axhline(result.chance, color=INK, lw=1, linestyle=":")
    ax.fill_between(result.counts, low, high, color=RIGHT, alpha=0.25, lw=0)
    ax.plot(result.counts, mean, color=RIGHT)
    ax.plot(np.full(len(result.draws), result.n), result.draws, "o", color=INK, ms=9, alpha=0.7)
    ticks = [n for n in result.counts if n < 50] + [result.threshold, result.counts[-1]]
    log_ticks(ax, ticks, [f"{n}" for n in ticks])
    percent_axis(ax, 0, 0.7)
    ax.set(xlabel="labelled images in all (dots: fitted now)", ylabel="test accuracy",
           xlim=(result.counts[0] * 0.9, result.counts[-1] * 1.1))  # fmt: skip
    spread = 100 * np.ptp(result.draws)
    ax.set_title(f"{result.n} labels: {result.draws.mean():.0%}, {spread:.0f} points apart")
