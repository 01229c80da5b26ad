"""Figures as a page without a kernel keeps them: WebP, at the width of a laptop and of a phone.

`python -m labkit site` sets the environment variable WANTED in the kernel whose notebook it runs;
elsewhere only `drawn` is used, by every `style.Picture`.
"""

import base64
import io
import os
import textwrap
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import FancyBboxPatch
from matplotlib.text import Text
from PIL import Image

from labkit.ui.theme import INKS, dress

WANTED = "LABKIT_RECORD"
MIME = "application/vnd.labkit.recorded+json"
PHONE = 358  # CSS pixels: what a phone of 390 leaves a picture
LEAST_TEXT = 12  # CSS pixels on that phone
LEAST_POINTS = 11  # so that a figure can be 4.5 inches wide there
WIDE, SHARP = 1.0, 1.4  # pixels for a CSS pixel of a laptop, and of a phone
COLOURS = 4000  # a picture with more is a photograph to WebP


def wanted() -> bool:
    return bool(os.environ.get(WANTED))


def webp(rgba: np.ndarray) -> str:
    """(height, width, 4) uint8 as WebP, in base64: drawings by a palette, photographs lossy."""
    picture, buffer = Image.fromarray(rgba), io.BytesIO()
    if picture.getcolors(COLOURS) is None:
        picture.save(buffer, "webp", quality=70, alpha_quality=90, method=4)
    else:
        few = picture.quantize(256, Image.Quantize.FASTOCTREE).convert("RGBA")
        few.save(buffer, "webp", lossless=True, quality=60, method=4)
    return base64.b64encode(buffer.getvalue()).decode()


def drawn(
    fig: Figure, scale: float, themes: Iterable[str] = INKS, encode: Callable = webp
) -> list[Any]:
    """A figure in the ink of themes, `scale` pixels for each hundredth of an inch.

    It is laid out once: that takes longer than the ink.
    """
    fig.set_dpi(100 * scale)
    fit_titles(fig)
    found, engine = [], fig.get_layout_engine()
    fig.set_layout_engine("none")
    for theme in themes:
        canvas = FigureCanvasAgg(fig)
        fig.draw(dress(canvas.get_renderer(), theme))
        found.append(encode(np.asarray(canvas.buffer_rgba())))
    fig.set_layout_engine(engine or "none")
    return found


def still(fig: Figure, alt: str) -> dict:
    """A recording of one picture; the figure is narrow afterwards."""
    about = {"title": "", "width": round(100 * fig.get_figwidth()), "least": least(fig)}
    return about | {"controls": [], "frames": [both(fig) | {"alt": alt}], "states": {"": 0}}


def both(fig: Figure, phone: bool = True, themes: Iterable[str] = INKS) -> dict[str, list[str]]:
    """The pictures of a figure, wide and narrow, each for these themes.

    None is narrow where words would lie on one another, as in a schematic: a phone scrolls it.
    """
    frame, before = {"wide": drawn(fig, WIDE, themes)}, crowded(fig)
    boxes = any(isinstance(patch, FancyBboxPatch) for ax in fig.axes for patch in ax.patches)
    frame["narrow"] = narrow(fig, themes) if phone and not boxes else []
    if crowded(fig) > before:
        frame["narrow"] = []
    return frame


def least(fig: Figure) -> int:
    """CSS pixels that a figure must be wide for its smallest text to be read on a phone."""
    sizes = [text.get_fontsize() for text in texts_of(fig)]
    return round(100 * fig.get_figwidth() * LEAST_TEXT / (min(sizes, default=15) * 100 / 72))


def texts_of(fig: Figure) -> list[Text]:
    return [text for text in fig.findobj(Text) if text.get_visible() and text.get_text().strip()]


def crowded(fig: Figure) -> int:
    """How many pairs of an axes' own texts lay on one another when the figure was drawn."""
    texts = [text for ax in fig.axes for text in ax.texts if text.get_text().strip()]
    boxes = [text.get_window_extent().padded(-2) for text in texts]
    return sum(a.overlaps(b) for a, b in combinations(boxes, 2))


def narrow(fig: Figure, themes: Iterable[str] = INKS) -> list[str]:
    """Draw a figure for a phone: its axes in one column, its texts wrapped."""
    texts = texts_of(fig)
    for text in texts:
        text.set_fontsize(max(text.get_fontsize(), LEAST_POINTS))
    points = min((text.get_fontsize() for text in texts), default=LEAST_POINTS)
    inches = min(fig.get_figwidth(), PHONE * points / 72 / LEAST_TEXT)
    stack(fig, inches)
    for legend in fig.legends:
        names = [text.get_text() for text in legend.get_texts()]
        legend.remove()
        fig.legend(legend.legend_handles, names, loc="outside upper left", ncols=2, fontsize=12,
                   columnspacing=1, handletextpad=0.3)  # fmt: skip
    scale = SHARP * PHONE / (100 * inches)
    fig.set_dpi(100 * scale)
    for ax in fig.axes:
        wrap(ax.xaxis.label, fig.bbox.x1)
    return drawn(fig, scale, themes)


def stack(fig: Figure, inches: float) -> None:
    """One column of axes, in the order of reading, each as high as its content asks for."""
    own = [ax for ax in fig.axes if ax.get_subplotspec() is not None]
    heights = [height(ax, inches) for ax in own]
    if own and own[0].get_subplotspec().get_gridspec().ncols > 1:
        column = GridSpec(len(own), 1, figure=fig, height_ratios=heights)
        for ax, place in zip(own, column, strict=True):
            ax.set_subplotspec(place)
            if ax.axison and len(ax.get_shared_y_axes().get_siblings(ax)) > 1:
                ax.tick_params(axis="y", labelleft=True)  # its neighbour showed them
    fig.set_size_inches(inches, sum(heights) or inches)


def height(ax: Axes, inches: float) -> float:
    """Of an axes on a phone, with its title: a picture keeps its proportions, words their lines."""
    title = 0.35 * (1 + len(ax.get_title("left")) // 30) if ax.get_title("left") else 0.1
    if ax.get_aspect() == "auto":
        lines = [1 + label.get_text().count("\n") for label in ax.get_yticklabels()]
        rows = 0.28 * len(lines) * max(lines, default=0)
        return max(0.68 * inches, rows + 1.2) + title  # 1.2: legend, and the x axis
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    return inches * abs(high - low) / abs(right - left) * float(ax.get_aspect()) + title


def titles_of(ax: Axes) -> tuple[Text, Text, Text]:
    """The middle one, the left and the right; empty ones too."""
    return ax.title, ax._left_title, ax._right_title


def fit_titles(fig: Figure) -> None:
    """Lay out a figure, breaking titles that would reach the next axes or the figure's edge."""
    fig.draw_without_rendering()
    broken = False
    for ax in fig.axes:
        box = ax.bbox
        right = [o.x0 - 10 for o in (other.bbox for other in fig.axes)
                 if o.x0 > box.x1 and o.y0 < box.y1 and o.y1 > box.y0]  # fmt: skip
        for title in titles_of(ax):
            broken |= wrap(title, min([fig.bbox.x1, *right]) - max(box.x0, 0))
    if broken:
        fig.draw_without_rendering()


def wrap(text: Text, room: float) -> bool:
    """Break a text into lines of at most `room` pixels; whether it had to be."""
    before = text.get_text()
    said, most = before.replace("\n", " "), len(before)
    while most > 8 and (long := text.get_window_extent().width) > room:
        most = min(most - 1, int(most * room / long) + 1)
        text.set_text(textwrap.fill(said, most))
    return text.get_text() != before
