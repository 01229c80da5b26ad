"""Panels in plain Python: what a control does, what is shown, what goes wrong and is told.

The browser's side is tested in tests/browser.
"""

import ast
import asyncio
import base64
import gc
import io
import platform
import threading
import weakref
from unittest.mock import Mock

import ipywidgets
import numpy as np
import pytest
from matplotlib.image import imread

from labkit.ui import controls, memory
from labkit.ui.controls import Chips, widget_for
from labkit.ui.panel import Panel, panel
from labkit.ui.record import line_of, recorded
from labkit.ui.steps import Step


def add(a, b=0):
    return a + b


def draw_sum(ax, result):
    ax.bar([0], [result])
    ax.set(ylim=(0, 40), title=f"The sum is {result}")


def say_sum(result):
    return f"The sum is {result}."


def sum_panel(compute=add, describe=say_sum, **options):
    return panel(compute, draw_sum, describe, **{"a": (0, 10), "b": (0, 20, 5, 10)} | options)


# Controls


@pytest.mark.parametrize(
    ("short", "kind", "value"),
    [
        (True, ipywidgets.Checkbox, True), ("a word", ipywidgets.Text, "a word"),
        ((0, 10), ipywidgets.IntSlider, 5), ((1, 10, 3), ipywidgets.IntSlider, 4),
        ((1, 50, 1, 20), ipywidgets.IntSlider, 20), ((0.0, 1.0), ipywidgets.FloatSlider, 0.5),
        ((0, 1, 0.05, 0.3), ipywidgets.FloatSlider, 0.3),
        (["a", "b"], ipywidgets.Dropdown, "a"), ({"A": 1, "B": 2}, ipywidgets.Dropdown, 1),
    ],
)  # fmt: skip
def test_a_short_control_becomes_a_labelled_widget(short, kind, value):
    widget = widget_for("hidden_width", short)
    assert type(widget) is kind
    assert widget.value == value
    assert widget.description == "Hidden width"


@pytest.mark.parametrize(("step", "decimals"), [(0.05, 2), (0.5, 1), (0.25, 2), (2.0, 0)])
def test_a_slider_shows_as_many_decimals_as_its_step_has(step, decimals):
    assert widget_for("x", (0, 10, step)).readout_format == f".{decimals}f"


def test_a_widget_is_kept_with_its_own_description_or_named_after_the_keyword():
    own = ipywidgets.IntSlider(3, description="Labels per class")
    assert widget_for("shots", own) is own
    assert own.description == "Labels per class"
    assert widget_for("shots", ipywidgets.IntSlider(3)).description == "Shots"


def test_chips_hold_words_and_are_recorded_without_each():
    chips = Chips(options=("a", "b", "c"), value=("a", "c"), description="Letters")
    line = line_of("letters", chips)
    assert (line.values, line.told["rest"]) == ([("a", "c"), ("a",), ("c",)], 0)


@pytest.mark.parametrize(
    "control",
    [
        ipywidgets.SelectMultiple(options=["ab", "cd"], value=("ab", "cd")),
        ipywidgets.SelectionRangeSlider(options=["ab", "cd", "ef"], index=(0, 1)),
        ipywidgets.IntRangeSlider(min=0, max=9, value=(2, 5)),
        ipywidgets.FloatRangeSlider(min=0, max=1, value=(0.2, 0.5)),
        ipywidgets.BoundedFloatText(0.5, min=0, max=1),
        ipywidgets.DatePicker(),
        ipywidgets.Dropdown(options=["ab", "cd"], value=None),
        ipywidgets.Text("words"),
    ],
    ids=lambda control: type(control).__name__,
)
def test_a_page_shows_what_the_live_panel_shows(control):
    """Whatever is moved, the first frame is of the first values."""
    live = panel(lambda it: it, lambda ax, it: ax.set(xlim=(0, 1)), lambda it: f"{it}.", it=control)
    found = recorded(live)
    (rest,) = [line["rest"] for line in found["controls"]] or [None]
    first = found["states"]["" if rest is None else str(rest)]
    assert found["frames"][first]["alt"] == live.alt


def test_a_panel_without_controls_has_a_page():
    live = panel(lambda: 1, lambda ax, it: ax.set(xlim=(0, 1)), lambda it: "One.")
    found = recorded(live)
    assert found["states"] == {"": 0} and found["frames"][0]["alt"] == "One."


@pytest.mark.parametrize(
    ("slider", "values"),
    [
        (ipywidgets.IntSlider(0, 0, 11, 4), [0, 4, 8]),
        (ipywidgets.IntSlider(0, 0, 10, 5), [0, 5, 10]),
        (ipywidgets.FloatSlider(0.0, min=0, max=1.1, step=0.3), [0, 0.3, 0.6, 0.9]),
        (ipywidgets.FloatSlider(0.0, min=0, max=0.3, step=0.1), [0, 0.1, 0.2, 0.3]),
        (ipywidgets.FloatSlider(0.7, min=0.7, max=1.8, step=0.4), [0.7, 1.1, 1.5]),
        (ipywidgets.FloatLogSlider(0.1, min=-1, max=1, step=0.7), [10**-1, 10**-0.3, 10**0.4]),
        (ipywidgets.FloatLogSlider(1.0, min=-1, max=1, step=0.5), [0.1, 10**-0.5, 1, 10**0.5, 10]),
    ],
)
def test_a_slider_is_recorded_at_its_steps_and_never_past_its_end(slider, values):
    found = line_of("x", slider).values
    assert found == pytest.approx(values) and max(found) <= max(values) + 1e-9


