"""The linear model of fine-tuning: errors while training, and the crossover with feature error.

Both are redrawn at every move of a slider, so the curves of an axes are one collection and ticks
are given by locators: half the time of `ax.plot` for each curve and `ax.set_xticks`.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import FixedFormatter, FixedLocator

from labkit.looks import METHODS
from labkit.lp_ft.theory import Simulation
from labkit.ui.style import INK, label_end, spread, style

LOOKS = {"ft": METHODS["fine-tuning"], "lp": METHODS["probe"], "lp_ft": METHODS["lp-ft"]}
HIGHEST = 2.0  # larger errors leave the picture; predicting 0 for every input costs 1
SOLID, DASHED, DOTTED = "-", (0, (3.7, 1.6)), (0, (1, 1.65))


@style()
def draw_losses(ax: Axes, run: Simulation, title: str) -> None:
    """Root-mean-square error against gradient steps: ID solid, OOD dashed, the bound dotted.

    Linear probing is solved exactly, so it is a horizontal line. Steps are drawn at log(1 + step).
    """
    place = np.log1p(run.ft.step)
    last = int(run.ft.step[-1])
    ticks = [0, *(n for n in (1, 10, 100, 1000, 10_000) if n < last / 2), last]
    curves = []
    for name, look in LOOKS.items():
        method = getattr(run, name)
        for losses, dashes in ((method.id_loss, SOLID), (method.ood_loss, DASHED)):
            x, y = (place[[0, -1]], losses[[-1, -1]]) if name == "lp" else (place, losses)
            curves.append((x, np.sqrt(y), look.color, dashes, 2.5))
    if run.bound:
        height, color = run.bound**0.5, LOOKS["ft"].color
        curves.append((place[[0, -1]], [height, height], color, DOTTED, 1.5))
        ax.text(0.05, height, "bound for FT, OOD", color=INK, fontsize=12, va="bottom")
    _draw_curves(ax, curves)
    _name_ends(ax, place[-1], [getattr(run, name).ood_loss[-1] ** 0.5 for name in LOOKS])
    ax.xaxis.set_major_locator(FixedLocator(np.log1p(ticks)))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{step:g}" for step in ticks]))
    ax.yaxis.set_major_locator(FixedLocator(np.arange(0, HIGHEST + 0.1, 0.5)))
    ax.set(xlabel="gradient steps", ylabel="error (— ID, - - OOD)", title=title)
    ax.set(xlim=(0, place[-1]), ylim=(0, HIGHEST))


@style()
def draw_crossover(
    ax: Axes, errors: np.ndarray, finals: np.ndarray, run: Simulation, title: str
) -> None:
    """Final OOD error against feature error, finals (3, errors), with the instance marked."""
    now = run.problem.feature_error
    curves = [([now, now], [0, HIGHEST], INK, SOLID, 1), (errors[[0, -1]], [1, 1], INK, DOTTED, 1)]
    for losses, (name, look) in zip(finals, LOOKS.items(), strict=True):
        curves.append((errors, np.sqrt(losses), look.color, DASHED, 2.5))
        end = getattr(run, name).ood_loss[-1] ** 0.5
        (point,) = ax.plot(now, min(end, HIGHEST), look.marker, color=look.color, markersize=11)
        point.set(clip_on=False, in_layout=False)  # it reaches less far than the tick labels
    _draw_curves(ax, curves)
    ax.text(errors[0], 1.01, " always predicting 0", fontsize=12, va="bottom")
    ax.xaxis.set_major_locator(FixedLocator(np.arange(errors[0], errors[-1] + 0.05, 0.2)))
    ax.yaxis.set_major_locator(FixedLocator(np.arange(0, HIGHEST + 0.1, 0.5)))
    ax.set(xlabel="feature error ε", ylabel="final OOD error", title=title)
    ax.set(xlim=(errors[0], errors[-1]), ylim=(0, HIGHEST))


def _draw_curves(ax: Axes, curves: list[tuple]) -> None:
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
    for height, look in zip(heights, LOOKS.values(), strict=True):
        label_end(ax, x, height, look.name, look.color)
