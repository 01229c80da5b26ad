"""Every notebook in JupyterLab: its cells run, every control of every panel moves its picture.

The first notebook is run as a whole, of the others only the cells tagged `setup` and `panel`, for
nbval runs them all. With LABKIT_LONG=1 all cells of all, the solutions too, and every control by
mouse as well as by keyboard.
"""

import pytest
from cases import LONG
from driver import Control, Notebook, PanelView, write_notebook

from labkit.course.classroom import panel_cells
from labkit.course.notebooks import NOTEBOOKS as FOLDER
from labkit.course.notebooks import chosen, read

NOTEBOOKS = chosen(FOLDER, ())
SOLUTIONS = chosen(FOLDER / "solutions", ())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_control_of_every_panel_moves_its_picture(notebook: Notebook, path):
    own = notebook.server.folder / path.name
    if not LONG and path != NOTEBOOKS[0]:
        write_notebook(own, *(cell.source for cell in panel_cells(read(path))))
    notebook.open(own)
    notebook.run_all()
    assert notebook.errors() == []
    assert notebook.page.locator(".labkit-panel").count()
    for number, view in enumerate(notebook.panels(), 1):
        where = f"{path.name}, panel {number}"
        names = [control.name() for control in view.controls()]
        assert all(names), f"{where}: a control has no accessible name: {names}"
        check = check_button_panel if view.has_button else check_live_panel
        check(view, where)
    assert notebook.errors() == []
    assert notebook.console == []


@pytest.mark.skipif(not LONG, reason="takes two minutes: LABKIT_LONG=1")
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_every_solution_runs(notebook: Notebook, path):
    notebook.open(notebook.server.folder / "solutions" / path.name)
    notebook.run_all()
    assert notebook.errors() == [] and notebook.console == []


def check_live_panel(view: PanelView, where: str) -> None:
    """Every control, from the first values of the others, to both ends, its middle and back."""
    view.show()
    settled(view, where)
    first = view.picture()
    for control in view.controls():
        pictures = {first}
        for move in control.moves():
            settled(view, f"{where}, {control.name()!r} at {move}")
            pictures.add(view.picture())
        assert len(pictures) >= 2, f"{where}, {control.name()!r}: the picture never changed"
        if LONG and control.kind == "slider":
            check_drag(view, control, f"{where}, {control.name()!r}")
        view.reset()
        assert view.picture() == first, f"{where}, {control.name()!r}: Reset gives another picture"


def check_drag(view: PanelView, slider: Control, where: str) -> None:
    """A fast drag by mouse ends with the picture of the value where it ends, and nothing queued."""
    for key, track in (("End", range(36)), ("Home", range(35, -1, -1))):
        slider.node.press(key)
        settled(view, where)
        there = view.picture()
        slider.node.press("Home" if key == "End" else "End")
        slider.drag([place / 35 for place in track])
        settled(view, f"{where}, dragged")
        assert view.picture() == there, f"{where}: a drag to its {key} ends with another picture"


def check_button_panel(view: PanelView, where: str) -> None:
    """Every control makes the picture stale; a press of the button brings the new one."""
    view.train()
    settled(view, where)
    first = view.picture()
    for control in view.controls():
        stale = set()
        for _ in control.moves():
            view.settle()
            stale.add(view.stale)
        assert True in stale, f"{where}, {control.name()!r}: the picture is not told to be stale"
        assert view.picture() == first, f"{where}, {control.name()!r}: trained without the button"
    view.train()
    settled(view, f"{where}, all controls at their ends")
    assert view.picture() != first and not view.stale
    view.reset()
    view.train()
    settled(view, f"{where}, after Reset")
    assert view.picture() == first, f"{where}: Reset and the button give another picture"


def settled(view: PanelView, where: str) -> None:
    view.settle()
    assert not view.error(), f"{where}: {view.error()}"
    assert view.alt(), f"{where}: the picture has no alternative text"
    assert view.picture() is not None, f"{where}: no picture"
