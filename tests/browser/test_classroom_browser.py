"""A page of panels in the browser, as a lecturer has it: no code, one a screen, all by keyboard."""

import os

import pytest
from driver import faults, voila

FOLLOWED = "(alt) => slides[at].querySelector('.labkit-image').alt !== alt"
DRAWN = "() => slides[at]?.querySelector('.labkit-image, canvas')?.clientHeight > 100"
SHARP = """() => { const image = slides[at].querySelector(".labkit-image");
    const shown = Math.min(image.clientWidth,
        image.clientHeight * image.naturalWidth / image.naturalHeight);
    return shown > 900 && Math.abs(image.naturalWidth / shown - 1) < 0.02; }"""
BELOW = """() => [...slides[at].querySelectorAll(".labkit-panel, .classroom-question")]
    .filter((part) => { const { right, bottom } = part.getBoundingClientRect();
        return right > innerWidth || bottom > innerHeight; }).map((part) => part.className)"""


@pytest.fixture
def url(tmp_path):
    with voila(tmp_path, "/lab/") as url:  # as behind a proxy
        yield url


def step_through(page, name: str) -> None:
    """Open a page from the start page and look at every panel, at both sizes of a projector."""
    page.get_by_role("link", name=name).click(timeout=120_000)
    page.wait_for_function("typeof slides !== 'undefined'", timeout=240_000)
    for place in range(page.evaluate("slides.length")):
        page.wait_for_function(DRAWN, timeout=240_000)
        for width, height in ((1920, 1080), (1280, 720)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(300)
            assert page.evaluate(BELOW) == [], f"panel {place + 1} at {width} x {height}"
        said = page.inner_text("body")
        assert page.evaluate("at") == place and "import" not in said and "Error" not in said
        page.keyboard.press("ArrowRight")


@pytest.mark.skipif("LABKIT_LONG" not in os.environ, reason="trains; LABKIT_LONG=1 runs it")
@pytest.mark.parametrize("name", ["Ten minutes", "LP-FT"])
def test_what_trains_is_shown_when_it_is_ready(browser, url, name) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(url)
    step_through(page, name)
    page.close()


def test_panels_step_fit_the_screen_follow_the_keyboard_and_ask_nobody(browser, url) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    assert page.get_by_role("listitem").count() > 6, "cards"
    step_through(page, "Contrastive")
    page.keyboard.press("PageUp")
    page.keyboard.press("PageDown")
    before = page.evaluate("slides[at].querySelector('.labkit-image').alt")
    page.locator(".labkit-panel:visible").get_by_label("Encoder").press("ArrowDown")
    page.wait_for_function(FOLLOWED, arg=before)
    page.wait_for_function(SHARP)  # a new size is told after a pause, and then drawn
    assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []
    if "LABKIT_AXE" in os.environ:
        assert faults(page) == []
    page.close()
