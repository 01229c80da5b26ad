"""What a notebook must be, beyond running (which nbval does): clean, tagged, paired, readable."""

from pathlib import Path

import nbformat
import pytest

from labkit import checks
from labkit.course.check import digest
from labkit.course.notebooks import NOTEBOOKS as FOLDER
from labkit.course.notebooks import chosen, read, tags

NOTEBOOKS = chosen(FOLDER, ())
SOLUTIONS = chosen(FOLDER / "solutions", ())
TAGS = {"setup", "panel", "claim", "exercise", "hide-input"}


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def exercises(path: Path) -> dict[str, nbformat.NotebookNode]:
    return {c.metadata.exercise: c for c in code_cells(path) if "exercise" in tags(c)}


def test_every_notebook_has_its_solutions() -> None:
    assert [p.name for p in NOTEBOOKS] == [p.name for p in SOLUTIONS] != []
    there = [*sorted(FOLDER.glob("*.ipynb")), *sorted(FOLDER.glob("solutions/*.ipynb"))]
    assert NOTEBOOKS + SOLUTIONS == there, "numbered, all of them"


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_notebooks_are_committed_without_outputs_and_with_tags_that_are_known(path: Path) -> None:
    notebook = read(path)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "exercise", "stub", "jupyter"} and tags(cell) <= TAGS
        assert cell.metadata.get("jupyter", {"source_hidden": True}) == {"source_hidden": True}
        assert ("exercise" in cell.metadata) == ("exercise" in tags(cell))
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_exercise_calls_its_check_and_is_solved(path: Path) -> None:
    solved = exercises(path.parent / "solutions" / path.name)
    assert exercises(path).keys() == solved.keys() != set()
    for name, cell in exercises(path).items():
        assert callable(getattr(checks, name)) and f"checks.{name}(" in cell.source
        assert f"outcome = checks.{name}(" in solved[name].source
        assert "assert outcome" in solved[name].source
        assert solved[name].metadata.stub == digest(cell), "by which check knows it is untouched"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_panels_follow_their_setup_and_figures_have_alternative_text(path: Path) -> None:
    """test_classroom.py and tests/browser run the cells tagged setup and panel alone."""
    found = code_cells(path)
    assert "setup" in tags(found[0]) and any("panel" in tags(cell) for cell in found)
    for cell in found:
        assert cell.source.count("plots.figure(") == cell.source.count("plots.Picture(fig,")
        if "panel" in tags(cell):
            assert not cell.source.splitlines()[-1].endswith(";"), "its last line shows it"
