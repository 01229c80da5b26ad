"""The feature-distortion explorer as a reader has it: scrub, play, point, retrain, give up."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from driver import SCREEN, Control, Notebook, new_notebook, write_notebook
from playwright.sync_api import Locator, expect

CELL = """
from labkit import explorers
from labkit.lp_ft.distortion import ExplorerSetting

explorer = explorers.feature_distortion(ExplorerSetting(shots=4, steps=3))
explorer
"""
SHOWN = "() => document.querySelector('.labkit-canvas').dataset.shown"


@pytest.fixture(scope="module")
def trained(browser, server) -> Iterator[Notebook]:
    """The explorer, open; the tests move it one after the other."""
    with new_notebook(browser, server) as notebook:
        notebook.open(write_notebook(server.folder / "distortion.ipynb", CELL))
        notebook.run_all()
        notebook.page.wait_for_selector(".labkit-canvas[data-shown]", timeout=60_000)
        yield notebook


@pytest.fixture
def explorer(trained: Notebook) -> Iterator[Notebook]:
    """The explorer, with nothing wrong before and after what is done with it."""
    assert trained.errors() == trained.console == []
    yield trained
    assert trained.errors() == trained.console == []
    assert root(trained).locator(".labkit-error").text_content() == ""


def root(notebook: Notebook) -> Locator:
    return notebook.page.locator(".labkit-distorting")


def picture(notebook: Notebook) -> str:
    return notebook.page.evaluate("document.querySelector('.labkit-canvas').toDataURL()")


def scene_number(notebook: Notebook) -> int:
    """Which training is shown, from 1."""
    return int(notebook.page.evaluate(SHOWN).split()[0])


def wait_shown(notebook: Notebook, shown: str, seconds: float = 90) -> None:
    condition = f"({SHOWN})() === {shown!r}"
    notebook.page.wait_for_function(condition, timeout=1000 * seconds)


def test_every_training_control_retrains_and_reset_returns(explorer: Notebook) -> None:
    view = root(explorer)
    area = view.locator(".labkit-controls")
    first, number = picture(explorer), scene_number(explorer)
    kinds = {"slider": area.get_by_role("slider"), "menu": area.locator("select")}
    controls = [
        Control(kind, found.nth(i), explorer.page)
        for kind, found in kinds.items()
        for i in range(found.count())
    ]
    assert len(controls) == 7
    for control in controls:
        assert control.name(), f"a {control.kind} has no accessible name"
        if control.kind == "slider":
            control.node.press("Home")
        else:
            control.node.select_option(index=1)
        number += 1
        wait_shown(explorer, f"{number} fine-tuning 3")
        expect(view.locator(".labkit-progress")).to_be_hidden()
    assert picture(explorer) != first
    view.get_by_role("button", name="Reset").press("Enter")
    wait_shown(explorer, f"{number + 1} fine-tuning 3")
    assert picture(explorer) == first


def test_scrubbing_follows_every_key_and_ends_at_the_last(explorer: Notebook) -> None:
    number = scene_number(explorer)
    slider = root(explorer).get_by_role("slider", name="Training step")
    pictures = {picture(explorer)}
    for key, frame in (("Home", 0), ("ArrowRight", 1), ("PageUp", 2), ("End", 3)):
        slider.press(key)
        wait_shown(explorer, f"{number} fine-tuning {frame}", 30)
        pictures.add(picture(explorer))
    assert len(pictures) >= 4
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    explorer.page.mouse.move(box["x"] + 2, y)
    explorer.page.mouse.down()
    for step in range(40):
        explorer.page.mouse.move(box["x"] + box["width"] * step / 39, y)
    explorer.page.mouse.up()
    wait_shown(explorer, f"{number} fine-tuning 3", 30)
    expect(explorer.page.get_by_role("img", name=re.compile("step 3 of 3"))).to_be_visible()


def test_pointing_shows_an_emoji_and_a_click_follows_it(explorer: Notebook) -> None:
    canvas = root(explorer).locator(".labkit-canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for x, y in ((x, y) for y in range(80, 360, 12) for x in range(10, 380, 12)):
        explorer.page.mouse.move(box["x"] + x, box["y"] + y)
        if canvas.evaluate("node => node.style.cursor") == "pointer":
            break
    else:
        raise AssertionError("no point was found under the mouse")
    before = picture(explorer)
    explorer.page.mouse.down()
    explorer.page.mouse.up()
    expect(explorer.page.get_by_role("img", name=re.compile("Following "))).to_be_visible()
    explorer.page.wait_for_timeout(100)
    assert picture(explorer) != before


def test_pointing_finds_the_same_emoji_on_a_page_that_is_zoomed(explorer: Notebook) -> None:
    """As the classroom's pages are."""
    canvas, found = root(explorer).locator(".labkit-canvas"), []
    explorer.page.set_viewport_size({**SCREEN, "width": 2000})  # room for its full width
    for zoom in (1, 1.35):
        root(explorer).evaluate(f"node => {{ node.style.zoom = {zoom} }}")
        canvas.scroll_into_view_if_needed()
        explorer.page.wait_for_timeout(300)
        box = canvas.bounding_box()
        places = [(x, y) for y in range(80, 200, 30) for x in range(10, 380, 20)]
        hits = []
        for x, y in places:
            explorer.page.mouse.move(box["x"] + zoom * x, box["y"] + zoom * y)
            hits.append(canvas.evaluate("node => node.style.cursor") == "pointer")
        found.append(hits)
        width = canvas.evaluate("node => node.width")
        assert width == pytest.approx(box["width"], abs=2), "a pixel for each of the screen's"
    assert any(found[0]) and not all(found[0])
    same = sum(one == two for one, two in zip(*found, strict=True))
    assert same >= 0.97 * len(places), "but for a place at the very edge of a point's reach"
    root(explorer).evaluate("node => { node.style.zoom = 1 }")
    explorer.page.set_viewport_size(SCREEN)


