"""Panels with every kind of control, driven as a reader drives them: by keyboard and by mouse."""

import re

import pytest
from driver import CELLS, SCREEN, Notebook, new_notebook, write_notebook
from playwright.sync_api import expect

LIVE = """
import time
import numpy as np
from labkit.ui.controls import Chips
from labkit.ui.panel import panel
from labkit.ui.steps import Step

X = np.linspace(0, 10, 1000)

def compute(shots, noise=0.1, method="probe", show_band=True, name="x", parts=()):
    band = show_band and not parts
    return dict(shots=shots, noise=noise, method=method, band=band, name=name, parts=[*parts])

def draw(ax, r):
    y = np.sin(X + r["shots"] / 5)
    ax.plot(X, y)
    if r["band"]:
        ax.fill_between(X, y - r["noise"], y + r["noise"], alpha=0.3)
    ax.set(xlim=(0, 10), ylim=(-2, 2), xlabel="steps", title=f"{r['name']} {r['method']}")

def describe(r):
    return ", ".join(f"{key} is {value}" for key, value in r.items()) + "."

panel(compute, draw, describe, title="Everything at once", shots=(0, 50, 1, 20), noise=(0, 1, 0.05),
      method=["probe", "fine-tuning"], show_band=True, name="Linear",
      parts=Chips(options=("one", "two"), value=(), description="Parts"))
"""
BUTTON = """
runs = []

def train(steps):
    runs.append(steps)
    for step in range(1, steps + 1):
        time.sleep(0.02)
        done = compute(step, name=f"run {len(runs)}")
        yield Step(step / steps, f"step {step} of {steps}", done)

panel(train, draw, describe, button="Train", title="Train it", steps=(1, 60, 1, 30))
"""
FAILING = """
def fails(a):
    if a == 3:
        raise ValueError("three is too much")
    return compute(a)

panel(fails, draw, describe, title="It fails", a=(0, 6, 1, 2))
"""


BRIGHTEST_AND_DARKEST = """image => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const brush = canvas.getContext("2d");
    brush.drawImage(image, 0, 0);
    const data = brush.getImageData(0, 0, canvas.width, canvas.height).data;
    const greens = [];
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) greens.push(data[i + 1]);
    return [Math.max(...greens.slice(0, 5000)), Math.min(...greens.slice(0, 5000))];
}"""


@pytest.fixture(scope="module")
def panels(browser, server):
    """The notebook above, run once for all tests."""
    with new_notebook(browser, server) as notebook:
        notebook.open(write_notebook(server.folder / "panels.ipynb", LIVE, BUTTON, FAILING))
        notebook.run_all()
        for view in notebook.panels():
            view.settle()  # the first picture is drawn anew, with the pixels that the screen shows
        yield notebook
        notebook.page.evaluate("document.querySelectorAll('.labkit-panel').forEach(p=>p.remove())")
        notebook.page.wait_for_timeout(500)
        assert notebook.console == [], "a panel that is taken off the page is silent"


@pytest.fixture
def opened(panels):
    """The notebook with its first values, and nothing wrong before and after the test."""
    panels.page.set_viewport_size(SCREEN)
    panels.panels()[0].show()
    panels.panels()[0].reset()
    assert panels.errors() == panels.console == []
    yield panels
    assert panels.errors() == panels.console == []


def test_opening_reads_no_panel_aloud_and_letters_in_a_menu_stay_there(panels: Notebook):
    """JupyterLab's x cuts the cell, and b and d change it; a menu wants letters for itself."""
    assert [view.root.get_by_role("status").text_content() for view in panels.panels()] == [""] * 3
    for key in "bxdd":
        panels.panels()[0].root.locator("select").press(key)
    assert len(panels.page.evaluate(CELLS)) == 3 and len(panels.panels()) == 3


def test_every_control_has_a_name_and_moves_the_picture_by_keyboard(opened: Notebook):
    live = opened.panels()[0]
    first, first_alt = live.picture(), live.alt()
    words = {
        "Shots": ["shots is 0,", "shots is 25,", "shots is 50,"],
        "Noise": ["noise is 0.0,", "noise is 0.5", "noise is 1.0,"],
        "Method": ["method is probe", "method is fine-tuning"],
        "Show band": ["band is False", "band is True"],
        "Parts": ["parts is ['one'].", "parts is ['one', 'two']."],
        "Name": ["name is Linear xa,", "name is Linear,"],
    }
    controls = {control.name(): control for control in live.controls()}
    assert list(controls) == list(words)
    for name, control in controls.items():
        pictures = {live.picture()}
        for move, expected in zip(control.moves(), words[name], strict=True):
            live.settle()
            assert expected in live.alt(), f"{name} at {move}"
            pictures.add(live.picture())
        assert len(pictures) >= 2, f"{name} never changed the picture"
        live.reset()
        assert (live.picture(), live.alt()) == (first, first_alt), f"reset after {name}"


