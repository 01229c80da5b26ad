"""How every figure looks: type, ink, ticks, and pictures with alternative text.

Figures are object-oriented (`matplotlib.figure.Figure`, never pyplot), so that a widget callback on
another thread can draw safely. Backgrounds are transparent, every colour keeps a contrast of at
least 3:1 on both white and JupyterLab's dark theme, and `labkit.ui.theme` does the rest (tested).
"""

import base64
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, PercentFormatter
from sklearn.isotonic import isotonic_regression

from labkit.ui import narrow
from labkit.ui.png import png
from labkit.ui.theme import INK

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
    if all(rcParams[name] == value for name, value in RC.items()):
        yield  # inside another such block: entering and leaving one takes a millisecond
        return
    with rc_context(RC):
        yield


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (9, 4.5), **subplots):
    """Return a new `Figure` and its axes (one `Axes`, or an array of them), without pyplot."""
    with style():
        fig = Figure(figsize=size, dpi=100)
        return fig, fig.subplots(rows, columns, **subplots)


TWINS = f"<style>{Path(__file__).with_name('twins.css').read_text(encoding='utf-8')}</style>"
HIDDEN = {"light": "background: #fff", "dark": "display: none"}  # where that style is forbidden


def caption(alt: str) -> str:
    """The first sentence of an alternative text, to be read below its picture."""
    return re.split(r"(?<=[.!?]) ", alt)[0]


class Picture:
    """A finished figure with alternative text, whose first sentence is its caption.

    It is drawn for a light and for a dark page, and the page shows the one that fits.
    """

    def __init__(self, fig: Figure, alt: str) -> None:
        if not alt.strip():
            raise ValueError("alt: got an empty text, accepted: what the figure shows, in words")
        self.alt = alt
        self.width = round(fig.get_figwidth() * 100)
        with style():
            pngs = narrow.drawn(fig, 1.5, HIDDEN, png)
            self.pngs = {t: base64.b64encode(p).decode() for t, p in zip(HIDDEN, pngs, strict=True)}
            self._recorded = narrow.still(fig, alt) if narrow.wanted() else None

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        """The page, paper's picture and the words; "alive" tells `python -m labkit site`."""
        if self._recorded:
            return {narrow.MIME: self._recorded, "text/plain": self.alt}, {}
        alt = html.escape(self.alt, quote=True)
        images = [
            f'<img class="labkit-{theme}" src="data:image/png;base64,{drawn}" alt="{alt}" '
            f'width="{self.width}" style="max-width: 100%; {HIDDEN[theme]}">'
            for theme, drawn in self.pngs.items()
        ]
        said = f'<p class="labkit-said" aria-hidden="true">{html.escape(caption(self.alt))}</p>'
        page = TWINS + "".join(images) + said
        return {
            "text/html": page, "image/png": self.pngs["light"], "text/plain": self.alt,
        }, {"alive": True}  # fmt: skip


@style()
def label_end(ax: Axes, x: float, y: float, text: str, color: str) -> None:
    """Name a curve at its end, instead of in a legend."""
    ax.annotate(text, (x, y), xytext=(8, 0), textcoords="offset points", color=color,
                va="center", fontweight="bold", annotation_clip=False)  # fmt: skip


def label_ends(
    ax: Axes, x: float | Sequence[float], ends: Sequence[float], looks: Iterable, gap: float
) -> None:
    """Name curves at their ends in their `labkit.looks.Look`, `gap` or more between two names.

    x: of all ends, or of each. gap: in units of the y axis, powers of ten of a logarithmic one.
    """
    scale = ax.yaxis.get_transform()
    heights = scale.inverted().transform(spread(scale.transform(ends), gap))
    for look, right, y in zip(looks, np.broadcast_to(x, len(heights)), heights, strict=True):
        label_end(ax, right, y, look.name, look.color)


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
    percent_ticks(ax.yaxis)


def percent_ticks(axis: Axis) -> None:
    """Shares as whole percents, at whole percents: matplotlib's own 42.5 would read as 42 or 43."""
    axis.get_major_locator().set_params(steps=[1, 2, 5, 10])
    axis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def place_ticks(axis: Axis, places: Sequence[float], labels: Sequence[str] | None = None) -> None:
    """Put ticks at `places` and leave the limits alone.

    `Axes.set_xticks` makes every tick at once, which takes 10 ms of a panel's frame.
    """
    axis.set_major_locator(FixedLocator(places))
    if labels is not None:
        axis.set_major_formatter(FixedFormatter(labels))


def log_ticks(ax: Axes, places: Sequence[float], labels: Sequence[str], base: float = 10) -> None:
    """A logarithmic x axis with ticks at `places` alone."""
    ax.set_xscale("log", base=base)
    ax.minorticks_off()
    place_ticks(ax.xaxis, places, labels)


def shorten(text: str, length: int = 15) -> str:
    """Words that somebody wrote, for a figure: its dollars would be mathematics."""
    shown = text if len(text) <= length else text[: length - 1].rstrip() + "…"
    return shown.replace("$", r"\$")