def test_every_view_control_changes_the_picture(explorer: Notebook) -> None:
    view, number = root(explorer), scene_number(explorer)
    for method, frame in (("lp-ft", 3), ("probe", 0), ("wise-ft", 10), ("fine-tuning", 3)):
        before = picture(explorer)
        view.get_by_label("Method").select_option(method)
        wait_shown(explorer, f"{number} {method} {frame}", 30)
        assert picture(explorer) != before
    before = picture(explorer)
    view.get_by_label("Draw the emoji").check()
    explorer.page.wait_for_timeout(200)
    assert picture(explorer) != before
    before = picture(explorer)
    view.locator(".labkit-view select").nth(1).select_option(index=3)
    explorer.page.wait_for_timeout(200)
    assert picture(explorer) != before
    expect(explorer.page.get_by_role("img", name=re.compile("Following "))).to_be_visible()
    view.get_by_role("button", name="Play").press("Enter")
    expect(view.get_by_role("button", name="Pause")).to_be_visible()
    wait_shown(explorer, f"{number} fine-tuning 3", 20)
    expect(view.get_by_role("button", name="Play")).to_be_visible()


def test_moving_again_gives_up_and_the_last_setting_is_shown(explorer: Notebook) -> None:
    view = root(explorer)
    number = scene_number(explorer)
    slider = view.get_by_role("slider", name="FT learning rate").first
    slider.press("End")
    expect(view.locator(".labkit-progress")).to_be_visible()
    view.get_by_role("slider", name="Training step").press("Home")  # scrubbing goes on meanwhile
    wait_shown(explorer, f"{number} fine-tuning 0", 30)
    slider.press("Home")
    expect(view.locator(".labkit-progress")).to_be_hidden(timeout=90_000)
    wait_shown(explorer, f"{number + 1} fine-tuning 0")
    expect(
        explorer.page.get_by_role("img", name=re.compile("learning rate 0.0001"))
    ).to_be_visible()
