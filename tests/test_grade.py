"""`python -m labkit check`: what is solved, found by running the student's code apart."""

from __future__ import annotations

import json

import nbformat
import pytest
from cases import LONG

from labkit import grade

NAMES = ("first_order", "inner_step", "query_is_support", "ridge")  # notebook 02's


def notebook(folder, *cells: str):
    """A student's notebook 02 with these code cells."""
    path = folder / "02_meta_learning.ipynb"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(book, path)
    return path


def found(path, limit: float = 60) -> dict[str, grade.Exercise]:
    exercises = {e.name: e for e in grade.report(path, limit)}
    assert sorted(exercises) == list(NAMES)
    return exercises


IMPORT = "from labkit import checks, meta"
SOLVED = "def ridge(x, y, s):\n    return lambda new: new @ meta.ridge(x, y, s)"
CHECK = "checks.ridge(ridge)"


def test_a_solved_exercise_passes_and_one_not_written_does_not(tmp_path) -> None:
    exercises = found(notebook(tmp_path, IMPORT, SOLVED, "%matplotlib inline\n" + CHECK))
    assert exercises["ridge"].passed
    assert not any(exercises[name].passed for name in NAMES if name != "ridge")
    assert "not checked" in exercises["inner_step"].message


QUICK = ("02", "06")  # the exercises of the others need training; LABKIT_LONG=1 runs them too


@pytest.mark.parametrize("part", ["", "solutions"], ids=["stubs", "solutions"])
def test_the_stubs_solve_nothing_and_the_solutions_everything(part) -> None:
    words = () if LONG else QUICK
    for path in grade.chosen(grade.NOTEBOOKS / part, words):
        for exercise in grade.report(path):
            assert exercise.passed == bool(part), f"{path}: {exercise}"


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ((IMPORT, "def ridge(x, y, s): pass", CHECK), "returns NoneType"),
        (
            (IMPORT, "checks.ridge = lambda f: True", "def ridge(*a): pass", CHECK),
            "returns NoneType",
        ),
        ((IMPORT, CHECK), "NameError: name 'ridge' is not defined"),
        ((IMPORT, "def ridge(x, y, s):\n    while True: pass", CHECK), "did not end within 8"),
        ((IMPORT, "def ridge(x, y, s):\n    import os; os._exit(3)", CHECK), "ended Python"),
        ((IMPORT, SOLVED, "def broken(:", "check.ridge(ridge)"), "code cell 3 is no valid"),
    ],
    ids=["stub", "overwritten", "deleted", "endless", "crash", "syntax"],
)
def test_what_is_not_solved_is_told_and_never_stops_the_report(tmp_path, cells, message) -> None:
    exercise = found(notebook(tmp_path, *cells), limit=8 if "while" in cells[1] else 60)["ridge"]
    assert not exercise.passed and message in exercise.message


def test_the_file_for_a_grader_holds_every_exercise(tmp_path, capsys) -> None:
    notebook(tmp_path, IMPORT, SOLVED, CHECK)
    out = tmp_path / "result.json"
    assert grade.main(["02", "--folder", str(tmp_path), "--json", str(out)]) == 0
    content = json.loads(out.read_text(encoding="utf-8"))
    assert (content["passed"], content["exercises"]) == (1, 4)
    assert content["notebooks"]["02_meta_learning"]["ridge"] == {
        "passed": True,
        "message": "That is right.",
    }
    assert "1 of 4 exercises are solved" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.tmp"))


def test_an_unknown_notebook_is_named(tmp_path, capsys) -> None:
    assert grade.main(["09"]) == 2
    assert "got 09, accepted: the beginning of 01_motivation" in capsys.readouterr().err
    with pytest.raises(ValueError, match="got 99_own, accepted: 01_motivation"):
        grade.report(tmp_path / "99_own.ipynb")
