"""The feature-distortion explorer without a browser: one frame as a figure, and in words."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from labkit.looks import METHODS, Look
from labkit.ui.style import INK, label_end, percent_axis, spread, style

# Colour-blind-safe beside each other, each with a shape of its own.
CLASS_LOOKS = (
    Look("face", "#6a3df0", "o"),
    Look("animal", "#a98600", "s"),
    Look("food and drink", "#e3398f", "^"),
    Look("vehicle", "#6b7f52", "D"),
)
SIDES = ("id", "ood")


@style()
def draw_distortion(axes: np.ndarray, scene, method: str, frame: int = -1) -> None:
    """Two by two axes: ID and OOD features with trails above, accuracy and movement below.

    scene: `labkit.lp_ft.distortion.Scene`. Hollow points are classified wrongly.
    """
    frames = scene.frames[method]
    frame = range(len(frames.at))[frame]
    view = limits(scene)
    for ax, side in zip(axes[0], SIDES, strict=True):
        draw_regions(ax, frames.regions[side][frame], view)
        draw_points(ax, scene, method, side, frame)
        name, right = getattr(scene.setting, f"{side}_style"), frames.accuracy[side][frame]
        ax.set_title(f"{side.upper()}: {name}, {right:.0%} right", fontsize=15)
        ax.set(xlim=view[0], ylim=view[1], aspect="equal", xticks=[], yticks=[])
    name_classes(axes[0, 0])
    for ax, what in zip(axes[1], ("accuracy", "moved"), strict=True):
        draw_curves(ax, scene, method, frame, what)
    percent_axis(axes[1, 0])
    name_curves(axes[1, 1], scene, method)
    axes[1, 0].set_title("Accuracy (OOD dashed)", fontsize=15)
    axes[1, 1].set_title("Mean distance that features moved", fontsize=15)


def limits(scene) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where nearly all points of all methods lie: one view for every frame."""
    points = np.concatenate(
        [x.reshape(-1, 2) for frames in scene.frames.values() for x in frames.points.values()]
    )
    low, high = np.quantile(points, [0.001, 0.999], axis=0)
    margin = 0.05 * (high - low)
    return tuple(zip(low - margin, high + margin, strict=True))


def draw_regions(ax: Axes, logits: np.ndarray, view) -> None:
    """Colour the plane by the class that the head gives to its points; logits: (classes, 3)."""
    x, y = (np.linspace(*ends, 200) for ends in view)
    grid = np.stack([*np.meshgrid(x, y), np.ones((200, 200))], axis=-1)  # (y, x, 3)
    winner = (grid @ logits.T).argmax(axis=-1)
    colors = np.array([(*to_rgb(look.color), 0.16) for look in CLASS_LOOKS])
    ax.imshow(colors[winner], extent=(*view[0], *view[1]), origin="lower", zorder=0)


def draw_points(ax: Axes, scene, method: str, side: str, frame: int) -> None:
    frames, labels = scene.frames[method], scene.labels[side]
    points, right = frames.points[side][: frame + 1], frames.predicted[side][frame] == labels
    for k, look in enumerate(CLASS_LOOKS):
        mine = labels == k
        ax.plot(*points[:, mine].transpose(2, 0, 1), color=look.color, lw=1, alpha=0.4)
        for correct in (True, False):
            x, y = points[-1, mine & (right == correct)].T
            face = look.color if correct else "none"
            ax.plot(x, y, look.marker, color=look.color, mfc=face, mew=1.8, ms=7)


def name_classes(ax: Axes) -> None:
    """A key below both clouds of points."""
    mark = {"ls": "none", "ms": 7, "mew": 1.8}
    for look in CLASS_LOOKS:
        ax.plot([], [], look.marker, color=look.color, label=look.name, **mark)
    ax.plot([], [], "o", color=INK, mfc="none", label="hollow: wrong", **mark)
    key = ax.legend(loc="upper left", bbox_to_anchor=(-0.02, 0), ncols=5, fontsize=12,
                    handletextpad=0.1, columnspacing=1)  # fmt: skip
    key.set_in_layout(False)  # it is wider than these axes


def draw_curves(ax: Axes, scene, method: str, frame: int, what: str) -> None:
    """All trained methods, the chosen one strong; WiSE-FT alone, its axis being another."""
    for name in shown_beside(method):
        look, values = METHODS[name], getattr(scene.frames[name], what)
        for side, dashes in zip(SIDES, ("-", "--"), strict=True):
            y = np.resize(values[side], max(2, len(values[side])))
            alpha = 1 if name == method else 0.4
            ax.plot(np.linspace(0, 1, len(y)), y, dashes, color=look.color, alpha=alpha)
    last = len(scene.frames[method].at) - 1
    if last:
        ax.axvline(frame / last, color=INK, lw=1.5)
    ax.set(xlim=(0, 1), xticks=[])
    ax.set_xlabel("share of LP-FT's weights" if method == "wise-ft" else "training")


def name_curves(ax: Axes, scene, method: str) -> None:
    """Say at its end which method a curve of movement is."""
    names = shown_beside(method)
    ends = [scene.frames[name].moved["id"][-1] for name in names]
    for name, end in zip(names, spread(ends, 0.1 * ax.get_ylim()[1]), strict=True):
        label_end(ax, 1, end, METHODS[name].name, METHODS[name].color)


def shown_beside(method: str) -> list[str]:
    return ["wise-ft"] if method == "wise-ft" else ["probe", "fine-tuning", "lp-ft"]


def describe_frame(scene, method: str, frame: int) -> str:
    """One frame in two sentences: the alternative text of the explorer's picture."""
    frames = scene.frames[method]
    at, end = frames.at[frame], frames.at[-1]
    rate = {"fine-tuning": scene.setting.ft_lr, "lp-ft": scene.setting.lp_ft_lr}.get(method)
    when = f" at learning rate {rate:g}, step {at:.0f} of {end:.0f}" if rate else ""
    if method == "wise-ft":
        when = f", {at:.0%} of LP-FT's weights"
    accuracy = {side: frames.accuracy[side][frame] for side in SIDES}
    moved = {side: frames.moved[side][frame] for side in SIDES}
    return (
        f"{METHODS[method].name}{when}: {accuracy['id']:.0%} right in {scene.setting.id_style}, "
        f"{accuracy['ood']:.0%} in {scene.setting.ood_style}. Features moved {moved['id']:.1f} in "
        f"distribution and {moved['ood']:.1f} out of it (squared, the plane shows "
        f"{frames.inside[frame]:.0%} of it)."
    )
