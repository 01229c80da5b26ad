"""One visual language for every figure: a method keeps its colour, marker and name everywhere.

Figures are object-oriented (`matplotlib.figure.Figure`, never pyplot), so that a widget callback on
another thread can draw safely. Backgrounds are transparent, and every colour keeps a contrast of at
least 3:1 on both white and JupyterLab's dark theme (a test checks this).
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from sklearn.isotonic import isotonic_regression

from labkit.evaluate import ShotsCurve, labels_needed

INK = "#7b7b7b"  # text and axes: 4.2:1 on white, 4.5:1 on #111


class Look(NamedTuple):
    """How a method is drawn."""

    name: str
    color: str
    marker: str


# Okabe & Ito's colour-blind-safe colours, those that read on white and on black.
METHODS = {
    "scratch": Look("from scratch", "#707070", "s"),
    "probe": Look("linear probe", "#0078bb", "o"),
    "fine-tuning": Look("fine-tuning", "#d55e00", "^"),
    "lp-ft": Look("LP-FT", "#009e73", "D"),
}

RC = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.size": 15,
    "axes.titlesize": 17,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 15,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 2.5,
    "lines.markersize": 8,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the lab's look to everything created inside the `with` block, and to nothing else."""
    with rc_context(RC):
        yield


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (9, 4.5), **subplots):
    """Return a new `Figure` and its axes (one `Axes`, or an array of them), without pyplot."""
    with style():
        fig = Figure(figsize=size, dpi=100)
        return fig, fig.subplots(rows, columns, **subplots)


class Picture:
    """A finished figure with alternative text, for notebooks, exports and screen readers."""

    def __init__(self, fig: Figure, alt: str) -> None:
        if not alt.strip():
            raise ValueError("alt: got an empty text, accepted: what the figure shows, in words")
        buffer = io.BytesIO()
        with style():
            fig.savefig(buffer, format="png", dpi=150)
        self.alt, self.png = alt, base64.b64encode(buffer.getvalue()).decode()
        self.width = round(fig.get_figwidth() * 100)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        alt = html.escape(self.alt, quote=True)
        image = (
            f'<img src="data:image/png;base64,{self.png}" alt="{alt}" width="{self.width}" '
            'style="max-width: 100%">'
        )
        return {"text/html": image, "image/png": self.png, "text/plain": self.alt}


@style()
def label_end(ax: Axes, x: float, y: float, text: str, color: str) -> None:
    """Name a curve at its end, instead of in a legend."""
    ax.annotate(text, (x, y), xytext=(8, 0), textcoords="offset points", color=color,
                va="center", fontweight="bold", annotation_clip=False)  # fmt: skip


def spread(values: Sequence[float], gap: float) -> np.ndarray:
    """Move values apart, as little as possible (least squares), to leave `gap` between any two."""
    order = np.argsort(values, kind="stable")
    slots = gap * np.arange(len(order))
    if (np.diff(np.asarray(values)[order]) >= gap).all():
        return np.array(values, dtype=float)
    result = np.empty(len(order))
    result[order] = isotonic_regression(np.asarray(values, dtype=float)[order] - slots) + slots
    return result


def percent_axis(ax: Axes, low: float = 0.0, high: float = 1.0) -> None:
    """Accuracies from 0 to 1, shown in percent."""
    ax.set_ylim(low, high)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


@style()
def draw_chance(ax: Axes, chance: float, x: float) -> None:
    """A thin line at the accuracy of always guessing the largest class."""
    ax.axhline(chance, color=INK, linewidth=1, linestyle=":")
    ax.annotate("always guessing the largest class", (x, chance), xytext=(0, 3),
                textcoords="offset points", fontsize=12, va="bottom")  # fmt: skip


@style()
def draw_shots(ax: Axes, curves: Sequence[ShotsCurve], chance: float, title: str) -> None:
    """Accuracy against labelled examples per class, on a logarithmic axis, bands over seeds."""
    ends = spread([curve.mean[-1] for curve in curves], 0.055)
    for curve, end in zip(curves, ends, strict=True):
        look = METHODS[curve.method]
        ax.fill_between(curve.shots, curve.low, curve.high, color=look.color, alpha=0.25, lw=0)
        ax.plot(curve.shots, curve.mean, color=look.color, marker=look.marker)
        label_end(ax, curve.shots[-1], end, look.name, look.color)
    shots = curves[0].shots
    draw_chance(ax, chance, shots[0])
    ax.set_xscale("log")
    ax.set_xticks(shots, [f"{n:g}" for n in shots[:-1]] + ["all"])
    ax.minorticks_off()
    percent_axis(
        ax, high=min(1, np.ceil(10 * max(curve.high.max() for curve in curves) + 0.5) / 10)
    )
    ax.set(xlabel="labelled images per class", ylabel="accuracy", title=title)


@style()
def draw_worth(ax: Axes, known: ShotsCurve, unknown: ShotsCurve, shots: float) -> None:
    """The horizontal reading: an arrow from `shots` labels with prior knowledge to as many without.

    Where the curve without never gets so far, the arrow runs to the end of the axis and says so.
    """
    accuracy = known.mean[list(known.shots).index(shots)]
    needed, ceiling = labels_needed(unknown.shots, unknown.mean, accuracy), unknown.shots[-1]
    end = min(needed, ceiling)
    ax.annotate("", (end, accuracy), (shots, accuracy),
                arrowprops={"arrowstyle": "->", "color": INK, "lw": 2})  # fmt: skip
    text = f"{shots:g} labels = {needed:.0f} without" if needed <= ceiling else "more than all"
    ax.annotate(text, ((shots * end) ** 0.5, accuracy), xytext=(0, 6), fontsize=13,
                textcoords="offset points", ha="center")  # fmt: skip


