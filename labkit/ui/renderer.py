"""A renderer of matplotlib's for frame after frame: it keeps texts, and forgets clip paths."""

import warnings
from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends import backend_agg
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform, TransformedPath

KEPT_TEXTS = 2000  # a few MB at most
NOWHERE = TransformedPath(Path(np.zeros((3, 2))), IdentityTransform())


class TextMask(NamedTuple):
    """The pixels of a text, and where its first one lies from the text's origin."""

    coverage: np.ndarray  # (height, width) uint8
    right: int
    below: int  # of the lower edge


class TextKeepingRenderer(RendererAgg):
    """Draws a text it has drawn before by copying its pixels, at whole pixels.

    Most texts of a frame were in one before. A new one is drawn as a whole, which takes a fifth of
    the time that `RendererAgg` takes glyph by glyph; a letter may lie a fraction of a pixel to the
    left of where that would put it.
    """

    def __init__(self, width: float, height: float, dpi: float) -> None:
        super().__init__(width, height, dpi)
        self._masks: dict[tuple[str, int], TextMask] = {}

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None) -> None:
        if ismath or angle or not s.strip() or _has_own_look(gc, mtext):
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        key = (s, hash(prop))
        if key not in self._masks:
            if len(self._masks) >= KEPT_TEXTS:
                self._masks.clear()
            self._masks[key] = self._mask(s, prop)
        mask = self._masks[key]
        left, bottom = round(x) + mask.right, round(y) + mask.below
        self._renderer.draw_text_image(mask.coverage, left, bottom, 0, gc)

    def _mask(self, s: str, prop) -> TextMask:
        font = self._prepare_font(prop)
        font.set_text(s, 0, flags=backend_agg.get_hinting_flag())
        right, up = font.get_bitmap_offset()  # in 64ths of a pixel, like the descent
        below = font.get_descent() - up
        font.draw_glyphs_to_bitmap()
        return TextMask(np.array(font.get_image()), right // 64, round(below / 64) + 1)


def _has_own_look(gc: GraphicsContextBase, text: Text | None) -> bool:
    """Whether more than its letters and its font decides what a text looks like."""
    asked = [getattr(text, f"get_{name}", None) for name in ("fontfeatures", "language")]  # 3.11 on
    return not gc.get_antialiased() or any(get and get() for get in asked)


@cache
def has_fast_path() -> bool:
    """Whether this matplotlib still has the private parts that keeping texts needs."""
    renderer = TextKeepingRenderer(30, 30, 72)
    try:
        renderer.draw_text(renderer.new_gc(), 5, 20, "x", FontProperties(), 0)
    except (AttributeError, TypeError) as problem:
        warnings.warn(f"panels are slower with this matplotlib: {problem}", stacklevel=2)
        return False
    return True


def forget_clip_path(renderer: RendererAgg) -> None:
    """Let the renderer's next clip path be drawn anew.

    Agg keeps the last one's mask for as long as vertices lie at the same address, and another
    frame's may come to lie there.
    """
    graphics = renderer.new_gc()
    graphics.set_clip_path(NOWHERE)
    renderer.draw_path(graphics, Path(np.zeros((2, 2))), IdentityTransform())
