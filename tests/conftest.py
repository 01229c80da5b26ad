"""What every test shares: hypothesis settings, no network, and which worker gets which tests."""

import os

# Before torch is imported: many tiny steps are up to ten times slower on two threads than on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import hypothesis
import pytest
from cases import LONG

# Processes that the tests start, kernels of notebooks among them, have no network.
OFFLINE = str(Path(__file__).parent / "offline")
if OFFLINE not in os.environ.get("PYTHONPATH", ""):
    paths = filter(None, [OFFLINE, os.environ.get("PYTHONPATH")])
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)

# No deadline: the first example of a property often pays for an import. In CI the same examples
# every time, so that a failure belongs to the change under test. LABKIT_LONG=1: 10,000 new ones.
hypothesis.settings.register_profile(
    "labkit", deadline=None, derandomize="CI" in os.environ, print_blob=True
)
hypothesis.settings.register_profile("long", deadline=None, max_examples=10_000, print_blob=True)
hypothesis.settings.load_profile("long" if LONG else "labkit")


def pytest_collection_modifyitems(items):
    """Notebooks first, since they take long; the browser last.

    Playwright leaves an event loop running, beside which neither nbval nor asyncio.run works.
    """
    items.sort(key=lambda item: place_of(item.nodeid))


def place_of(nodeid: str) -> int:
    if nodeid.startswith("notebooks/"):
        return 0
    if nodeid.startswith("tests/browser/"):
        return 2 + ("test_notebooks_browser" not in nodeid)  # the longest first
    return 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give a file to one worker as a whole: a notebook's cells share a kernel, tests a fixture.

    In the browser each notebook is a group of its own, of a minute each.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return nodeid if file.endswith("test_notebooks_browser.py") else file

    config.option.loadscopereorder = False  # the order above, and not the largest files first
    return Groups(config, log)


@pytest.fixture
def pixel_of():
    """Where a point of a panel's picture lies: shares of width and height, from the upper left."""

    def find(panel, axes: int, x: float, y: float) -> tuple[float, float]:
        figure = panel.canvas.shown
        across, up = figure.axes[axes].transData.transform((x, y)) / figure.bbox.size
        assert panel.canvas.locate(across, 1 - up) == pytest.approx((axes, x, y))
        return float(across), float(1 - up)

    return find
