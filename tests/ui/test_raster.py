"""Frames: equal to figures drawn from nothing, whatever they were made from."""

import gc
import io
import weakref

import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import imread
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox, TransformNode

from labkit.ui.png import png
from labkit.ui.raster import Canvas
from labkit.ui.renderer import TextKeepingRenderer, has_fast_path

X = np.linspace(0, 10, 50)


def draw_band(ax, k):
    ax.fill_between(X, np.sin(X + k) - 0.2, np.sin(X + k) + 0.2, alpha=0.3)
    ax.plot(X, np.sin(X + k))
    ax.set(xlim=(0, 10), ylim=(-2, 2), xlabel="steps", ylabel="accuracy", title=f"Now at {k:.2f}")


def draw_moving_limits(ax, k):
    ax.plot(X, X * k)
    ax.set_title(f"Up to {10 * k}")


def draw_image(ax, k):
    ax.imshow(np.arange(12).reshape(3, 4) * k % 7, aspect="auto")
    ax.set_xlabel("class")


def draw_emoji(ax, k):
    ax.imshow(np.arange(12).reshape(3, 4) * k % 7)
    ax.axis("off")


def draw_direct_labels(ax, k):
    ax.plot([0, 1], [0, k], "o--")
    ax.text(1.02, k, f"fine-tuning {k}", va="center")
    ax.annotate("here", (0.5, k / 2), (0.2, 1.5), arrowprops={"arrowstyle": "->"})
    ax.set(xlim=(0, 1), ylim=(0, 3), xticks=[0, 1], xticklabels=["before", "after"])


def draw_legend(ax, k):
    for i in range(3):
        ax.plot(X, np.cos(X + i + k), label=f"method {i}, {k}")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    ax.set_ylim(-1, 1)
    ax.grid(True)


def draw_log(ax, k):
    ax.loglog(1 + X, (1 + X) ** k)
    ax.set(xlim=(1, 100), ylim=(1, 1e4))


def draw_styled_ticks(ax, k):
    ax.bar(["probe", "all"], [k, 1])
    ax.set_ylim(0, 4)
    ax.get_xticklabels()[0].set_color("tab:red" if k > 1 else "tab:blue")


def draw_large_numbers(ax, k):
    ax.plot(X, X * k * 1e9)
    ax.set_ylim(0, 4e10)


def draw_colour_bar(ax, k):
    points = ax.scatter(X, X, c=np.sin(X + k))
    ax.figure.colorbar(points, ax=ax)


def draw_twin(ax, k):
    ax.plot(X, X)
    ax.twinx().plot(X, np.sin(X * k), color="tab:red")


def draw_data_under_the_axis(ax, k):
    ax.plot(X, X * k, zorder=-2)
    ax.set_axisbelow(k > 1)


def draw_on_white(ax, k):
    draw_band(ax, k)
    ax.figure.set_facecolor("white" if k > 1 else (0, 0, 1, 0.5))


def draw_titled_figure(ax, k):
    draw_band(ax, k)
    ax.figure.suptitle(f"All at {k}")


def draw_other_scale(ax, k):
    ax.set_xscale("symlog", linthresh=k)
    ax.axvline(10)
    ax.set(xlim=(-100, 100), xticks=[-100, 0, 10, 100])


def draw_function_scale(ax, k):
    ax.set_yscale("function", functions=(lambda y: y**k, lambda y: y ** (1 / k)))
    ax.set(ylim=(0, 1), yticks=[0, 0.5, 1])


def draw_marked_grid_line(ax, k):
    ax.grid(True)
    ax.xaxis.get_gridlines()[int(k)].set_color("tab:red")


def draw_long_tick(ax, k):
    ax.xaxis.get_ticklines()[2 * int(k)].set_markersize(20)


def draw_placed(ax, k):
    draw_band(ax, k)
    ax.set_position([0.1, 0.1, 0.2 * k, 0.8])


def draw_without_layout(ax, k):
    draw_band(ax, k)
    if k > 1:
        ax.figure.set_layout_engine("none")


def draw_wider_margins(ax, k):
    draw_band(ax, k)
    ax.figure.get_layout_engine().set(w_pad=0.2 * k)


def draw_framed(ax, k):
    draw_band(ax, k)
    ax.patch.set(linewidth=4 * k, edgecolor="tab:red", hatch="/" * int(k))


def draw_boxed_words(ax, k):
    draw_band(ax, k)
    ax.set_xlabel("steps", bbox={"facecolor": "tab:red" if k > 1 else "tab:blue"})
    ax.get_xticklabels()[int(k)].set_bbox({"facecolor": "tab:blue"})