def test_a_fast_drag_ends_at_the_newest_value(opened: Notebook):
    live = opened.panels()[0]
    before = live.picture()
    shots = next(control for control in live.controls() if control.name() == "Shots")
    shots.drag([i / 40 for i in range(41)])
    live.settle()
    assert "shots is 50," in live.alt()
    assert live.picture() != before


def test_a_screen_reader_finds_groups_words_and_pictures(opened: Notebook):
    group = opened.page.get_by_role("group", name="Everything at once")
    expect(group.get_by_role("heading", name="Everything at once")).to_be_visible()
    slider = group.get_by_role("slider", name="Shots")
    expect(group.get_by_role("img", name=re.compile("shots is 20, noise is 0.5"))).to_be_visible()
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "50")
    expect(group.get_by_role("status")).to_contain_text("shots is 50,")


def test_a_button_panel_trains_once_per_press_and_tells_when_stale(opened: Notebook):
    view = opened.panels()[1]
    root, button = view.root, view.root.get_by_role("button", name="Train")
    expect(root.get_by_text("Press Train to see the result.").first).to_be_visible()
    assert view.picture() is None
    button.dblclick()
    expect(root.get_by_role("progressbar", name="Progress")).to_be_visible()
    expect(root.get_by_role("img", name=re.compile("name is run 1"))).to_be_visible()
    expect(button).to_be_visible(timeout=60_000)
    view.settle()
    assert "shots is 30" in view.alt() and "name is run 1" in view.alt(), "once, and to its end"
    picture = view.picture()
    root.get_by_role("slider", name="Steps").press("Home")
    expect(root.locator(".labkit-note")).to_contain_text("Settings changed")
    assert view.picture() == picture
    view.train()
    assert "shots is 1," in view.alt()
    assert view.picture() != picture


def test_a_training_grows_and_stop_keeps_what_was_drawn(opened: Notebook):
    view = opened.panels()[1]
    view.reset()
    train, stop = (view.root.get_by_role("button", name=name) for name in ("Train", "Stop"))
    train.press("Enter")
    expect(view.root.get_by_role("img", name=re.compile("shots is [3-9],"))).to_be_visible()
    stop.press("Enter")
    expect(train).to_be_visible()
    view.settle()
    said = view.root.locator(".labkit-note").inner_text()
    shots = re.match(r"Stopped at step (\d+) of 30\.", said)[1]
    assert f"shots is {shots}," in view.alt() and not view.error()


def test_an_exception_is_shown_and_goes_away(opened: Notebook):
    view = opened.panels()[2]
    slider = view.root.get_by_role("slider", name="A")
    slider.press("ArrowRight")
    expect(view.root.get_by_role("alert")).to_have_text("ValueError: three is too much")
    slider.press("ArrowRight")
    expect(view.root.get_by_role("alert")).to_be_hidden()
    expect(view.root.get_by_role("img", name=re.compile("shots is 4,"))).to_be_visible()


def test_a_picture_has_the_pixels_that_the_screen_shows(opened: Notebook):
    view = opened.panels()[0]
    size = "(image) => [image.naturalWidth, image.clientWidth * window.devicePixelRatio]"
    for width in (1280, 1050):
        opened.page.set_viewport_size({"width": width, "height": 1400})
        opened.page.wait_for_timeout(500)
        view.settle()
        drawn, shown = view.image.evaluate(size)
        assert abs(drawn - shown) <= 2 + 0.01 * shown, f"in a window of {width} pixels"


def test_a_picture_has_the_ink_of_its_page(panels):
    """JupyterLab's theme changes under it; the darkest opaque pixel tells its ink."""
    view = panels.panels()[0]
    inks = []
    for theme in ("Dark", "Light"):
        panels.theme(f"JupyterLab {theme}")
        view.show()
        view.settle()
        inks.append(view.image.evaluate(BRIGHTEST_AND_DARKEST))
    (bright, _), (_, dark) = inks
    assert bright > 230 and dark < 35, inks
