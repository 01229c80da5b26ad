"""Figures: readable on light, on dark and without colour vision, and told in words."""

import base64
import html
import io
import math
import re

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from looks import BACKGROUNDS, EYES, check_looks, contrast, lab, linear
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from PIL import Image

from labkit.failure import figures as failure
from labkit.looks import LOOKS
from labkit.meta import figures as meta
from labkit.ui import images, raster, style, theme
from labkit.ui.style import INK, Picture, spread


def test_the_measures_know_their_fixed_points() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WebAIM's checker
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=0.02)
    assert lab(linear("#ff0000")) == pytest.approx([53.2, 80.1, 67.2], abs=0.1)
    for eyes in EYES.values():
        assert eyes.sum(axis=1) == pytest.approx(1, abs=1e-5), "grey stays grey"


def test_methods_read_on_light_and_on_dark_and_can_be_told_apart() -> None:
    check_looks(LOOKS)
    for own in (INK, images.OWN):
        assert min(contrast(own, background) for background in BACKGROUNDS) >= 3


def test_a_method_s_colour_means_nothing_else() -> None:
    """Frames, the landscape's tasks, shifts, what encoders ignore, and confidence."""
    shown = [*meta.TASKS, *failure.KINDS.values(), *failure.ENCODERS.values()]
    others = {images.OWN, failure.SURE, *(color for *_, color, _ in shown)}
    assert len(others) == 12 and not others & {look.color for look in LOOKS.values()}


@pytest.mark.parametrize(("name", "page"), [*zip(theme.INKS, BACKGROUNDS, strict=True)])
def test_ink_and_coloured_text_have_the_contrast_that_text_needs(name, page) -> None:
    """WCAG 2.2, 1.4.3; near black or near white, and every method's name in its own hue."""
    assert contrast(to_hex(theme.seen(to_rgb(INK), name)), page) > 15
    for color in {images.OWN, *(look.color for look in LOOKS.values())}:
        text = to_hex(theme.seen(to_rgb(color), name, text=True))
        assert contrast(text, page) >= 4.5, (color, text)
        hues = {int(np.argmax(to_rgb(one))) for one in (text, color)}
        assert len(hues) == 1 or color == LOOKS["scratch"].color
        assert to_hex(theme.seen(to_rgb(color), name)) == color, "marks stay as they are"


@pytest.mark.parametrize("theme_", ["light", "dark"])
@pytest.mark.parametrize("fully", [False, True])
def test_a_frame_has_the_ink_of_its_page_in_lines_texts_and_collections(theme_, fully) -> None:
    def draw(ax, color) -> None:
        ax.plot([0, 1], [0, 1], "-o", color=color, lw=9)
        ax.hlines([0.2], 0, 1, color=color, lw=9)
        ax.set_title("Ink")

    canvas = raster.Canvas(draw, size=(3, 2))
    canvas.render(INK)
    canvas.theme = theme_
    for _ in range(2):  # the second time by its background
        frame = canvas.render_fully(INK) if fully else canvas.render(INK)
        shown = frame[frame[..., 3] == 255][:, :3]
        ink, count = (255 * np.array(to_rgb(theme.INKS[theme_]))).round(), len(shown)
        assert (abs(shown - ink).max(axis=1) <= 1).sum() > 0.95 * count > 1000


def test_the_style_ends_with_its_block() -> None:
    before = dict(matplotlib.rcParams)
    with style.style():
        assert matplotlib.rcParams["text.color"] == INK
    assert dict(matplotlib.rcParams) == before


ALT = """Accuracy "rises" <b>fast</b> & 'far' > 50.5 %. It ends there."""


def test_a_picture_is_a_png_with_escaped_alternative_text() -> None:
    fig, ax = style.figure(size=(3, 2))
    ax.plot([0, 1], [0, 1])
    bundle, _ = Picture(fig, ALT)._repr_mimebundle_()
    image = dict(re.findall(r'(\w+)="([^"]*)"', bundle["text/html"].partition("<p ")[0]))
    assert image["alt"] == html.escape(ALT, quote=True)
    said = re.search(r"<p[^>]*>(.*)</p>", bundle["text/html"])[1]
    assert html.unescape(said) == ALT.removesuffix(" It ends there."), "a sentence to be seen"
    assert bundle["text/plain"] == ALT
    assert image["class"] == "labkit-dark", "the second of the twins"
    light = re.search(r'class="labkit-light" src="([^"]*)"', bundle["text/html"])
    assert light[1] == f"data:image/png;base64,{bundle['image/png']}" != image["src"]
    with Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))) as png:
        png.load()
        assert (png.format, png.size) == ("PNG", (450, 300))
        assert png.convert("RGBA").getpixel((0, 0))[3] == 0, "transparent on any page"
    assert image["width"] == "300"


@pytest.mark.parametrize("alt", ["", " \n"])
def test_a_picture_without_words_is_refused(alt) -> None:
    with pytest.raises(ValueError, match="alt: got an empty text"):
        Picture(style.figure(size=(1, 1))[0], alt)


VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@given(VALUES, st.floats(0.001, 0.2))
def test_spread_keeps_order_and_gaps_and_the_mean(values, gap) -> None:
    places = spread(values, gap)
    order = np.argsort(values, kind="stable")
    assert (np.diff(places[order]) >= gap - 1e-6).all()
    assert places.mean() == pytest.approx(np.mean(values), abs=1e-6)


