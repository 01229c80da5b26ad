"""A pure draw function in, pixels out, fast enough for a slider.

Nearly all of matplotlib's time goes into ticks, tick labels and the layout, which hardly ever
change while a slider moves. So every frame gets a fresh figure, whose axis decorations are compared
with those of the frame before. If they are the same, they come from a saved background, and only
the data, titles and legends are drawn on top. Fresh, so that nothing can leak from one frame to the
next: an empty figure is made once and kept pickled, since unpickling takes a third of the time of
making one, and less than clearing an old one. The renderer stays: by it matplotlib remembers how
wide a text is, and it keeps the pixels of each text (`TextKeepingRenderer`).
Frames made either way are equal pixel for pixel (tests/ui/test_panel.py).
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from isal import isal_zlib
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.spines import Spine
from matplotlib.text import Text

from labkit import plots
from labkit.ui.renderer import TextKeepingRenderer


class Place(NamedTuple):
    """A point of a figure, in the data coordinates of one of its axes."""

    axes: int
    x: float
    y: float


class Canvas:
    """Draws results with `draw(axes, result)`."""

    def __init__(self, draw: Callable, rows: int = 1, columns: int = 1, size=(9, 4.5), scale=1.5):
        self.draw, self.rows, self.columns, self.size = draw, rows, columns, tuple(size)
        self.scale = scale  # pixels per CSS pixel; may change from frame to frame
        self._empty = b""  # a figure and its axes, pickled
        self._signature: Any = None
        self._positions: list = []
        self._text_positions: list = []
        self._background: Any = None
        self._renderer: TextKeepingRenderer | None = None
        self.hits = 0  # frames that reused the background
        self.shown: Figure | None = None  # the last frame's

    def render(self, result) -> np.ndarray:
        """Draw one frame, reusing the background where it is the same. (height, width, 4) uint8."""
        with self._style():
            fig, renderer = self._drawn(*self._new_figure(), result)
            if not _can_split(fig):
                fig.draw(renderer)
            elif not self._restore_background(fig, renderer):
                self._make_background(fig, renderer, result)
                self._draw_foreground(fig, renderer)
            else:
                self.hits += 1
                self._draw_foreground(fig, renderer)
        self.shown = fig
        return np.array(renderer.buffer_rgba())

    def locate(self, across: float, down: float) -> Place | None:
        """Where a click hit the frame that `render` drew last; None outside all axes.

        across, down: shares of the picture's width and height, from its upper left corner.
        """
        if self.shown is None:
            return None
        width, height = self.shown.bbox.size
        pixel = (across * width, (1 - down) * height)
        for i, ax in enumerate(self.shown.axes):
            if ax.bbox.contains(*pixel):
                return Place(i, *map(float, ax.transData.inverted().transform(pixel)))
        return None

    def render_fully(self, result) -> np.ndarray:
        """Draw one frame from nothing: what `render` must equal."""
        with self._style():
            fig, renderer = self._drawn(*self._made_figure(), result)
            fig.draw(renderer)
        return np.array(renderer.buffer_rgba())

    def _style(self):
        return rc_context({**plots.RC, "axes.axisbelow": True})

    def _made_figure(self) -> tuple[Figure, Any]:
        return plots.figure(self.rows, self.columns, self.size)

    def _new_figure(self) -> tuple[Figure, Any]:
        self._empty = self._empty or pickle.dumps(self._made_figure())
        return pickle.loads(self._empty)

    def _drawn(self, fig: Figure, axes, result) -> tuple[Figure, RendererAgg]:
        fig.set_dpi(100 * self.scale)
        renderer = self._cleared_renderer(fig)
        self.draw(axes, result)
        for text in (*fig.texts, *(title for ax in fig.axes for title in _titles(ax))):
            if "\n" not in text.get_text():
                text.set_linespacing(1)  # else as high as its letters, and the layout with it
        for ax in fig.axes:
            if ax.get_axisbelow() is True:  # under images too, so that a background can hold it
                ax.xaxis.set_zorder(-1)
                ax.yaxis.set_zorder(-1)
        return fig, renderer

    def _cleared_renderer(self, fig: Figure) -> TextKeepingRenderer:
        width, height = fig.bbox.size
        found = self._renderer
        if found is None or (found.width, found.height, found.dpi) != (width, height, fig.dpi):
            found = self._renderer = TextKeepingRenderer(width, height, fig.dpi)
        found.clear()
        FigureCanvasAgg(fig).get_renderer = lambda: found  # texts and the layout ask for it
        return found

    def _restore_background(self, fig: Figure, renderer: RendererAgg) -> bool:
        if self._background is None:
            return False
        engine = fig.get_layout_engine()
        defaults = [ax.get_position(original=True) for ax in fig.axes]
        fig.set_layout_engine("none")
        _place(fig, self._positions)
        if _signature(fig, renderer) == self._signature:
            for text, position in zip(fig.texts, self._text_positions, strict=True):
                text.set_position(position)
            renderer.restore_region(self._background)
            return True
        _place(fig, defaults)
        fig.set_layout_engine(engine)
        return False

    def _make_background(self, fig: Figure, renderer: RendererAgg, result) -> None:
        fig.get_layout_engine().execute(fig)
        fig.set_layout_engine("none")
        self._positions = [ax.get_position(original=True) for ax in fig.axes]
        self._text_positions = [text.get_position() for text in fig.texts]  # a title over all axes
        probe, probe_renderer = self._drawn(*self._new_figure(), result)  # the layout changed fig's
        probe.set_layout_engine("none")
        _place(probe, self._positions)
        self._signature = _signature(probe, probe_renderer)
        _draw_without(fig, renderer, list(_dynamic(fig)))
        self._background = renderer.copy_from_bbox(fig.bbox)

    def _draw_foreground(self, fig: Figure, renderer: RendererAgg) -> None:
        _draw_without(fig, renderer, list(_static(fig)))


def png(rgba: np.ndarray) -> bytes:
    """Encode (height, width, 4) uint8 as PNG: unfiltered rows, and ISA-L's zlib at level 1.

    A picture of 900 x 540 takes .8 ms; with Python's zlib 5 ms, and with Pillow, which chooses row
    filters, 2.5 times that.
    """
    height, width = rgba.shape[:2]
    rows = np.zeros((height, 1 + 4 * width), np.uint8)  # each row begins with filter type 0
    rows[:, 1:] = rgba.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", isal_zlib.compress(rows, 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", isal_zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _static(fig: Figure) -> Iterator[Artist]:
    for ax in fig.axes:
        yield from (ax.patch, ax.xaxis, ax.yaxis)


def _dynamic(fig: Figure) -> Iterator[Artist]:
    static = set(_static(fig))
    for parent in (fig, *fig.axes):
        yield from (a for a in parent.get_children() if a not in static and a not in fig.axes)


def _draw_without(fig: Figure, renderer: RendererAgg, hidden: list[Artist]) -> None:
    hidden = [artist for artist in hidden if artist.get_visible()]
    for artist in hidden:
        artist.set_visible(False)
    fig.draw(renderer)
    for artist in hidden:
        artist.set_visible(True)


def _place(fig: Figure, positions: list) -> None:
    for ax, position in zip(fig.axes, positions, strict=True):
        ax.set_position(position)
        ax.set_in_layout(True)  # set_position takes the axes out of the layout
        ax.apply_aspect()


def _can_split(fig: Figure) -> bool:
    """Whether data can be drawn after all axis decorations without changing a pixel."""
    return all(
        ax.get_subplotspec() is not None  # colour bars, insets and twins overlap or share space
        and not ax.child_axes
        and ax.get_subplotspec().get_gridspec() is fig.axes[0].get_subplotspec().get_gridspec()
        and len(ax.get_shared_x_axes().get_siblings(ax)) == 1
        and len(ax.get_shared_y_axes().get_siblings(ax)) == 1
        and (ax.get_axisbelow() is True or not ax.axison)
        and not (ax.get_aspect() != "auto" and ax.get_adjustable() == "datalim")
        and ax.xaxis.get_ticks_position() == "bottom"  # ticks or an offset on top push the title
        and ax.xaxis.get_label_position() == "bottom"
        and not _offset_text(ax.yaxis)
        and all(
            artist.get_zorder() >= 0
            for artist in ax.get_children()
            if artist.axes is ax and not isinstance(artist, Axis)
        )
        for ax in fig.axes
    )


def _offset_text(axis: Axis) -> str:
    axis.get_major_formatter().set_locs(axis.get_majorticklocs())
    return axis.get_major_formatter().get_offset()


def _signature(fig: Figure, renderer: RendererAgg) -> Any:
    """All that the background and the layout depend on, to be compared with ==."""
    loose = [a for a in fig.get_children() if a is not fig.patch and a not in fig.axes]
    texts = [(text.get_text() == "", _text_room(text, renderer)) for text in fig.texts]
    boxes = [_rounded(a.get_tightbbox(renderer).size) for a in loose if a not in fig.texts]
    return fig.dpi, texts, boxes, [_axes_signature(ax, renderer) for ax in fig.axes]


def _text_room(text: Text, renderer: RendererAgg) -> Any:
    """The layout keeps room for a title's height; its width does not matter."""
    box = text.get_window_extent(renderer)
    return _rounded(box.size[text.get_rotation() == 0 :])


