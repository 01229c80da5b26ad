"""Schematics: what they say is drawn, within the picture, and frozen parts look frozen."""

import numpy as np
import pytest
from matplotlib.patches import FancyBboxPatch

from labkit import figures, plots
from labkit.ui.schematic import box

IMAGE = np.zeros((3, 8, 8), np.uint8)
DRAWN = {
    "simclr": lambda ax: plots.draw_simclr(ax, IMAGE, [IMAGE, IMAGE]),
    "clip": lambda ax: plots.draw_clip(ax, np.stack([IMAGE] * 3), ["a", "b", "c"]),
    "task": lambda ax: plots.draw_task(ax, np.stack([IMAGE] * 5), np.stack([IMAGE] * 3)),
    "network": lambda ax: figures.draw_network(ax, IMAGE, "cat", ("head",), "#0078bb", "LP"),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_every_word_stands_within_the_picture(draw) -> None:
    fig, ax = plots.figure(size=(10, 4))
    draw(ax)
    fig.canvas.draw()
    for text in ax.texts:
        place = text.get_window_extent()
        assert place.x0 >= fig.bbox.x0 - 2 and place.x1 <= fig.bbox.x1 + 2, text.get_text()
        assert place.y0 >= fig.bbox.y0 - 2 and place.y1 <= fig.bbox.y1 + 2, text.get_text()


def test_what_is_frozen_has_a_dashed_edge() -> None:
    _, ax = plots.figure()
    box(ax, (1, 1), "trains")
    box(ax, (4, 1), "frozen", trains=False)
    edges = [p for p in ax.patches if isinstance(p, FancyBboxPatch) and p.get_edgecolor()[3] > 0]
    dashed = [edge.get_linestyle() != "-" for edge in edges if edge.get_facecolor()[3] == 0]
    assert dashed == [False, True]


def test_the_network_says_which_part_trains() -> None:
    _, ax = plots.figure()
    figures.draw_network(ax, IMAGE, "cat", ("head",), "#0078bb")
    said = [text.get_text() for text in ax.texts]
    assert "encoder $B$\nfrozen" in said and "head $v$\ntrains" in said