@given(VALUES, st.floats(0, 0.2))
def test_spread_moves_nothing_that_is_far_enough_apart(values, gap) -> None:
    apart = np.cumsum(np.asarray(values) + gap + 1e-9)
    for order in (slice(None), slice(None, None, -1)):
        assert (spread(apart[order], gap) == apart[order]).all()


def test_two_equal_values_part_evenly() -> None:
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([0.52, 0.5], 0.1) == pytest.approx([0.56, 0.46])


@pytest.mark.parametrize("low, high", [(0, 1), (0, 0.7), (0.35, 0.5), (0.4, 0.6), (0.33, 0.48)])
def test_percents_stand_where_they_say(low, high) -> None:
    _, ax = style.figure()
    style.percent_axis(ax, low, high)
    places = ax.yaxis.get_majorticklocs()
    said = ax.yaxis.major.formatter.format_ticks(places)
    assert [float(text.rstrip("%")) / 100 for text in said] == pytest.approx(list(places))


def test_placed_ticks_are_those_of_matplotlib() -> None:
    drawn = []
    for place in (
        lambda ax: ax.set_xticks([1, 3, 10], ["a", "b", "c"]),
        lambda ax: style.place_ticks(ax.xaxis, [1, 3, 10], ["a", "b", "c"]),
    ):
        fig, ax = style.figure()
        ax.set(xscale="log", xlim=(0.5, 20))
        place(ax)
        drawn.append(Picture(fig, "ticks").pngs)
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("columns", [0, 1, 2, 5])
def test_images_are_drawn_in_a_grid_each_with_its_title(columns) -> None:
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 3, 8, 8), np.uint8)
    fig, ax = style.figure()
    corners = images.draw_images(ax, pictures, [f"title {i}" for i in range(5)], columns)
    Picture(fig, "drawn for real: a warning is an error")
    (mosaic,) = (shown.get_array() for shown in ax.images)
    assert len({top for _, top in corners}) == math.ceil(5 / (columns or 5))
    for i, (left, top) in enumerate(corners):
        assert (mosaic[top : top + 8, left : left + 8, 0] == i).all(), "each in its place"
        x, y = next(t for t in ax.texts if t.get_text() == f"title {i}").get_position()
        assert left < x < left + 8 and y >= top + 8
        assert not mosaic[round(y) : round(y) + 2, left : left + 8, 3].any(), "no picture below it"


def test_torch_images_are_accepted_and_what_asks_and_what_belongs_to_it_is_framed() -> None:
    import torch

    fig, (grid, framed) = style.figure(1, 2)
    images.draw_images(grid, torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    answers = np.zeros((2, 3, 8, 8), np.uint8)
    images.draw_answers(framed, answers[0], answers, [True, False], columns=3)
    Picture(fig, "drawn for real")
    assert grid.images[0].get_array().shape == (9, 18, 4)
    (frames,) = framed.collections
    assert len(frames.get_paths()) == 1
    assert tuple(frames.get_edgecolor()[0]) == to_rgba(images.OWN)
    (frame,) = framed.lines
    assert frame.get_color() == INK and frame.get_xdata().tolist() == [0, 8, 8, 0, 0]


@given(n=st.integers(1, 4), size=st.integers(1, 5), gap=st.integers(0, 3))
def test_pictures_side_by_side_keep_their_pixels_and_see_through_gaps(n, size, gap) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (n, 3, size, size), dtype=np.uint8)
    row = images.tiles(pictures, n, (0, gap))[:, : n * (size + gap) - gap]
    assert row.shape == (size, n * (size + gap) - gap, 4)
    for i, picture in enumerate(pictures):
        tile = row[:, i * (size + gap) : i * (size + gap) + size]
        assert (tile[..., :3] == picture.transpose(1, 2, 0)).all()
        assert (tile[..., 3] == 255).all()
    assert (row[..., 3] == 0).sum() == size * gap * (n - 1)


@pytest.mark.parametrize("ylim", [(4, 0), (0, 4)], ids=["rows down", "rows up"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_sheet_lies_where_imshow_would_put_it(ylim, interpolation) -> None:
    """Each quarter of the picture has its colour, and a clear gap stays clear."""
    picture = np.zeros((4, 6, 4), np.uint8)
    picture[:2, :2], picture[:2, 4:], picture[2:, :2] = (
        (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
    )  # fmt: skip
    drawn = []
    for use in ("sheet", "imshow"):
        fig = Figure(figsize=(3, 2), dpi=100)
        ax = fig.add_axes([0, 0, 1, 1])
        extent = (1, 4, 3, 1)
        if use == "sheet":
            images.draw_sheet(ax, picture, extent, interpolation)
        else:
            ax.imshow(picture, extent=extent, interpolation="nearest", aspect="auto")
        ax.set(xlim=(0, 5), ylim=ylim)
        ax.axis("off")
        fig.patch.set_alpha(0)
        canvas = FigureCanvasAgg(fig)
        canvas.draw()
        drawn.append(np.asarray(canvas.buffer_rgba()))
    middles = [(75, 70), (225, 70), (75, 130), (225, 130), (150, 100), (20, 20), (290, 190)]
    if ylim == (0, 4):  # the extent says which row is where
        middles = [(x, 200 - y) for x, y in middles]
    for x, y in middles:
        assert drawn[0][y, x].tolist() == drawn[1][y, x].tolist(), (x, y)
