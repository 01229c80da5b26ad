"""A pure draw function in, pixels out, fast enough for a slider.

Nearly all of matplotlib's time goes into ticks, texts and the layout, which hardly ever change
while a slider moves. So the decorations of a frame's axes are compared with those of the frame
before: if they are the same, they come from a saved background, and only data, titles and legends
are drawn on top. Texts are kept as pixels (`TextKeepingRenderer`). A frame's figure is always a new
one, so that nothing leaks from one frame to the next: an empty figure is kept pickled, since
unpickling takes a third of the time of making one. Frames made either way are equal pixel for
pixel, and where matplotlib lacks what this needs, plain Agg draws them (tests/ui/test_raster.py).
"""

import pickle
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.spines import Spine
from matplotlib.text import Text
from matplotlib.transforms import Bbox, Transform

from labkit.ui.narrow import titles_of
from labkit.ui.renderer import TextKeepingRenderer, forget_clip_path, has_fast_path
from labkit.ui.style import RC, figure
from labkit.ui.theme import dress


class Place(NamedTuple):
    """A point of a figure, in the data coordinates of one of its axes."""

    axes: int
    x: float
    y: float


class ShownAxes(NamedTuple):
    bbox: Bbox
    transData: Transform  # from data to pixels, upwards


class Shown(NamedTuple):
    """All that is kept of a figure: where it and its axes lie, named as in matplotlib.

    The figure itself is garbage at once. If it lived until the next frame, the collector would put
    it among the old objects, and would soon look through all of those, which takes 200 ms.
    """

    bbox: Bbox
    axes: tuple[ShownAxes, ...]