def draw_fewer_axes(axes, k):
    draw_band(axes[0], k)
    if k > 2:
        axes[1].remove()


def draw_two(axes, k):
    draw_band(axes[0], k)
    draw_direct_labels(axes[1], k)


ONE = [
    draw_band, draw_moving_limits, draw_image, draw_emoji, draw_direct_labels, draw_legend,
    draw_log, draw_styled_ticks, draw_large_numbers, draw_colour_bar, draw_twin,
    draw_data_under_the_axis, draw_on_white, draw_titled_figure, draw_other_scale,
    draw_function_scale, draw_marked_grid_line, draw_long_tick, draw_placed, draw_without_layout,
    draw_wider_margins, draw_framed, draw_boxed_words,
]  # fmt: skip
TWO = [draw_two, draw_fewer_axes]


def canvas_of(draw) -> Canvas:
    return Canvas(draw, columns=1 + (draw in TWO), size=(6, 3), scale=1)


@pytest.mark.parametrize("draw", [*ONE, *TWO])
def test_a_frame_equals_a_figure_drawn_from_nothing(draw):
    canvas = canvas_of(draw)
    for k in (1, 2, 2.5, 1):
        assert np.array_equal(canvas.render(k), canvas.render_fully(k)), f"at {k}"


def test_no_new_transform_takes_the_place_of_one_that_a_copied_figure_knows_by_its_old_id():
    canvas = canvas_of(draw_band)
    canvas.render(1)
    gc.collect()
    ax = canvas._new_figure()[1]
    alive = set(map(id, gc.get_objects()))
    known = set().union(*(node._parents for node in transforms_under(ax.transData)))
    assert known and known <= alive, "an id that is free is an id that can be taken"


def transforms_under(node: TransformNode) -> list[TransformNode]:
    parts = [part for part in vars(node).values() if isinstance(part, TransformNode)]
    return [node, *(deeper for part in parts for deeper in transforms_under(part))]


def draw_clipped(ax, k):
    angle = np.linspace(0, 2 * np.pi, 30)
    image = ax.imshow(np.zeros((2, 2, 3)), extent=(-4, 4, -4, 4))
    image.set_clip_path(Path(k * np.c_[np.cos(angle), np.sin(angle)]), ax.transData)


def test_a_clip_path_is_not_taken_for_one_of_an_earlier_frame() -> None:
    canvas = canvas_of(draw_clipped)
    for k in np.linspace(1, 4, 20):
        gc.collect()  # frees the last frame's path, and its address
        assert np.array_equal(canvas.render(k), canvas_of(draw_clipped).render_fully(k)), f"at {k}"


@pytest.mark.parametrize("draw", [draw_band, draw_emoji, draw_log, draw_direct_labels, draw_two])
def test_the_background_is_reused_while_the_axes_stay_the_same(draw):
    canvas = canvas_of(draw)
    for k in (1, 2, 1):
        canvas.render(k)
    assert canvas.hits == 2


def without_ink(draw):
    """The same figure, its texts as large as before and transparent."""

    def drawn(axes, k):
        draw(axes, k)
        for ax in np.ravel(axes)[0].figure.axes:
            ax.tick_params(which="both", labelcolor="none")
            for axis in (ax.xaxis, ax.yaxis):
                axis.get_offset_text().set_color("none")
        for text in np.ravel(axes)[0].figure.findobj(Text):
            text.set_color("none")

    return drawn


@pytest.mark.parametrize("draw", [draw_band, draw_direct_labels, draw_legend, draw_log, draw_twin])
def test_plain_agg_draws_the_same_but_for_letters_at_parts_of_a_pixel(draw):
    fast, plain = canvas_of(without_ink(draw)), canvas_of(without_ink(draw))
    plain.fast = False
    for k in (1, 2):
        assert np.array_equal(plain.render(k), fast.render(k)), f"at {k}"
    fast.draw = plain.draw = draw
    with_text, expected = plain.render(1), fast.render(1)
    assert ink(with_text, 1) == pytest.approx(ink(expected, 1), rel=0.03, abs=5)
    assert (plain.hits, fast.shown.bbox.size.tolist()) == (0, plain.shown.bbox.size.tolist())