@style()
def draw_history(ax: Axes, histories: dict[str, Sequence], chance: float, title: str) -> None:
    """Accuracy against training steps: ID solid, the mean over OOD tests dashed.

    histories: method -> `labkit.transfer.Moment`s. A history of one moment (a probe has no steps)
    is a horizontal line.
    """
    last = max(moment.step for history in histories.values() for moment in history) or 1
    for method, history in histories.items():
        look = METHODS[method]
        flat = len(history) == 1
        steps = [0, last] if flat else [moment.step for moment in history]
        repeat = 2 if flat else 1
        ids = [moment.id for moment in history] * repeat
        ax.plot(steps, ids, color=look.color)
        if history[0].ood:
            ood = [np.mean(list(moment.ood.values())) for moment in history] * repeat
            ax.plot(steps, ood, color=look.color, linestyle="--")
    ends = spread([history[-1].id for history in histories.values()], 0.07)
    for method, end in zip(histories, ends, strict=True):
        label_end(ax, last, end, METHODS[method].name, METHODS[method].color)
    draw_chance(ax, chance, 0)
    percent_axis(ax)
    ax.set(xlabel="training steps", ylabel="accuracy", title=title, xlim=(0, last))


@style()
def draw_images(ax: Axes, images: np.ndarray, titles: Sequence[str] = (), columns: int = 0) -> None:
    """A grid of pictures in one axes; images: (n, 3, size, size) uint8, NumPy or torch."""
    images = np.asarray(images).transpose(0, 2, 3, 1)  # (n, size, size, 3)
    n, size = images.shape[:2]
    columns = columns or n
    step, room = size * 1.15, size * (0.3 if len(titles) else 0)  # room for titles
    for i, image in enumerate(images):
        left, top = i % columns * step, i // columns * (step + room)
        ax.imshow(image, extent=(left, left + size, top + size, top))
        if len(titles):
            middle, below = left + size / 2, top + size * 1.06
            ax.text(middle, below, titles[i], ha="center", va="top", fontsize=12)
    rows = -(-n // columns)
    ax.set(xlim=(-1, columns * step), ylim=(rows * (step + room), -1), aspect="equal")
    ax.axis("off")


@style()
def draw_neighbours(axes: np.ndarray, result) -> None:
    """Two rows of nearest images: by random features above, by pretrained ones below.

    A neighbour of the query's own class is framed and ticked; the titles count them.
    """
    for ax, network in zip(axes, ("random", "pretrained"), strict=True):
        same = result.same_class[network]
        images = np.concatenate([result.query[None], result.images[network]])
        names = [result.name, *result.names[network]]
        marks = ["", *("✓ " if flag else "✗ " for flag in same)]
        draw_images(
            ax, images, [mark + shorten(name) for mark, name in zip(marks, names, strict=True)]
        )
        frame_first(ax, images.shape[-1])
        before = "Before pretraining" if network == "random" else "After pretraining"
        ax.set_title(f"{before}: {sum(same)} of {len(same)} share its class ({result.label})")


def frame_first(ax: Axes, size: int) -> None:
    """Set the first picture of a row apart: it is the question, the others are the answer."""
    ax.plot(np.array([0, 1, 1, 0, 0]) * size, np.array([0, 0, 1, 1, 0]) * size, color=INK, lw=3)


def shorten(text: str, length: int = 15) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


@style()
def label_grid(ax: Axes, rows: Sequence[str], columns: Sequence[str], size: int) -> None:
    """Name the rows and columns of a `draw_images` grid of untitled pictures."""
    step = size * 1.15
    for i, name in enumerate(rows):
        ax.text(-size * 0.15, i * step + size / 2, name, ha="right", va="center", fontsize=13)
    for j, name in enumerate(columns):
        ax.text(j * step + size / 2, -size * 0.1, name, rotation=30, fontsize=11, va="bottom")


@style()
def draw_guesses(ax: Axes, guesses: dict[str, float], shots: float) -> None:
    """The reader's guesses, as large open markers."""
    for method, accuracy in guesses.items():
        look = METHODS[method]
        ax.plot(shots, accuracy, look.marker, color=look.color, mfc="none", mew=2.5, markersize=16)


def describe_shots(curves: Sequence[ShotsCurve]) -> str:
    """The alternative text of `draw_shots`."""
    parts = [
        f"{METHODS[c.method].name} goes from {c.mean[0]:.0%} at {c.shots[0]:g} to {c.mean[-1]:.0%}"
        for c in curves
    ]
    return f"Accuracy against labelled images per class: {'; '.join(parts)} at all labels."


def describe_history(histories: dict[str, Sequence]) -> str:
    """The alternative text of `draw_history`."""
    parts = [
        f"{METHODS[method].name} ends at {history[-1].id:.0%}"
        for method, history in histories.items()
    ]
    return f"Test accuracy against training steps: {'; '.join(parts)}."
