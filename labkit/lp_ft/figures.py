"""Notebook 06's figures: what the sweep found, and features layer by layer."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes

from labkit.figures import describe_dots, draw_curves, draw_dots, name_methods
from labkit.looks import LOOKS
from labkit.ui.style import percent_axis, place_ticks, style

SIDES = {"id": "In distribution", "ood": "Out of distribution"}


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
    sides = [f"{title}, {describe_dots(found[side])}" for side, title in SIDES.items()]
    return f"Accuracy under every shift, with 95 % intervals. {' '.join(sides)}"


Curves = Mapping[str, Mapping[str, pd.DataFrame]]  # "id" | "ood" -> method -> means by rate


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
    best = ". ".join(best_rates(curves, side) for side in curves)
    return f"Accuracy by learning rate, dashed out of distribution. {best}."


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
    return ", ".join(f"{LOOKS[m].name} {table[side].iloc[-1]:.0%}" for m, table in moved.items())


def describe_layers(moved: Mapping[str, pd.DataFrame]) -> str:
    """The alternative text of `draw_layers`."""
    inside, outside = (last_layers(moved, side) for side in ("id", "ood"))
    shown = "Movement is in units of the features' norm, dashed out of distribution."
    return f"{shown} The last layer's output moves by {inside}; out of distribution by {outside}."
