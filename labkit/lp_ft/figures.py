"""Notebook 06's figures: what the sweep found, features layer by layer, the linear model, a frame.

The linear model's are redrawn at every move of a slider, so there the curves of an axes are one
collection and ticks are given by locators: half the time of `ax.plot` and `ax.set_xticks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from labkit.figures import describe_dots, draw_curves, draw_dots, name_methods
from labkit.looks import LOOKS, Look
from labkit.lp_ft.theory import FEATURE_ERRORS, Distortion, final_errors
from labkit.ui.style import INK, label_end, percent_axis, place_ticks, spread, style

if TYPE_CHECKING:
    import pandas as pd

    from labkit.lp_ft.distortion import Scene

SIDES = {"id": "In distribution", "ood": "Out of distribution"}

# ---------------------------------------------------------------- the sweep, and one network


@style()
def draw_shifts(axes: Sequence[Axes], found: Mapping[str, pd.DataFrame]) -> None:
    """Accuracies, ID on the left, OOD on the right: a row per shift, a dot per method.

    found: "id" and "ood" -> mean, low and high by shift and method (`sweeps.intervals`).
    """
    for ax, (side, title) in zip(axes, SIDES.items(), strict=True):
        draw_dots(ax, found[side], title=title)
    name_methods(axes[0], columns=len(LOOKS))


def describe_shifts(found: Mapping[str, pd.DataFrame]) -> str:
    """The alternative text of `draw_shifts`."""
    return " ".join(f"{title}, {describe_dots(found[side])}" for side, title in SIDES.items())


Curves = Mapping[str, Mapping[str, "pd.DataFrame"]]  # "id" | "ood" -> method -> means by rate


@style()
def draw_rates(ax: Axes, curves: Curves) -> None:
    """Accuracy of all networks against learning rate: ID solid, OOD dashed."""
    draw_curves(ax, curves["id"], gap=0.03)
    draw_curves(ax, curves["ood"], dashes="--", named=False)
    ax.set_xscale("log")
    percent_axis(ax, *ax.get_ylim())
    ax.set(xlabel="learning rate", ylabel="accuracy (dashed: OOD)", title=best_rates(curves, "ood"))


def best_rates(curves: Curves, side: str) -> str:
    means = {LOOKS[method].name: curve["mean"] for method, curve in curves[side].items()}
    each = [f"{name} {mean.max():.0%} at {mean.idxmax():g}" for name, mean in means.items()]
    return f"Best {side.upper()}: {', '.join(each)}"


def describe_rates(curves: Curves) -> str:
    """The alternative text of `draw_rates`."""
    return f"Accuracy against learning rate. {'. '.join(best_rates(curves, s) for s in curves)}."


@style()
def draw_layers(ax: Axes, moved: Mapping[str, pd.DataFrame]) -> None:
    """Relative movement of features; moved: method -> a row per layer, columns id and ood."""
    highest = max(table.to_numpy().max() for table in moved.values())
    for side, dashes in (("id", "-"), ("ood", "--")):
        curves = {m: table[[side]].set_axis(["mean"], axis=1) for m, table in moved.items()}
        numbered = {m: curve.reset_index(drop=True) for m, curve in curves.items()}
        draw_curves(ax, numbered, dashes=dashes, named=side == "id", gap=0.08 * highest)
    layers = next(iter(moved.values())).index
    place_ticks(ax.xaxis, range(len(layers)), list(layers))
    title = f"The last layer moves: {last_layers(moved, 'id')}"
    ax.set(ylim=(0, 1.05 * highest), xlabel="block of the encoder", title=title)
    ax.set(ylabel="relative movement (dashed: OOD)")


def last_layers(moved: Mapping[str, pd.DataFrame], side: str) -> str:
    each = [f"{LOOKS[m].name} {table[side].iloc[-1]:.0%}" for m, table in moved.items()]
    return ", ".join(each)


def describe_layers(moved: Mapping[str, pd.DataFrame]) -> str:
    """The alternative text of `draw_layers`."""
    return (
        "Movement of features by layer. Of its norm, the last layer's output moves in distribution "
        f"by {last_layers(moved, 'id')}; out of it by {last_layers(moved, 'ood')}."
    )


# ---------------------------------------------------------------- the linear model, live

THEORY_LOOKS = [LOOKS[method] for method in ("fine-tuning", "probe", "lp-ft")]
HIGHEST = 2.0  # larger errors leave the picture; predicting 0 for every input costs 1
SOLID, DASHED, DOTTED = "-", (0, (3.7, 1.6)), (0, (1, 1.65))


@style()
def draw_losses(ax: Axes, result: Distortion) -> None:
    """Root-mean-square error against gradient steps: ID solid, OOD dashed, the bound dotted.

    Linear probing is solved exactly, so it is a horizontal line. Steps are drawn at log(1 + step).
    """
    run, ends = result.run, final_errors(result.run)
    place = np.log1p(run.ft.step)
    last = int(run.ft.step[-1])
    ticks = [0, *(n for n in (1, 10, 100, 1000, 10_000) if n < last / 2), last]
    curves = []
    for method, look in zip((run.ft, run.lp, run.lp_ft), THEORY_LOOKS, strict=True):
        for losses, dashes in ((method.id_loss, SOLID), (method.ood_loss, DASHED)):
            x, y = (place[[0, -1]], losses[[-1, -1]]) if method is run.lp else (place, losses)
            curves.append((x, np.sqrt(y), look.color, dashes, 2.5))
    if run.bound:
        height, color = run.bound**0.5, THEORY_LOOKS[0].color
        curves.append((place[[0, -1]], [height, height], color, DOTTED, 1.5))
        ax.text(0.05, height, "bound for FT, OOD", color=INK, fontsize=12, va="bottom")
    _add_curves(ax, curves)
    _name_ends(ax, place[-1], list(ends.values()))
    place_ticks(ax.xaxis, np.log1p(ticks), [f"{step:g}" for step in ticks])
    place_ticks(ax.yaxis, np.arange(0, HIGHEST + 0.1, 0.5))
    best = min(ends, key=ends.get)
    title = f"Best OOD: {LOOKS[best].name}, {ends[best]:.2f}"
    if max(ends["probe"], ends["lp-ft"]) < 0.005:
        title = f"Only fine-tuning errs OOD: {ends['fine-tuning']:.2f}"
    ax.set(xlabel="gradient steps", ylabel="error (— ID, - - OOD)", title=title)
    ax.set(xlim=(0, place[-1]), ylim=(0, HIGHEST))


@style()
def draw_crossover(ax: Axes, result: Distortion) -> None:
    """Final OOD error against feature error, with the instance marked."""
    errors, now = FEATURE_ERRORS, result.run.problem.feature_error
    curves = [([now, now], [0, HIGHEST], INK, SOLID, 1), (errors[[0, -1]], [1, 1], INK, DOTTED, 1)]
    ends = final_errors(result.run).values()
    for losses, end, look in zip(result.finals, ends, THEORY_LOOKS, strict=True):
        curves.append((errors, np.sqrt(losses), look.color, DASHED, 2.5))
        height = min(end, HIGHEST)
        (point,) = ax.plot(now, height, look.marker, color=look.color, markersize=11)
        point.set(clip_on=False, in_layout=False)  # it reaches less far than the tick labels
    _add_curves(ax, curves)
    ax.text(errors[0], 1.01, " always predicting 0", fontsize=12, va="bottom")
    place_ticks(ax.xaxis, np.arange(errors[0], errors[-1] + 0.05, 0.2))
    place_ticks(ax.yaxis, np.arange(0, HIGHEST + 0.1, 0.5))
    title = "LP-FT wins at every ε" if result.never_behind else "Neither wins at every ε"
    if result.crossover is not None:
        title = f"FT beats LP-FT from ε = {result.crossover:.2f}"
    ax.set(xlabel="feature error ε", ylabel="final OOD error", title=title)
    ax.set(xlim=(errors[0], errors[-1]), ylim=(0, HIGHEST))


def _add_curves(ax: Axes, curves: list[tuple]) -> None:
    """Each curve is (x, y, colour, dashes, width)."""
    x, y, colors, dashes, widths = zip(*curves, strict=True)
    paths = [np.column_stack(path) for path in zip(x, y, strict=True)]
    lines = LineCollection(paths, colors=colors, linestyles=dashes, linewidths=widths, zorder=2)
    ax.add_collection(lines, autolim=False)


def _name_ends(ax: Axes, x: float, ends: list[float]) -> None:
    gap, floor = 0.08 * HIGHEST, 0.05 * HIGHEST  # the lowest name stays off the axis
    heights = spread(np.clip(ends, floor, HIGHEST), gap)
    for i in np.argsort(heights):
        heights[i] = max(heights[i], floor)
        floor = heights[i] + gap
    for height, look in zip(heights, THEORY_LOOKS, strict=True):
        label_end(ax, x, height, look.name, look.color)


# ---------------------------------------------------------------- a frame of the explorer

# Colour-blind-safe beside each other, each with a shape of its own.
CLASS_LOOKS = (
    Look("face", "#6a3df0", "o"),
    Look("animal", "#a98600", "s"),
    Look("food and drink", "#e3398f", "^"),
    Look("vehicle", "#6b7f52", "D"),
)


@style()
def draw_frame(axes: Sequence[Axes], scene: Scene, method: str, frame: int) -> None:
    """ID features on the left, OOD on the right, with trails; hollow points are classified wrongly.

    What is left of the explorer where no widget can run.
    """
    for ax, side in zip(axes, SIDES, strict=True):
        points = scene.frames[method].points[side]
        right = scene.frames[method].predicted[side][frame] == scene.labels[side]
        for k, (name, color, marker) in enumerate(CLASS_LOOKS):
            mine, drawn = scene.labels[side] == k, {"color": color, "ls": "none"}
            trails = points[: frame + 1, mine].transpose(2, 0, 1)  # (2, frames, n)
            ax.plot(*trails, color=color, lw=1, alpha=0.4)
            ax.plot(*points[frame, mine & right].T, marker, label=name, **drawn)
            ax.plot(*points[frame, mine & ~right].T, marker, mfc="none", **drawn)
        ax.plot([], [], "o", color=INK, mfc="none", label="hollow: wrong")
        style_name = getattr(scene.setting, f"{side}_style")
        ax.set_title(f"{side.upper()}: {style_name}, {right.mean():.0%} right", fontsize=15)
        ax.set(aspect="equal", xticks=[], yticks=[])
    name_methods(axes[0], columns=len(CLASS_LOOKS) + 1)


def describe_frame(scene: Scene, method: str, frame: int) -> str:
    """One frame in two sentences: the alternative text of the explorer's picture."""
    frames, setting = scene.frames[method], scene.setting
    at, end = frames.at[frame], frames.at[-1]
    rate = {"fine-tuning": setting.ft_lr, "lp-ft": setting.lp_ft_lr}.get(method)
    when = f" at learning rate {rate:g}, step {at:.0f} of {end:.0f}" if rate else ""
    if method == "wise-ft":
        when = f", {at:.0%} of LP-FT's weights"
    right, moved = ({s: x[s][frame] for s in SIDES} for x in (frames.accuracy, frames.moved))
    return (
        f"{LOOKS[method].name}{when}: {right['id']:.0%} right in {setting.id_style}, "
        f"{right['ood']:.0%} in {setting.ood_style}. Features moved {moved['id']:.1f} in "
        f"distribution and {moved['ood']:.1f} out of it (squared, the plane shows "
        f"{frames.inside[frame]:.0%} of it)."
    )
