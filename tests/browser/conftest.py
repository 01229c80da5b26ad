"""A browser and a JupyterLab for the tests here; driver.py says how they are started.

Without a Chromium the tests are skipped and say so; with LABKIT_REQUIRE_BROWSER set they fail.
"""

import os

import pytest

pytest.importorskip("playwright", reason="the browser tests need playwright")

from driver import NoBrowser, jupyterlab, launched, new_notebook  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        try:
            with launched(playwright) as browser:
                yield browser
        except NoBrowser as problem:
            if os.environ.get("LABKIT_REQUIRE_BROWSER"):
                pytest.fail(str(problem))
            pytest.skip(str(problem))


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):  # `browser` first: without one, nothing need be started
    with jupyterlab(tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def notebook(browser, server):
    with new_notebook(browser, server) as notebook:
        yield notebook