def test_a_slider_that_begins_between_two_steps_rests_there():
    line = line_of("x", ipywidgets.IntSlider(5, 0, 10, 4))
    assert (line.values, line.told["rest"]) == ([0, 4, 5, 8], 2)


@pytest.mark.parametrize(
    "bad", [(1,), (0.0, float("inf")), (3, 1), (1, 3, 0), (1, 3, 1, 9), ("a", "b"), None, 3, []]
)
def test_a_bad_control_is_refused_by_name(bad):
    with pytest.raises((TypeError, ValueError), match="'shots'"):
        widget_for("shots", bad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"c": (0, 1)}, r"controls: .* 'c', accepted: those of add\(a, b=0\)"),
        ({"compute": lambda a, b, c: 0}, "'c', accepted: those of <lambda>"),
        ({"compute": lambda a, b, size: 0}, "compute: got the parameter 'size', accepted: none of"),
        ({"describe": None}, "describe: got None, accepted: a function"),
        ({"describe": lambda result: None}, "describe must return a sentence"),
    ],
)
def test_a_bad_argument_is_refused_by_name(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        sum_panel(**options)


# Live panels


def test_every_control_reaches_compute_and_picture_and_words_follow():
    p = sum_panel()
    seen = {p.png()}
    assert p.status == p.alt == "The sum is 15."
    for name, value, total in (("a", 0, 10), ("a", 10, 20), ("b", 0, 10), ("b", 20, 30)):
        p.controls[name].value = value
        assert p.result == total
        assert p.status == p.alt == p.picture.alt == f"The sum is {total}."
        seen.add(p.png())
    assert len(seen) == 4


def test_reset_computes_once_and_restores_everything():
    calls = []
    p = panel(lambda a, b: calls.append((a, b)) or a + b, draw_sum, say_sum, a=(0, 10), b=(0, 20))
    picture = p.png()
    p.controls["a"].value, p.controls["b"].value = 10, 20
    calls.clear()
    p.reset()
    assert calls == [(5, 10)]
    assert p.png() == picture
    p.controls["a"].value = 10
    p.picture.reset_request += 1  # what the button in the browser does
    assert p.values["a"] == 5


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
    waiting = sum_panel(button="Train")
    waiting.picture.screen = 1.0
    assert (waiting.result, waiting.png(), waiting.error) == (None, b"", None)


@pytest.mark.parametrize(("button", "collecting", "threads"), [("", False, 1), ("Train", True, 3)])
def test_only_during_a_live_frame_torch_has_one_thread_and_no_garbage_is_collected(
    button, collecting, threads
):
    import torch

    before, seen = torch.get_num_threads(), []

    def compute(a):
        seen.append((gc.isenabled(), torch.get_num_threads()))
        return 1 / (a - 3)

    torch.set_num_threads(3)
    try:
        made = panel(compute, draw_sum, say_sum, button=button, a=(0, 5, 1, 2))
        made.run()
        assert gc.isenabled() and torch.get_num_threads() == 3
        with pytest.raises(ZeroDivisionError):
            made.set(a=3)
            made.run()
        assert gc.isenabled() and torch.get_num_threads() == 3
        assert set(seen) == {(collecting, threads)}
    finally:
        torch.set_num_threads(before)


def in_a_kernel(source: str) -> object:
    """What a cell's last line is, in a cell that JupyterLab calls "abc"."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = NotebookClient(notebook)
    with client.setup_kernel():
        client.kc.session.metadata = {"cellId": "abc"}
        client.execute_cell(notebook.cells[0], 0)
    return ast.literal_eval(notebook.cells[0].outputs[-1].data["text/plain"])


def test_in_a_kernel_neither_a_panel_nor_its_frames_change_how_garbage_is_collected():
    source = """
import gc
from labkit.ui.controls import running_cell
from labkit.ui.panel import panel
frozen = gc.get_freeze_count()
p = panel(lambda a: a, lambda ax, a: ax.plot([a]), str, a=(0, 9))
made = gc.isenabled(), gc.get_freeze_count() - frozen
p.controls["a"].value += 1
running_cell()[0], made, (gc.isenabled(), gc.get_freeze_count() - frozen), p.alt
"""
    assert in_a_kernel(source) == ("abc", (True, 0), (True, 0), "5")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others give it back by themselves")
def test_in_a_kernel_memory_is_given_back_after_each_cell_and_elsewhere_never(monkeypatch):
    source = """
from labkit import plots
from labkit.ui import memory
memory.give_back_after_each_cell()
get_ipython().events.callbacks["post_run_cell"].count(memory.give_back), memory.give_back()
"""
    assert in_a_kernel(source) == (1, None)
    monkeypatch.setattr(memory.ctypes, "CDLL", Mock(side_effect=AssertionError))
    memory.give_back_after_each_cell()  # pytest is no kernel


# Button panels


def test_a_button_panel_waits_and_marks_the_picture_as_stale():
    p = sum_panel(button="Train")
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


# Panels that are drawn as they go


def counting(steps):
    """Has something new at every second step; at 13 it fails."""
    for step in range(steps + 1):
        if step == 13:
            raise ArithmeticError("thirteen")
        yield Step(step / steps, f"step {step} of {steps}", 2 * (step // 2))


def counter(steps: int = 4) -> Panel:
    return panel(counting, draw_sum, say_sum, button="Train", steps=(1, 20, 1, steps))


def test_every_new_result_is_drawn_once_as_it_comes():
    p, seen = counter(), []
    p.picture.observe(lambda change: seen.append((change.name, change.new)), ["progress", "alt"])
    p.run()
    assert [v for n, v in seen if n == "alt"] == ["The sum is 0.", "The sum is 2.", "The sum is 4."]
    assert [v for n, v in seen if n == "progress"] == [0, 0.25, 0.5, 0.75, 1, -1]
    assert (p.picture.frames, p.status) == (3, "The sum is 4.")


def pressed(p: Panel, when: int, then) -> None:
    """Press the button in a kernel's loop, and do `then` once `when` frames are drawn."""

    async def reader() -> None:
        p.picture.run_request += 1
        assert p.picture.progress == -1, "the press returns at once"
        await asyncio.sleep(0)
        p.picture.run_request += 1  # from before the first was answered
        while p.picture.frames < when and p.picture.progress >= 0:
            await asyncio.sleep(0)
        then()
        while p.picture.progress >= 0:
            await asyncio.sleep(0)

    asyncio.run(reader())


def test_stop_keeps_what_was_drawn_and_says_where():
    p = counter(10)
    pressed(p, 3, lambda: p.picture.set_trait("stop_request", 1))
    assert (p.result, p.picture.frames, p.error, p.picture.progress) == (4, 3, None, -1)
    assert p.status == "Stopped at step 4 of 10."
    p.picture.stop_request += 1  # too late
    pressed(p, 1, lambda: p.set(steps=5))
    assert (p.result, p.picture.stale) == (10, True), "trained anew, and a control has moved"


def test_stop_before_the_first_picture_and_a_cell_that_runs_again():
    p = counter()
    pressed(p, 0, p._runner.stop)
    assert (p.result, p.status, p.picture.progress) == (None, "Stopped.", -1)
    pressed(p, 1, p.let_go)
    assert p.result is None and p.picture.frames == 1


def test_an_error_in_the_middle_is_shown_beside_what_was_drawn():
    p = counter(20)
    pressed(p, 99, lambda: None)
    assert (p.error, p.result, p.picture.progress) == ("ArithmeticError: thirteen", 12, -1)
    p.controls["steps"].value = 4
    pressed(p, 99, lambda: None)
    assert (p.error, p.result) == (None, 4), "and the button works again"


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


# Outside the browser


def test_a_saved_notebook_shows_the_picture_and_its_words():
    p = sum_panel()
    data, metadata = p._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]) == p.png()
    assert data["text/plain"] == metadata["image/png"]["alt"] == "The sum is 15."
    assert "application/vnd.jupyter.widget-view+json" in data


