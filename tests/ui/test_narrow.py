"""Figures at a phone's width: text that can be read, nothing beside one another, nothing lost."""

import base64
import io
from itertools import pairwise

import pytest
from matplotlib.figure import Figure
from PIL import Image

from labkit.ui import narrow, schematic
from labkit.ui.style import Picture, figure, style


def drawn(columns: int) -> Figure:
    fig, axes = figure(1, columns, (6 * columns, 4), sharey=True, squeeze=False)
    for ax in axes[0]:
        ax.plot([1, 2], label="a curve")
        ax.set_title("A title that says in many words what these numbers say of the methods")
        ax.text(1, 1, "small", fontsize=7)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left")
    return fig


@pytest.mark.parametrize("columns", [1, 2, 4])
@style()
def test_texts_are_twelve_pixels_on_a_phone_and_lie_within_the_picture(columns) -> None:
    fig = drawn(columns)
    frame = narrow.both(fig)
    shown = narrow.PHONE / fig.get_figwidth() / 72  # CSS pixels for a point
    texts = narrow.texts_of(fig)
    assert min(text.get_fontsize() for text in texts) * shown >= narrow.LEAST_TEXT - 1e-6
    titles = [ax._left_title for ax in fig.axes]
    assert all(title.get_window_extent().x1 <= fig.bbox.x1 + 1 for title in titles)
    places = [ax.get_position() for ax in fig.axes]
    assert all(low.y0 > high.y1 for low, high in zip(places, places[1:], strict=False))
    pictures = [Image.open(io.BytesIO(base64.b64decode(part))) for part in frame["narrow"]]
    assert all(abs(p.width - narrow.PHONE * narrow.SHARP) < 2 for p in pictures)
    assert frame["narrow"][0] != frame["narrow"][1], "light and dark have inks of their own"


def test_a_schematic_is_scrolled_where_its_words_can_be_read() -> None:
    fig, ax = figure(size=(10, 3))
    schematic.prepare(ax, 10, 3)
    schematic.box(ax, (3, 1), "encoder")
    assert narrow.both(fig)["narrow"] == []
    assert narrow.least(fig) == pytest.approx(1000 * 12 / (13 * 100 / 72), abs=1)


def test_no_title_reaches_its_neighbour_or_the_edge():
    fig, axes = figure(1, 2, size=(8, 3))
    for ax in axes:
        ax.set_title("A title that is much longer than the axes below it are wide")
    Picture(fig, "Two empty axes.")
    fig.draw_without_rendering()
    one, two = (ax._left_title.get_window_extent() for ax in axes)
    assert one.x1 < axes[1].bbox.x0 and two.x1 <= fig.bbox.x1


def test_names_of_rows_do_not_lie_on_one_another_on_a_phone() -> None:
    fig, ax = figure(size=(12, 8))
    names = [f"row {i}\n(no labels)" for i in range(14)]
    ax.plot(range(14), range(14))
    ax.set_yticks(range(14), names)
    narrow.narrow(fig)
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert not any(one.overlaps(other) for one, other in pairwise(boxes))
