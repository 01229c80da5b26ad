"""matplotlib's renderer, made to remember texts: nothing else in a panel takes so long to draw."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg

KEPT_TEXTS = 2000  # a few MB at most


class TextMask(NamedTuple):
    """The pixels of a text, and where its first one lies from the text's origin."""

    coverage: np.ndarray  # (height, width) uint8
    right: int
    below: int  # of the lower edge


class TextKeepingRenderer(RendererAgg):
    """Draws a text it has drawn before by copying its pixels, at whole pixels.

    Shaping a text and drawing its glyphs takes matplotlib a millisecond, and most texts of a frame
    were in one before.
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
            self._masks[key] = self._mask(s, prop, mtext)
        mask = self._masks[key]
        left, bottom = round(x) + mask.right, round(y) + mask.below
        self._renderer.draw_text_image(mask.coverage, left, bottom, 0, gc)

    def _mask(self, s: str, prop, mtext) -> TextMask:
        width, height, _ = self.get_text_width_height_descent(s, prop, False)
        room = math.ceil(height)  # letters may lean out of the box that the font reports
        alone = RendererAgg(math.ceil(width) + 2 * room, 3 * room, self.dpi)
        alone.draw_text(alone.new_gc(), room, 2 * room, s, prop, 0, mtext=mtext)
        inked = np.asarray(alone.buffer_rgba())[..., 3]
        rows, columns = (inked.any(axis=axis).nonzero()[0] for axis in (1, 0))
        if not len(rows):
            return TextMask(np.zeros((1, 1), np.uint8), 0, 0)
        coverage = inked[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
        return TextMask(coverage, columns[0] - room, rows[-1] + 1 - 2 * room)
