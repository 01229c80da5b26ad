"""Figures: readable on light, on dark and without colour vision, labelled, and told in words."""

from __future__ import annotations

import base64
import html
import io
import itertools
import math
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from labkit import plots
from labkit.evaluate import ShotsCurve
from labkit.plots import INK, METHODS, Picture, spread
from labkit.transfer import Moment
from labkit.ui.images import draw_sheet

COLOURS = {name: look.color for name, look in METHODS.items()} | {"ink": INK}


# Colours


def linear(colour: str) -> np.ndarray:
    """sRGB to linear light (IEC 61966-2-1)."""
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one: str, two: str) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    dark, light = sorted(linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, two))
    return (light + 0.05) / (dark + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    """Linear light to CIELAB under D65, where a distance of 2 or 3 can just be seen."""
    to_xyz = [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07218], [0.01933, 0.11919, 0.9503]]
    t = np.array(to_xyz) @ light.clip(0, 1) / [0.95047, 1, 1.08883]
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# Machado, Oliveira & Fernandes 2009, severity 1, on linear light.
EYES = {
    "full colour vision": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def test_the_measures_know_their_fixed_points() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WebAIM's checker
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=0.02)
    assert lab(linear("#ff0000")) == pytest.approx([53.2, 80.1, 67.2], abs=0.1)
    for eyes in EYES.values():
        assert eyes.sum(axis=1) == pytest.approx(1, abs=1e-5), "grey stays grey"


@pytest.mark.parametrize("background", ["#ffffff", "#111111"])
@pytest.mark.parametrize("name", COLOURS)
def test_every_colour_reads_on_light_and_on_dark(name, background) -> None:
    assert contrast(COLOURS[name], background) >= 3


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize(("one", "two"), list(itertools.combinations(METHODS, 2)))
def test_methods_can_be_told_apart(one, two, eyes) -> None:
    seen = [lab(EYES[eyes] @ linear(COLOURS[name])) for name in (one, two)]
    assert np.linalg.norm(seen[0] - seen[1]) >= 10


def test_methods_differ_in_more_than_colour() -> None:
    for field in ("name", "color", "marker"):
        assert len({getattr(look, field) for look in METHODS.values()}) == len(METHODS)


def test_the_style_ends_with_its_block() -> None:
    before = dict(matplotlib.rcParams)
    with plots.style():
        assert matplotlib.rcParams["text.color"] == INK
    assert dict(matplotlib.rcParams) == before


# Pictures