class Canvas:
    """Draws results with `draw(axes, result)`."""

    def __init__(self, draw: Callable, rows: int = 1, columns: int = 1, size=(9, 4.5), scale=1.5):
        self.draw, self.rows, self.columns, self.size = draw, rows, columns, tuple(size)
        self.scale = scale  # pixels per CSS pixel; both may change from frame to frame
        self.theme = ""  # "light" or "dark", once a page has told its own
        self.fast = has_fast_path()
        self.hits = 0  # frames that reused the background
        self.shown = Shown(Bbox.unit(), ())  # the last frame, of which nothing is there yet
        self._drawn_for = self._renderer = None  # size, resolution and theme; RendererAgg
        self._original: Any = None  # a figure and its axes, empty, and the same pickled
        self._empty = b""
        self._background: Any = None
        self._signature: Any = None  # what the background depends on
        self._positions: list[Bbox] = []  # where the layout put its axes

    def render(self, result) -> np.ndarray:
        """Draw one frame: (height, width, 4) uint8."""
        if not self.fast:
            return self.render_fully(result)
        with rc_context({**RC, "axes.axisbelow": True}):
            fig, renderer = self._drawn(self._new_figure(), result)
            if not _can_split(fig):
                fig.draw(renderer)
            else:
                layout = fig.get_layout_engine().get()
                kept = self._background is not None
                if kept and (layout, self._place(fig, renderer)) == self._signature:
                    renderer.restore_region(self._background)
                    self.hits += 1
                else:
                    self._make_background(result)
                    self._signature = layout, self._place(fig, renderer)
                _draw_without(fig, renderer, _decorations(fig))
        return self._pixels(fig, renderer)

    def render_fully(self, result) -> np.ndarray:
        """Draw one frame from nothing: what `render` must equal."""
        with rc_context({**RC, "axes.axisbelow": True}):
            fig, renderer = self._drawn(figure(self.rows, self.columns, self.size), result)
            fig.draw(renderer)
        return self._pixels(fig, renderer)

    def locate(self, across: float, down: float) -> Place | None:
        """Where a click hit the frame that was drawn last; None outside all axes.

        across, down: shares of the picture's width and height, from its upper left corner.
        """
        width, height = self.shown.bbox.size
        pixel = (across * width, (1 - down) * height)
        for i, ax in enumerate(self.shown.axes):
            if ax.bbox.contains(*pixel):
                return Place(i, *map(float, ax.transData.inverted().transform(pixel)))
        return None

    def _new_figure(self) -> tuple[Figure, Any]:
        """An empty figure: the original's copy.

        In a copy, a transform knows those that depend on it by the ids that they had in the
        original (matplotlib 3.11). Were the original gone, a new transform could get such an id,
        take the old one's place, and some label would stay where it was before the layout.
        """
        if not self._empty:
            self._original = figure(self.rows, self.columns, self.size)
            self._empty = pickle.dumps(self._original)
        return pickle.loads(self._empty)

    def _drawn(self, new: tuple[Figure, Any], result) -> tuple[Figure, RendererAgg]:
        """A new figure, with `result` in its axes, and the renderer, empty."""
        fig, axes = new
        fig.set_dpi(100 * self.scale)
        renderer = self._cleared_renderer(fig)
        self.draw(axes, result)
        for ax in fig.axes:
            for title in titles_of(ax):
                if "\n" not in title.get_text():
                    title.set_linespacing(1)  # else as high as its letters, and the layout with it
            if ax.get_axisbelow() is True:  # under images too, so that a background can hold it
                ax.xaxis.set_zorder(-1)
                ax.yaxis.set_zorder(-1)
        return fig, renderer

    def _cleared_renderer(self, fig: Figure) -> RendererAgg:
        """The renderer stays: by it matplotlib remembers how wide a text is."""
        drawn_for = (*fig.bbox.size, fig.dpi, self.theme)
        if drawn_for != self._drawn_for:
            self._drawn_for, kind = drawn_for, TextKeepingRenderer if self.fast else RendererAgg
            self._renderer = dress(kind(*drawn_for[:3]), self.theme)
        (found := self._renderer).clear()
        forget_clip_path(found)
        FigureCanvasAgg(fig).get_renderer = lambda: found  # texts and the layout ask for it
        return found

    def _make_background(self, result) -> None:
        fig, renderer = self._drawn(self._new_figure(), result)
        fig.get_layout_engine().execute(fig)
        fig.set_layout_engine("none")
        self._positions = [ax.get_position(original=True) for ax in fig.axes]
        children = {artist for ax in fig.axes for artist in ax.get_children()}
        _draw_without(fig, renderer, children - _decorations(fig))
        self._background = renderer.copy_from_bbox(fig.bbox)

    def _place(self, fig: Figure, renderer: RendererAgg) -> Any:
        """Put the axes where the background has them; return what must then be as it was there."""
        fig.set_layout_engine("none")
        for ax, position in zip(fig.axes, self._positions, strict=False):
            ax.set_position(position)
            ax.apply_aspect()
        axes = [_axes_signature(ax, renderer) for ax in fig.axes]
        return fig.dpi, self.theme, fig.patch.get_facecolor(), axes

    def _pixels(self, fig: Figure, renderer: RendererAgg) -> np.ndarray:
        axes = (ShownAxes(ax.bbox.frozen(), ax.transData.frozen()) for ax in fig.axes)
        self.shown = Shown(fig.bbox.frozen(), tuple(axes))
        return np.array(renderer.buffer_rgba())


# Backgrounds


def _decorations(fig: Figure) -> set[Artist]:
    """What the background holds."""
    return {fig.patch, *(own for ax in fig.axes for own in (ax.patch, ax.xaxis, ax.yaxis))}


def _draw_without(fig: Figure, renderer: RendererAgg, hidden: Iterable[Artist]) -> None:
    visible = [artist for artist in hidden if artist.get_visible()]
    for artist in visible:
        artist.set_visible(False)
    fig.draw(renderer)
    for artist in visible:
        artist.set_visible(True)


