"""The explorer and the proof in JupyterLab: a training is drawn as it goes, and can be stopped."""

from collections.abc import Iterator

import pytest
from driver import Notebook, new_notebook, write_notebook
from playwright.sync_api import Locator, expect

CELL = """
from labkit import explorers
from labkit.lp_ft.distortion import ExplorerSetting

explorer = explorers.feature_distortion(ExplorerSetting(shots=4, steps=8))
explorer
"""
SHOWN = "document.querySelector('.labkit-distorting .labkit-canvas').dataset.shown"


@pytest.fixture(scope="module")
def trained(browser, server) -> Iterator[Notebook]:
    """Both pictures, open; the tests move them one after the other."""
    with new_notebook(browser, server) as notebook:
        path = server.folder / "distortion.ipynb"
        notebook.open(write_notebook(path, CELL, "explorers.theory()"))
        notebook.run_all()
        notebook.page.wait_for_selector(".labkit-proof .labkit-canvas[data-shown]")
        notebook.page.wait_for_selector(".labkit-distorting .labkit-canvas[data-shown]")
        yield notebook
        assert notebook.errors() == notebook.console == []


def root(notebook: Notebook) -> Locator:
    return notebook.page.locator(".labkit-distorting")


def test_both_are_named_and_follow_the_theme(trained: Notebook) -> None:
    page = trained.page
    assert page.get_by_role("group", name="Watch fine-tuning move features").count() == 1
    assert page.get_by_role("group", name="The three lines as a picture").count() == 1
    for theme, name in (("JupyterLab Dark", "dark"), ("JupyterLab Light", "light")):
        trained.theme(theme)
        for scene in page.locator(".labkit-scene").all():
            expect(scene).to_have_attribute("data-theme", name)


def test_a_training_is_drawn_as_it_goes_and_stays(trained: Notebook) -> None:
    view, page = root(trained), trained.page
    view.get_by_text("More", exact=True).click()
    for label in ("Learn in (ID)", "Labels per class", "FT learning rate", "FT's first head"):
        view.get_by_label(label, exact=True).select_option(index=1)
    view.get_by_role("button", name="Train").press("Enter")
    expect(view.get_by_role("button", name="Stop")).to_be_visible(timeout=30_000)
    page.wait_for_function(f"/^yours [1-7]/.test({SHOWN})", timeout=90_000)
    expect(view.get_by_role("button", name="Train")).to_be_visible(timeout=120_000)
    page.wait_for_function(f"{SHOWN} === 'yours 8.00'", timeout=30_000)
    expect(view.get_by_role("radio", name="Yours rate, 0.0003")).to_be_checked()
    expect(view.locator(".labkit-caption")).to_contain_text("right in noto (ID)")


def test_stop_ends_a_training_at_once(trained: Notebook) -> None:
    view = root(trained)
    view.get_by_label("LP-FT learning rate").select_option(index=3)
    view.get_by_role("button", name="Train").press("Enter")
    stop = view.get_by_role("button", name="Stop")
    expect(stop).to_be_visible(timeout=30_000)
    stop.press("Enter")
    expect(view.get_by_role("button", name="Train")).to_be_visible(timeout=30_000)
    view.get_by_role("radio", name="Dramatic").check(force=True)
    expect(view.locator(".labkit-caption")).to_contain_text("right in fluent-flat (ID)")
