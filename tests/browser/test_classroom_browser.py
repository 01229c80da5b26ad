"""A page of panels in the browser, as a lecturer has it: no code, and everything by keyboard."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from driver import free_port, stopped, wait_for

from labkit.course import classroom

FOLLOWED = "(alt) => document.querySelector('.labkit-image').alt !== alt"


@pytest.fixture
def url(tmp_path):
    pages = tmp_path / "pages"
    pages.mkdir()
    classroom.write_pages(pages)
    port = free_port()
    log: Path = tmp_path / "voila.log"
    options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with open(log, "w") as output:
        process = subprocess.Popen(
            classroom.command(pages, options), stdout=output, stderr=subprocess.STDOUT
        )
    with stopped(process):
        url = f"http://127.0.0.1:{port}"
        wait_for(url, process, log)
        yield url


def test_a_panel_follows_the_keyboard_and_shows_no_code(browser, url) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{url}/voila/render/01_motivation.ipynb", timeout=120_000)
    panel = page.locator(".labkit-panel").first
    image = panel.locator(".labkit-image")
    image.wait_for(timeout=120_000)
    before = image.get_attribute("alt")
    panel.get_by_label("Style").press("ArrowDown")
    page.wait_for_function(FOLLOWED, arg=before)
    assert "import" not in page.inner_text("body")
    shown = image.bounding_box()["width"]
    assert shown > 1000, "large on a projector of 1280 pixels"
    drawn = image.evaluate("image => image.naturalWidth")
    assert drawn == pytest.approx(shown, rel=0.02), "as sharp as the projector"
    page.close()
