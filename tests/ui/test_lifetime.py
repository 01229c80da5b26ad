"""What a cell made in its run before is let go, and nothing else is."""

from __future__ import annotations

import ast
import gc
import weakref

import numpy as np
import pytest

from labkit.ui import lifetime
from labkit.ui.panel import Panel, panel


class Large:
    """Stands for the images and features that a panel holds on to."""

    def __init__(self) -> None:
        self.values = np.zeros(10)


def make(large: Large) -> Panel:
    return panel(lambda a: large.values[a], lambda ax, y: ax.plot([y]), lambda y: f"{y}", a=(0, 9))


@pytest.fixture
def cell(monkeypatch):
    """Says which cell is running, and in which run."""
    monkeypatch.setattr(lifetime, "_latest", {})
    yield lambda name, run: monkeypatch.setattr(lifetime, "running_cell", lambda: (name, run))
    gc.unfreeze()


class Cyclic:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self


def test_what_lived_when_a_panel_was_made_is_collected_when_the_next_one_is(cell) -> None:
    cyclic = Cyclic()
    gone = weakref.ref(cyclic)
    cell("one", 1)
    make(Large())
    cyclic = None
    gc.collect()
    assert gone() is not None, "collections pass over it, and are quick"
    cell("two", 1)
    make(Large())
    assert gone() is None


def test_a_cell_that_runs_again_lets_its_panels_go(cell) -> None:
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


def test_other_cells_and_the_same_run_keep_theirs(cell) -> None:
    cell("one", 1)
    first, beside = make(Large()), make(Large())
    cell("two", 2)
    other = make(Large())
    for shown in (first, beside, other):
        before = shown.picture.frames
        shown.controls["a"].value += 1
        assert shown.picture.frames == before + 1


def test_outside_a_kernel_nothing_is_let_go() -> None:
    assert lifetime.running_cell() == ("", 0)
    first = make(Large())
    make(Large())
    assert first.comm is not None


def test_a_kernel_names_the_cell_that_runs(tmp_path) -> None:
    import nbformat
    from nbclient import NotebookClient

    source = "from labkit.ui.lifetime import running_cell; running_cell()"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():
        client.kc.session.metadata = {"cellId": "abc"}
        client.execute_cell(notebook.cells[0], 0)
    cell, run = ast.literal_eval(notebook.cells[0].outputs[0].data["text/plain"])
    assert cell == "abc" and run >= 1
