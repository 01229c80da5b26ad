"""Every notebook in JupyterLab: all cells run, every control of every panel moves its picture."""

from __future__ import annotations

import pytest
from driver import ROOT, Notebook, PanelView

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_control_of_every_panel_moves_its_picture(notebook: Notebook, path):
    notebook.open(notebook.server.folder / path.name)
    notebook.run_all()
    assert notebook.errors() == []
    for number, view in enumerate(notebook.panels(), 1):
        where = f"{path.name}, panel {number}"
        for control in view.controls():
            name = control.name()
            assert name, f"{where}: a {control.kind} has no accessible name"
            move_through(view, control, f"{where}, {name!r}")
            if not view.has_button:
                view.reset()  # a control may have an effect only beside the others' first values
        check_reset(view, where)
    assert notebook.errors() == []
    assert notebook.console == []


def move_through(view: PanelView, control, where: str) -> None:
    """Visit both ends and the middle; a panel with a button is pressed once, at the first."""
    if view.has_button and view.picture() is None:
        view.train()
    pictures = {view.picture()}
    for move in control.moves():
        view.settle()
        if view.has_button and view.stale and len(pictures) == 1:
            view.train()
        assert not view.error(), f"{where} at {move}: {view.error()}"
        assert view.alt(), f"{where} at {move}: the picture has no alternative text"
        pictures.add(view.picture())
    assert len(pictures) >= 2, f"{where}: the picture never changed"


def check_reset(view: PanelView, where: str) -> None:
    view.reset()
    if view.stale:
        view.train()
    assert not view.error(), f"{where}, after Reset: {view.error()}"
    assert view.picture() is not None, f"{where}, after Reset: no picture"
