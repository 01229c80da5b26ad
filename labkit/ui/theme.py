"""Ink per theme: the renderer has the last word, so that no figure need know its page.

A figure is drawn in `INK` and in colours that stand out on every page (3:1). `dress` makes a
renderer draw the ink near black on a light page and near white on a dark one, and coloured text
darker or lighter, in its own hue, where it lacks the 4.5:1 that text needs (WCAG 2.2, 1.4.3).
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb

INK = "#7b7b7b"  # text and axes, where the page is unknown: 4.2:1 on white, 4.5:1 on #111
INKS = {"light": "#1c1c1c", "dark": "#ececec"}
LUMINANCE = {"light": (0.0, 0.18), "dark": (0.21, 1.0)}  # of text with 4.5:1 on white, on #111
COLOURS = {  # method of a renderer -> which of its arguments after the first are colours
    "draw_text": (), "draw_path": (2,), "draw_markers": (4,), "draw_path_collection": (5, 6),
}  # fmt: skip


@lru_cache(maxsize=4096)
def seen(color: tuple[float, ...], theme: str, text: bool = False) -> tuple[float, ...]:
    """An RGB or RGBA colour as `theme` shows it; its alpha stays."""
    rgb = np.array(color[:3])
    if np.allclose(rgb, to_rgb(INK), atol=1e-3):
        return (*to_rgb(INKS[theme]), *color[3:])
    light = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)  # IEC 61966-2-1
    now = light @ [0.2126, 0.7152, 0.0722]
    least, most = LUMINANCE[theme]
    if not text or least <= now <= most:
        return color
    light = light * most / now if now > most else light + (1 - light) * (least - now) / (1 - now)
    back = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return (*map(float, back), *color[3:])


def dress(renderer: Any, theme: str) -> Any:
    """Make a renderer of matplotlib's draw for a theme ("light", "dark"; "" leaves it alone)."""
    for name, places in COLOURS.items() if theme else ():
        setattr(renderer, name, partial(_draw, getattr(renderer, name), places, theme))
    return renderer


def _draw(plain: Callable, places: tuple[int, ...], theme: str, gc, *rest, **options) -> None:
    gc.set_foreground(seen(tuple(gc.get_rgb()), theme, not places), isRGBA=True)
    rest = [_seen(part, theme) if i in places else part for i, part in enumerate(rest)]
    plain(gc, *rest, **options)


def _seen(color: Any, theme: str) -> Any:
    """One colour, rows of them, or none."""
    if color is None or isinstance(color, tuple):
        return color and seen(color, theme)
    return np.array([seen(tuple(row), theme) for row in color]).reshape(-1, 4)