def _can_split(fig: Figure) -> bool:
    """Whether data can be drawn after all axis decorations without changing a pixel."""
    layout, children = fig.get_layout_engine(), fig.get_children()
    if not isinstance(layout, ConstrainedLayoutEngine) or len(children) != 1 + len(fig.axes):
        return False  # places of one's own, or a title over all axes
    return all(
        ax.get_in_layout()
        and ax.get_subplotspec() is not None  # colour bars, insets and twins overlap or share space
        and not ax.child_axes
        and ax.get_subplotspec().get_gridspec() is fig.axes[0].get_subplotspec().get_gridspec()
        and len(ax.get_shared_x_axes().get_siblings(ax)) == 1
        and len(ax.get_shared_y_axes().get_siblings(ax)) == 1
        and (ax.get_axisbelow() is True or not ax.axison)
        and not (ax.get_aspect() != "auto" and ax.get_adjustable() == "datalim")
        and ax.xaxis.get_ticks_position() == "bottom"  # ticks or an offset on top push the title
        and ax.xaxis.get_label_position() == "bottom"
        and not _offset_text(ax.yaxis)
        and all(a.get_zorder() >= 0 for a in ax.get_children() if not isinstance(a, Axis))
        for ax in fig.axes
    )


def _offset_text(axis: Axis) -> str:
    axis.get_major_formatter().set_locs(axis.get_majorticklocs())
    return axis.get_major_formatter().get_offset()


def _get(artist: Artist, names: str) -> list:
    return [getattr(artist, f"get_{name}")() for name in names.split()]


def _axes_signature(ax: Axes, renderer: RendererAgg) -> Any:
    """All that the axes' background and the layout depend on, to be compared with ==."""
    titles = [title for title in titles_of(ax) if title.get_text()]
    return (
        ax.axison,
        _get(ax.patch, "facecolor edgecolor linewidth hatch"),
        _get(ax, "frame_on visible aspect box_aspect anchor"),
        [_get(title, "fontsize visible") for title in titles],
        [round(title.get_window_extent(renderer).height, 1) for title in titles],
        [_get(spine, "visible position") for spine in ax.spines.values()],
        _overflow(ax, renderer),
        [_axis_signature(axis) for axis in (ax.xaxis, ax.yaxis)],
    )


def _axis_signature(axis: Axis) -> Any:
    return (
        _get(axis, "visible scale ticks_position label_position"),
        (axis.labelpad, tuple(axis.get_view_interval()), _offset_text(axis)),
        axis.get_transform().transform(np.asarray(axis.get_majorticklocs(), dtype=float)).tolist(),
        (_text_signature(axis.label), axis.label.get_position()),
        [_tick_signature(axis, which) for which in ("major", "minor")],
    )


def _tick_signature(axis: Axis, which: str) -> Any:
    ticker = axis.major if which == "major" else axis.minor
    locations = list(ticker.locator())
    made = vars(axis).get(f"{which}Ticks", [])  # only there if draw() asked for single ticks
    single = [
        [*map(_text_signature, (t.label1, t.label2)), _get(t.tick1line, "color visible markersize"),
         _get(t.gridline, "visible color linewidth linestyle")]
        for t in made
    ]  # fmt: skip
    labels = ticker.formatter.format_ticks(locations)
    return locations, labels, repr(axis.get_tick_params(which)), single


def _text_signature(text: Text) -> Any:
    font = hash(text.get_fontproperties())
    return font, _get(text, "text color alpha visible rotation ha va bbox_patch")  # of each its own


def _overflow(ax: Axes, renderer: RendererAgg) -> Any:
    """How far direct labels and legends stick out of the axes: the layout makes room for them."""
    out = np.zeros(4)
    titles = set(titles_of(ax))
    for artist in ax.get_default_bbox_extra_artists():
        if isinstance(artist, (Axis, Spine)) or artist in titles or artist is ax.patch:
            continue
        box = artist.get_tightbbox(renderer)
        if box is not None and np.isfinite(box.extents).all() and box.width and box.height:
            out = np.maximum(out, [*(ax.bbox.min - box.min), *(box.max - ax.bbox.max)])
    return out.round(1).tolist()
