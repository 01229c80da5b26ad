"""Panels in plain Python: what a control does, what is shown, what goes wrong and is told.

The browser's side is tested in tests/browser.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import subprocess
import sys
import threading

import ipywidgets
import numpy as np
import pytest
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.image import imread
from matplotlib.transforms import Bbox

from labkit.ui.controls import widget_for
from labkit.ui.panel import SENT, panel
from labkit.ui.raster import Canvas, png
from labkit.ui.renderer import TextKeepingRenderer


def add(a, b=0):
    return a + b


def draw_sum(ax, result):
    ax.bar([0], [result])
    ax.set(ylim=(0, 40), title=f"The sum is {result}")


def say_sum(result):
    return f"The sum is {result}."


def sum_panel(**options):
    return panel(add, draw_sum, say_sum, **{"a": (0, 10), "b": (0, 20, 5, 10)} | options)


# Controls


@pytest.mark.parametrize(
    ("short", "kind", "value"),
    [
        (True, ipywidgets.Checkbox, True),
        ((0, 10), ipywidgets.IntSlider, 5),
        ((1, 10, 3), ipywidgets.IntSlider, 4),
        ((1, 50, 1, 20), ipywidgets.IntSlider, 20),
        ((0.0, 1.0), ipywidgets.FloatSlider, 0.5),
        ((0, 1, 0.05, 0.3), ipywidgets.FloatSlider, 0.3),
        (["probe", "all"], ipywidgets.Dropdown, "probe"),
        ({"Probe": 1, "All": 2}, ipywidgets.Dropdown, 1),
        ("a word", ipywidgets.Text, "a word"),
    ],
)
def test_a_short_control_becomes_a_labelled_widget(short, kind, value):
    widget = widget_for("hidden_width", short)
    assert type(widget) is kind
    assert widget.value == value
    assert widget.description == "Hidden width"


def test_a_slider_shows_as_many_decimals_as_its_step_has():
    assert widget_for("x", (0, 1, 0.05)).readout_format == ".2f"
    assert widget_for("x", (0, 1, 0.5)).readout_format == ".1f"


def test_a_widget_is_kept_with_its_own_description_or_named_after_the_keyword():
    own = ipywidgets.IntSlider(3, description="Labels per class")
    assert widget_for("shots", own) is own
    assert own.description == "Labels per class"
    assert widget_for("shots", ipywidgets.IntSlider(3)).description == "Shots"


@pytest.mark.parametrize("bad", [(1,), (3, 1), (1, 3, 0), (1, 3, 1, 9), ("a", "b"), None, 3, []])
def test_a_bad_control_is_refused_by_name(bad):
    with pytest.raises((TypeError, ValueError), match="'shots'"):
        widget_for("shots", bad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": "always"}, "run"),
        ({"c": (0, 1)}, r"add\(\) takes no control 'c'; it takes a, b"),
    ],
)
def test_a_bad_argument_is_refused_by_name(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        sum_panel(**options)


def test_a_missing_control_or_function_is_refused_by_name():
    with pytest.raises(TypeError, match=r"add\(\) needs 'a'"):
        panel(add, draw_sum, say_sum, b=(0, 1))
    with pytest.raises(TypeError, match="describe"):
        panel(add, draw_sum, None, a=(0, 1))


# Live panels


def test_every_control_reaches_compute_at_its_ends_and_middle():
    p = sum_panel()
    for name, other in (("a", "b"), ("b", "a")):
        slider = p.controls[name]
        for value in (slider.min, (slider.min + slider.max) // 10 * 5, slider.max):
            slider.value = value
            assert p.result == value + p.controls[other].value


def test_picture_and_words_follow_the_state():
    p = sum_panel()
    before = p.png()
    assert p.status == p.alt == "The sum is 15."
    p.controls["a"].value = 9
    assert p.status == p.alt == p.picture.alt == "The sum is 19."
    assert p.png() != before


def test_reset_computes_once_and_restores_everything():
    calls = []
    p = panel(lambda a, b: calls.append((a, b)) or a + b, draw_sum, say_sum, a=(0, 10), b=(0, 20))
    picture = p.png()
    p.controls["a"].value, p.controls["b"].value = 10, 20
    calls.clear()
    p.reset()
    assert calls == [(5, 10)]
    assert p.png() == picture
    p.picture.reset_request += 1  # what the button in the browser does
    assert p.picture.resets == 1


def test_two_panels_do_not_share_state():
    p, q = sum_panel(), sum_panel()
    p.controls["a"].value = 1
    assert (p.result, q.result) == (11, 15)


def test_while_computing_only_the_newest_value_waits():
    seen, started, go_on = [], threading.Event(), threading.Event()

    def slow(a):
        seen.append(a)
        if a == 1:
            started.set()
            assert go_on.wait(5)
        return a

    p = panel(slow, draw_sum, say_sum, a=(0, 10))
    seen.clear()
    worker = threading.Thread(target=setattr, args=(p.controls["a"], "value", 1))
    worker.start()
    assert started.wait(5)
    for value in range(2, 9):  # returns at once: the worker takes the newest
        p.controls["a"].value = value
    go_on.set()
    worker.join(5)
    assert seen == [1, 8]
    assert p.result == 8


def test_a_failure_does_not_keep_the_newest_value_waiting():
    def compute(a):
        if a == 1:
            p.controls["a"].value = 2  # as from another thread
            raise ArithmeticError
        return a

    p = panel(compute, draw_sum, say_sum, a=(0, 10))
    p.controls["a"].value = 1
    assert (p.result, p.error) == (2, None)


def size_of(frame: bytes) -> tuple[int, int]:
    height, width = imread(io.BytesIO(frame)).shape[:2]
    return width, height


def test_a_frame_has_the_pixels_that_the_screen_shows_within_bounds():
    calls = []
    p = panel(lambda a: calls.append(a) or a, draw_sum, say_sum, size=(4, 2), a=(0, 10))
    assert size_of(p.png()) == (600, 300)
    sizes = ((1.0, (400, 200)), (0.75, (300, 150)), (3.0, (600, 300)), (0.1, (200, 100)))
    for screen, expected in sizes:
        p.picture.screen = screen
        assert size_of(p.png()) == expected, "the picture that is shown is drawn anew"
        p.controls["a"].value += 1
        assert size_of(p.png()) == expected
    assert calls == [5, 6, 7, 8, 9], "another screen is no reason to compute"


def test_another_screen_neither_hides_an_error_nor_runs_a_button_panel():
    p = panel(lambda a: 1 / (a - 3), draw_sum, say_sum, a=(0, 10))
    with pytest.raises(ZeroDivisionError):
        p.controls["a"].value = 3
    p.picture.screen = 1.0
    assert "ZeroDivisionError" in p.error
    waiting = sum_panel(run="button")
    waiting.picture.screen = 1.0
    assert (waiting.result, waiting.png(), waiting.error) == (None, b"", None)


@pytest.mark.parametrize(("run", "during"), [("live", False), ("button", True)])
def test_garbage_is_collected_between_frames_and_during_training(run, during):
    seen = []

    def compute(a):
        seen.append(gc.isenabled())
        return 1 // (a - 3)

    p = panel(compute, draw_sum, say_sum, run=run, a=(0, 10))
    p.run()
    assert set(seen) == {during}
    p.controls["a"].unobserve_all()
    p.controls["a"].value = 3
    with pytest.raises(ZeroDivisionError):
        p.run()
    assert gc.isenabled()


@pytest.mark.parametrize(("run", "during"), [("live", 1), ("button", 3)])
def test_only_a_live_frame_keeps_torch_to_one_thread(run, during):
    import torch

    before, seen = torch.get_num_threads(), []

    def compute(a):
        seen.append(torch.get_num_threads())
        return 1 / (a - 3)

    torch.set_num_threads(3)
    try:
        made = panel(compute, draw_sum, say_sum, run=run, a=(0, 5, 1, 2))
        made.run()
        with pytest.raises(ZeroDivisionError):
            made.set(a=3)
            made.run()
        assert set(seen) == {during} and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_in_a_kernel_garbage_waits_until_the_frame_has_been_sent():
    p = sum_panel()

    async def move() -> list[bool]:
        p.controls["a"].value += 1
        at_once = gc.isenabled()
        p.controls["a"].value += 1  # the next one comes before
        await asyncio.sleep(3 * SENT)
        return [at_once, gc.isenabled()]

    assert asyncio.run(move()) == [False, True]


# Button panels


def test_a_button_panel_waits_and_marks_the_picture_as_stale():
    p = sum_panel(run="button")
    assert (p.result, p.png(), p.status) == (None, b"", "Press Train to see the result.")
    p.run()
    assert (p.result, p.status, p.picture.stale) == (15, "The sum is 15.", False)
    p.controls["a"].value = 9
    assert p.result == 15
    assert p.picture.stale
    assert p.status == "Settings changed: press Train to update the picture."
    assert p.alt == "The sum is 15.", "the words must fit the picture that is shown"
    p.controls["a"].value = 5
    assert not p.picture.stale
    assert p.status == "The sum is 15."


def test_an_initial_result_is_shown_without_computing():
    p = panel(add, draw_sum, say_sum, run="button", label="Go", initial=15, a=(0, 10), b=(0, 20))
    assert p.result == 15
    assert p.png()
    assert not p.picture.stale


def test_presses_during_a_run_ask_for_nothing_new():
    calls = []

    def slow(a):
        calls.append(a)
        p.picture.run_request = 1  # a second press that arrives during the run
        return a

    p = panel(slow, draw_sum, say_sum, run="button", a=(0, 10))
    p.picture.run_request = p.picture.runs + 1
    p.picture.run_request = 1  # and one that arrives after it, sent before the browser knew
    assert calls == [5]
    p.picture.run_request = p.picture.runs + 1
    assert calls == [5, 5]


def test_progress_is_shown_throttled_and_ends():
    seen = []

    def train(steps, progress):
        for step in range(steps):
            progress((step + 1) / steps, f"step {step + 1} of {steps}")
        return steps

    p = panel(train, draw_sum, say_sum, run="button", steps=(1, 10_000))
    p.picture.observe(lambda change: seen.append(change.new), "progress")
    p.run()
    assert seen[-1] == -1
    assert seen[-2] == 1
    assert len(seen) < 50
    assert p.status == p.alt


# What goes wrong


@pytest.mark.parametrize("where", ["compute", "draw", "describe"])
def test_an_exception_is_raised_and_shown_and_cleared(where):
    def fails(name, value):
        if name == where and value == 3:
            raise ArithmeticError("three is too much")

    p = panel(
        lambda a: fails("compute", a) or a,
        lambda ax, result: fails("draw", result) or draw_sum(ax, result),
        lambda result: fails("describe", result) or say_sum(result),
        a=(0, 10),
    )
    with pytest.raises(ArithmeticError):
        p.controls["a"].value = 3
    assert p.error == p.status == "ArithmeticError: three is too much"
    assert p.result == 5, "result, picture and words stay together"
    assert p.alt == "The sum is 5."
    p.controls["a"].value = 4
    assert p.error is None
    assert p.status == "The sum is 4."


def test_after_a_failed_run_the_button_works_again():
    p = panel(lambda a: 1 // a, draw_sum, say_sum, run="button", a=(0, 10, 1, 0))
    with pytest.raises(ZeroDivisionError):
        p.picture.run_request = 1
    assert "ZeroDivisionError" in p.error
    assert p.picture.progress < 0
    p.controls["a"].value = 1
    p.picture.run_request = p.picture.runs + 1
    assert (p.error, p.result) == (None, 1)


def test_a_description_must_be_words():
    with pytest.raises(TypeError, match="describe"):
        panel(add, draw_sum, lambda result: None, a=(0, 1))


# Outside the browser


def test_a_saved_notebook_shows_the_picture_and_its_words():
    p = sum_panel()
    data, metadata = p._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == p.png()
    assert data["text/plain"] == metadata["image/png"]["alt"] == "The sum is 15."
    assert "application/vnd.jupyter.widget-view+json" in data


def test_panel_imports_neither_pyplot_nor_torch():
    code = "import sys, labkit.ui.panel; print({'matplotlib.pyplot', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# Frames made from a background are frames

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


def draw_two(axes, k):
    draw_band(axes[0], k)
    draw_direct_labels(axes[1], k)
    axes[0].figure.suptitle(f"Both at {k}")


ONE = [
    draw_band, draw_moving_limits, draw_image, draw_emoji, draw_direct_labels, draw_legend,
    draw_log, draw_styled_ticks, draw_large_numbers, draw_colour_bar, draw_twin,
    draw_data_under_the_axis,
]  # fmt: skip


@pytest.mark.parametrize("draw", [*ONE, draw_two])
def test_a_frame_equals_a_figure_drawn_from_nothing(draw):
    canvas = Canvas(draw, columns=2 if draw is draw_two else 1, size=(6, 3), scale=1)
    for k in (1, 2, 2.5, 1):
        assert np.array_equal(canvas.render(k), canvas.render_fully(k)), f"at {k}"


@pytest.mark.parametrize("draw", [draw_band, draw_emoji, draw_log, draw_two])
def test_the_background_is_reused_while_the_axes_stay_the_same(draw):
    canvas = Canvas(draw, columns=2 if draw is draw_two else 1, size=(6, 3), scale=1)
    for k in (1, 2, 1):
        canvas.render(k)
    assert canvas.hits == 2


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


def test_png_is_a_png():
    rgba = Canvas(draw_band, size=(2, 1)).render(1)
    decoded = imread(io.BytesIO(png(rgba)))
    assert rgba.shape == (150, 300, 4)
    assert np.array_equal(np.round(decoded * 255).astype(np.uint8), rgba)
