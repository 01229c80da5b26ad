"""What every notebook must be, beyond running (which nbval does): clean, paired, readable."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
SOLUTIONS = sorted((FOLDER / "solutions").glob("*.ipynb"))


def read(path: Path):
    return nbformat.read(path, as_version=4)


def test_every_notebook_has_its_solutions() -> None:
    assert [p.name for p in NOTEBOOKS] == [p.name for p in SOLUTIONS] != []


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_notebooks_are_committed_without_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None and not cell.metadata


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_stay_short(path: Path) -> None:
    code = [cell.source for cell in read(path).cells if cell.cell_type == "code"]
    assert 10 <= len(code) <= 20
    lengths = sorted(len(source.splitlines()) for source in code)
    assert lengths[len(lengths) // 2] <= 15 and lengths[-1] <= 25


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_figures_have_alternative_text_and_exercises_are_solved(path: Path) -> None:
    """Every figure leaves its cell as a Picture; every check is asserted in the solutions."""
    sources = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "code")
    assert sources.count("plots.figure(") == sources.count("plots.Picture(fig,")
    solved = "\n".join(c.source for c in read(path.parent / "solutions" / path.name).cells)
    used = {line.split("(")[0] for line in sources.splitlines() if line.startswith("checks.")}
    assert used and all(f"outcome = {check}(" in solved for check in used)
    assert solved.count("assert outcome") >= len(used)