class Images(HTMLParser):
    """Collects the attributes of every <img>."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[dict] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        assert tag == "img"
        self.found.append(dict(attrs))


ALT = """Accuracy "rises" <b>fast</b> & 'far' > 50 %"""


def test_a_picture_is_a_png_with_escaped_alternative_text() -> None:
    fig, ax = plots.figure(size=(3, 2))
    ax.plot([0, 1], [0, 1])
    bundle = Picture(fig, ALT)._repr_mimebundle_()
    (image,) = Images(bundle["text/html"]).found
    assert image["alt"] == ALT and html.escape(ALT, quote=True) in bundle["text/html"]
    assert bundle["text/plain"] == ALT
    assert image["src"] == f"data:image/png;base64,{bundle['image/png']}"
    with Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))) as png:
        png.load()
        assert (png.format, png.size) == ("PNG", (450, 300))
        assert png.convert("RGBA").getpixel((0, 0))[3] == 0, "transparent on any page"
    assert image["width"] == "300"


@pytest.mark.parametrize("alt", ["", " \n"])
def test_a_picture_without_words_is_refused(alt) -> None:
    fig, _ = plots.figure(size=(1, 1))
    with pytest.raises(ValueError, match="alt: got an empty text"):
        Picture(fig, alt)


def test_pyplot_is_never_imported() -> None:
    code = "import sys, labkit.plots; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# Labels that do not overlap

VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


@given(VALUES, st.floats(0.001, 0.2))
def test_spread_keeps_order_and_gaps(values, gap) -> None:
    places = spread(values, gap)
    order = np.argsort(values, kind="stable")
    assert (np.diff(places[order]) >= gap - 1e-6).all()


@given(VALUES, st.floats(0, 0.2))
def test_spread_moves_nothing_that_is_far_enough_apart(values, gap) -> None:
    apart = np.cumsum(np.asarray(values) + gap + 1e-9)
    for order in (slice(None), slice(None, None, -1)):
        assert (spread(apart[order], gap) == apart[order]).all()


@given(VALUES, st.floats(0.001, 0.2))
def test_spread_moves_a_group_as_a_whole_around_its_mean(values, gap) -> None:
    assert spread(values, gap).mean() == pytest.approx(np.mean(values), abs=1e-6)


def test_two_equal_values_part_evenly() -> None:
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([0.52, 0.5], 0.1) == pytest.approx([0.56, 0.46])


# Drawings


def texts(ax) -> str:
    return "\n".join(text.get_text() for text in ax.findobj(Text))


def lines(ax, color: str) -> list:
    return [line for line in ax.lines if to_hex(line.get_color()) == color]


def render(fig) -> None:
    """Draw for real: a warning (a missing glyph, a failed layout) is an error."""
    Picture(fig, "a test")


def curve(method: str, mean: list[float]) -> ShotsCurve:
    mean = np.array(mean)
    return ShotsCurve(method, np.array([1, 10, 100]), mean, mean - 0.05, mean + 0.05)


def test_shots_are_drawn_with_bands_names_and_chance() -> None:
    curves = [curve("scratch", [0.2, 0.3, 0.5]), curve("probe", [0.4, 0.5, 0.51])]
    fig, ax = plots.figure()
    plots.draw_shots(ax, curves, 0.12, "Pretraining is worth ten times the labels")
    render(fig)
    for c in curves:
        look = METHODS[c.method]
        (line,) = lines(ax, look.color)
        assert line.get_ydata().tolist() == c.mean.tolist() and line.get_marker() == look.marker
        assert look.name in texts(ax)
    assert len(ax.collections) == 2, "two bands"
    assert ax.get_xscale() == "log" and "Pretraining is worth" in texts(ax)
    assert "per class" in ax.get_xlabel() and "accuracy" in ax.get_ylabel()
    assert any(set(line.get_ydata()) == {0.12} for line in ax.lines), "chance"
    names = [t for t in ax.texts if t.get_text() in {METHODS[c.method].name for c in curves}]
    heights = sorted(text.get_window_extent().y0 for text in names)
    assert heights[1] - heights[0] >= 0.9 * names[0].get_window_extent().height


@pytest.mark.parametrize(("unknown", "said"), [([0.2, 0.4, 0.6], "10"), ([0.1, 0.2, 0.3], "more")])
def test_the_horizontal_reading_says_how_many_labels(unknown, said) -> None:
    fig, ax = plots.figure()
    known = curve("probe", [0.4, 0.5, 0.6])
    plots.draw_shots(ax, [known, curve("scratch", unknown)], 0.1, "worth")
    before = list(ax.texts)
    plots.draw_worth(ax, known, curve("scratch", unknown), 1)
    render(fig)
    assert said in " ".join(text.get_text() for text in ax.texts if text not in before)


def history(ids: list[float], oods: list[float]) -> list[Moment]:
    return [
        Moment(step * 10, i, {"one": o - 0.1, "two": o + 0.1})
        for step, (i, o) in enumerate(zip(ids, oods, strict=True))
    ]


def test_histories_are_solid_in_distribution_and_dashed_outside() -> None:
    fig, ax = plots.figure()
    histories = {"fine-tuning": history([0.1, 0.5, 0.8], [0.1, 0.4, 0.3])}
    histories["probe"] = history([0.6], [0.5])
    plots.draw_history(ax, histories, 0.1, "Fine-tuning forgets")
    render(fig)
    solid, dashed = lines(ax, METHODS["fine-tuning"].color)
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert list(solid.get_ydata()) == [0.1, 0.5, 0.8]
    assert list(dashed.get_ydata()) == pytest.approx([0.1, 0.4, 0.3]), "the mean over OOD tests"
    flat, _ = lines(ax, METHODS["probe"].color)
    assert list(flat.get_ydata()) == [0.6, 0.6] and list(flat.get_xdata()) == [0, 20]
    for words in ("fine-tuning", "linear probe", "Fine-tuning forgets"):
        assert words in texts(ax)


def test_a_history_without_ood_tests_is_one_line() -> None:
    fig, ax = plots.figure()
    moments = [Moment(0, 0.1, {}), Moment(5, 0.4, {})]
    plots.draw_history(ax, {"scratch": moments}, 0.1, "only ID")
    render(fig)
    assert len(lines(ax, METHODS["scratch"].color)) == 1


@pytest.mark.parametrize("columns", [0, 1, 2, 5])
def test_images_are_drawn_in_a_grid_each_with_its_title(columns) -> None:
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 3, 8, 8), np.uint8)
    fig, ax = plots.figure()
    plots.draw_images(ax, images, [f"title {i}" for i in range(5)], columns)
    render(fig)
    assert [int(shown.get_array().max()) for shown in ax.images] == list(range(5))
    rows = {shown.get_extent()[3] for shown in ax.images}
    assert len(rows) == math.ceil(5 / (columns or 5))
    boxes = [shown.get_window_extent() for shown in ax.images]
    for one, two in itertools.combinations(boxes, 2):
        overlap = one.intersection(one, two)
        assert overlap is None or overlap.width * overlap.height < 1e-6
    for i, shown in enumerate(ax.images):
        title = next(text for text in ax.texts if text.get_text() == f"title {i}")
        left, right, bottom, top = shown.get_extent()
        assert left < title.get_position()[0] < right and title.get_position()[1] >= bottom
    assert "title 4" in texts(ax)


def test_torch_images_are_accepted() -> None:
    import torch

    fig, ax = plots.figure()
    plots.draw_images(ax, torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    render(fig)
    assert len(ax.images) == 2


@given(n=st.integers(1, 4), size=st.integers(1, 5), gap=st.integers(0, 3))
def test_pictures_side_by_side_keep_their_pixels_and_see_through_gaps(n, size, gap) -> None:
    images = np.random.default_rng(0).integers(0, 256, (n, 3, size, size), dtype=np.uint8)
    row = plots.tiles(images, n, (0, gap))[:, : n * (size + gap) - gap]
    assert row.shape == (size, n * (size + gap) - gap, 4)
    for i, image in enumerate(images):
        tile = row[:, i * (size + gap) : i * (size + gap) + size]
        assert (tile[..., :3] == image.transpose(1, 2, 0)).all()
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
            draw_sheet(ax, picture, extent, interpolation)
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


def test_placed_ticks_are_those_of_matplotlib() -> None:
    drawn = []
    for place in (
        lambda ax: ax.set_xticks([1, 3, 10], ["a", "b", "c"]),
        lambda ax: plots.place_ticks(ax.xaxis, [1, 3, 10], ["a", "b", "c"]),
    ):
        fig, ax = plots.figure()
        ax.set(xscale="log", xlim=(0.5, 20))
        place(ax)
        drawn.append(plots.Picture(fig, "ticks").png)
    assert drawn[0] == drawn[1]