# A cell that runs again


class Large:
    """Stands for the images and features that a panel holds on to."""

    def __init__(self) -> None:
        self.values = np.zeros(10)


def make(large: Large) -> Panel:
    return panel(lambda a: large.values[a], lambda ax, y: ax.plot([y]), lambda y: f"{y}", a=(0, 9))


@pytest.fixture
def cell(monkeypatch):
    """Says which cell is running, and in which run."""
    monkeypatch.setattr(controls, "_latest", {})
    return lambda name, run: monkeypatch.setattr(controls, "running_cell", lambda: (name, run))


def test_a_cell_that_runs_again_lets_its_panels_go(cell):
    large = [Large(), Large(), Large()]
    cell("one", 1)
    first, beside = make(large[0]), make(large[1])
    kept = weakref.ref(large[0])
    large[0] = None
    gc.collect()
    assert kept() is not None and first.comm is not None, "the panel needs it"
    cell("one", 2)
    again = make(large[2])
    gc.collect()
    assert kept() is None and first.comm is None and beside.comm is None
    again.controls["a"].value = 3
    assert again.result == 0 and again.picture.frame


def test_other_cells_and_the_same_run_keep_theirs(cell):
    cell("one", 1)
    first, beside = make(Large()), make(Large())
    cell("two", 2)
    other = make(Large())
    for shown in (first, beside, other):
        before = shown.picture.frames
        shown.controls["a"].value += 1
        assert shown.picture.frames == before + 1


def test_outside_a_kernel_nothing_is_let_go():
    assert controls.running_cell() == ("", 0)
    first = make(Large())
    make(Large())
    assert first.comm is not None