def _titles(ax) -> list[Text]:
    return [ax.title, ax._left_title, ax._right_title]  # no public way to the left one


def _axes_signature(ax, renderer: RendererAgg) -> Any:
    titles = _titles(ax)
    return (
        (ax.axison, ax.get_frame_on(), ax.get_visible(), ax.patch.get_facecolor()),
        (ax.get_aspect(), ax.get_box_aspect(), ax.get_anchor()),
        [
            (t.get_fontsize(), _rounded([t.get_window_extent(renderer).height]), t.get_visible())
            for t in titles
            if t.get_text()
        ],
        [(s.get_visible(), s.get_position()) for s in ax.spines.values()],
        _overflow(ax, renderer, titles),
        _axis_signature(ax.xaxis),
        _axis_signature(ax.yaxis),
    )


def _axis_signature(axis: Axis) -> Any:
    return (
        axis.get_visible(), axis.get_scale(), tuple(axis.get_view_interval()),
        axis.get_ticks_position(), axis.get_label_position(), axis.labelpad,
        _text_signature(axis.label), axis.label.get_position(), _offset_text(axis),
        _tick_signature(axis, "major"), _tick_signature(axis, "minor"),
    )  # fmt: skip


def _tick_signature(axis: Axis, which: str) -> Any:
    ticker = axis.major if which == "major" else axis.minor
    locations = list(ticker.locator())
    made = vars(axis).get(f"{which}Ticks", [])  # only there if draw() asked for single ticks
    single = [
        (
            _text_signature(t.label1),
            _text_signature(t.label2),
            t.tick1line.get_color(),
            t.tick1line.get_visible(),
            t.gridline.get_visible(),
        )
        for t in made
    ]
    labels = ticker.formatter.format_ticks(locations)
    return locations, labels, repr(axis.get_tick_params(which)), single


def _text_signature(text: Text) -> Any:
    return (
        text.get_text(),
        text.get_color(),
        text.get_alpha(),
        text.get_visible(),
        hash(text.get_fontproperties()),
        text.get_rotation(),
        text.get_ha(),
        text.get_va(),
    )


def _overflow(ax, renderer: RendererAgg, titles: list) -> Any:
    """How far direct labels and legends stick out of the axes: the layout makes room for them."""
    out = np.zeros(4)
    for artist in ax.get_default_bbox_extra_artists():
        if isinstance(artist, (Axis, Spine)) or artist in titles or artist is ax.patch:
            continue
        box = artist.get_tightbbox(renderer)
        if box is not None and np.isfinite(box.extents).all() and box.width and box.height:
            out = np.maximum(out, [*(ax.bbox.min - box.min), *(box.max - ax.bbox.max)])
    return _rounded(out)


def _rounded(numbers) -> tuple[float, ...]:
    return tuple(round(float(number), 1) for number in numbers)