def test_without_matplotlib_s_private_parts_plain_agg_is_used_and_said(monkeypatch):
    has_fast_path.cache_clear()
    monkeypatch.delattr(RendererAgg, "_prepare_font")
    with pytest.warns(UserWarning, match="slower with this matplotlib.*_prepare_font"):
        assert not Canvas(draw_emoji).fast
    monkeypatch.undo()
    has_fast_path.cache_clear()
    assert Canvas(draw_emoji).fast


def test_a_figure_is_garbage_as_soon_as_it_is_drawn():
    """Then collecting the youngest objects is enough, which is quick."""
    drawn = []
    canvas = canvas_of(lambda ax, k: drawn.append(weakref.ref(ax.figure)) or draw_band(ax, k))
    gc.disable()
    try:
        canvas.render(1), canvas.render(2)
        gc.collect(0)
    finally:
        gc.enable()
    assert len(drawn) >= 2 and not any(figure() for figure in drawn)


def drawn_text(renderer, text, x, y, clip=None, color="tab:red", size=12):
    """The pixels of `text` at (x, y), y downwards, by `renderer`."""
    gc = renderer.new_gc()
    gc.set_foreground(color)
    if clip:
        gc.set_clip_rectangle(Bbox(clip))
    renderer.clear()
    renderer.draw_text(gc, x, y, text, FontProperties(size=size), 0)
    return np.array(renderer.buffer_rgba())


def ink(pixels, axis):
    """How much of each column (axis 0) or row (axis 1) is inked: where a text lies."""
    return pixels[..., 3].astype(float).sum(axis=axis).cumsum() / 255


@pytest.mark.parametrize("text", ["Agjy", "✓ 42 %", " ", "ffi", "'", "_", "[j]", "ε = −0.5, ’“x”"])
@pytest.mark.parametrize("size", [8, 12, 15.5])
def test_a_kept_text_lies_where_matplotlib_draws_it(text, size):
    keeping, plain = TextKeepingRenderer(190, 80, 100), RendererAgg(190, 80, 100)
    for x, y in ((20, 30), (7, 50), (20, 30)):  # drawn, then copied
        kept, made = (drawn_text(drawing, text, x, y, size=size) for drawing in (keeping, plain))
        assert ink(kept, 1) == pytest.approx(ink(made, 1), rel=0.03, abs=2)
        column = ink(made, 0)  # at most a pixel to the left of where it would be
        assert (ink(kept, 0) >= 0.97 * column - 2).all()
        assert (ink(kept, 0)[:-1] <= 1.03 * column[1:] + 2).all()


@pytest.mark.parametrize("clip", [[[0, 40], [35, 60]], [[100, 0], [120, 80]]])
def test_a_kept_text_stays_within_its_clip(clip):
    kept = drawn_text(TextKeepingRenderer(90, 80, 100), "Agjy", 20, 30, clip)
    (left, bottom), (right, top) = clip
    inside = kept[80 - top : 80 - bottom, left:right, 3]
    assert (inside > 0).sum() == (kept[..., 3] > 0).sum()
    assert inside.any() == (left < 90)


def test_a_kept_text_takes_the_color_of_each_drawing():
    renderer = TextKeepingRenderer(90, 80, 100)
    red, blue = (drawn_text(renderer, "Agjy", 20, 30, color=c) for c in ("#ff0000", "#0000ff"))
    assert np.array_equal(red[..., 3], blue[..., 3])
    solid = red[..., 3] == 255
    assert solid.any()
    assert (red[solid][:, :3] == [255, 0, 0]).all() and (blue[solid][:, :3] == [0, 0, 255]).all()


@pytest.mark.parametrize(
    "look", [{"antialiased": False}, {"fontfeatures": ("-kern",)}, {"language": "nl"}], ids=str
)
def test_a_text_with_a_look_of_its_own_is_drawn_as_matplotlib_does(look):
    if not hasattr(Text, f"get_{next(iter(look))}"):
        pytest.skip("matplotlib 3.10 and older draw it in one way only")
    drawn = []
    for kind in (TextKeepingRenderer, RendererAgg):
        text, renderer = Text(20, 30, "AVAVA", figure=Figure(), **look), kind(190, 80, 100)
        text.draw(renderer)
        drawn.append(np.array(renderer.buffer_rgba()))
    assert drawn[0][..., 3].any() and np.array_equal(*drawn)


def test_png_is_a_png():
    rgba = Canvas(draw_band, size=(2, 1)).render(1)
    decoded = imread(io.BytesIO(png(rgba)))
    assert rgba.shape == (150, 300, 4)
    assert np.array_equal(np.round(decoded * 255).astype(np.uint8), rgba)
