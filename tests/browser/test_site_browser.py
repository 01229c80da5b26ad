"""The site from files, without a server: every control moves its picture, alone."""

import pytest
from driver import faults, silent_page
from playwright.sync_api import expect
from sites import small_notebook

from labkit.course import site


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("site")
    site.make([small_notebook(folder)], folder / "pages")
    return (folder / "pages" / "09_small.html").as_uri()


@pytest.fixture(params=["1400 light", "390 dark"])
def page(browser, url, request):
    width, theme = request.param.split()
    with silent_page(browser, url, int(width), color_scheme=theme) as page:
        yield page
        assert not page.evaluate("document.documentElement.scrollLeft")
        assert page.evaluate("document.documentElement.scrollWidth") <= int(width)


def test_one_control_moves_at_a_time_and_ticks_stay(page) -> None:
    panel, image = page.locator(".recorded"), page.locator(".recorded img")
    a, b, flip, word = (panel.get_by_label(name) for name in ("A", "B", "Flip", "Word"))

    def shows(words: str) -> None:
        expect(image).to_have_attribute("alt", words)
        page.wait_for_function("document.querySelector('.recorded img').naturalWidth > 0")

    shows("0 1 False x")
    a.select_option("2")
    shows("2 1 False x")
    seen = image.evaluate("image => image.currentSrc")
    b.press("ArrowRight")
    shows("0 2 False x")
    assert a.input_value() == "0" and image.evaluate("image => image.currentSrc") != seen
    flip.press("Space")
    shows("0 2 True x")
    word.select_option(label="y")
    shows("0 1 True y")
    b.press("Home")
    expect(panel.locator(".refused")).to_have_text("b: got 0, accepted: 1 and 2")
    panel.get_by_role("button", name="Reset").click()
    shows("0 1 False x")


def test_pages_have_no_serious_fault(page) -> None:
    assert faults(page) == []
    page.goto(page.url.replace("09_small", "index"))
    assert faults(page) == []
