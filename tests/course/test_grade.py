"""`python -m labkit check`: what is solved, found by running the student's code apart."""

from __future__ import annotations

import json

import nbformat
import pytest
from cases import LONG

from labkit.course import check as grade

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
QUICK = ("02", "06")  # the exercises of the others need training; LABKIT_LONG=1 runs them too


@pytest.mark.parametrize("part", ["", "solutions"], ids=["stubs", "solutions"])
def test_the_stubs_solve_nothing_and_the_solutions_everything(part) -> None:
    words = () if LONG else QUICK
    for path in grade.chosen(grade.NOTEBOOKS / part, words):
        for exercise in grade.report(path):
            assert exercise.passed == bool(part), f"{path}: {exercise}"


def test_what_is_not_solved_is_told_exercise_by_exercise(tmp_path) -> None:
    exercises = found(
        notebook(
            tmp_path,
            IMPORT,
            "checks.ridge = lambda f: True",
            "def ridge(x, y, s): pass",
            CHECK,
            "checks.inner_step(inner_step)",
            "def query_is_support(x): return x",
            "def broken(:",
        )
    )
    messages = {
        "ridge": "returns NoneType",  # an overwritten check counts for nothing
        "inner_step": "NameError: name 'inner_step' is not defined",
        "query_is_support": "code cell 7 is no valid Python",
        "first_order": "code cell 7 is no valid Python",
    }
    for name, message in messages.items():
        assert not exercises[name].passed and message in exercises[name].message


@pytest.mark.parametrize(
    ("body", "message"),
    [("while True: pass", "did not end within 8"), ("import os; os._exit(3)", "ended Python")],
    ids=["endless", "crash"],
)
def test_what_ends_or_never_ends_does_not_stop_the_report(tmp_path, body, message) -> None:
    path = notebook(tmp_path, IMPORT, f"def ridge(x, y, s):\n    {body}", CHECK)
    exercise = found(path, limit=8 if "while" in body else 60)["ridge"]
    assert not exercise.passed and message in exercise.message


def test_the_file_for_a_grader_holds_every_exercise(tmp_path, capsys) -> None:
    notebook(tmp_path, IMPORT, SOLVED, "%matplotlib inline\n" + CHECK)
    out = tmp_path / "result.json"
    assert grade.main(["02", "--folder", str(tmp_path), "--json", str(out)]) == 0
    content = json.loads(out.read_text(encoding="utf-8"))
    assert (content["passed"], content["exercises"]) == (1, 4)
    exercises = content["notebooks"]["02_meta_learning"]
    assert exercises.pop("ridge") == {"passed": True, "message": "That is right."}
    assert all("not checked" in exercise["message"] for exercise in exercises.values())
    assert "1 of 4 exercises are solved" in capsys.readouterr().out
    assert not list(tmp_path.glob("*.tmp"))


def test_leaving_python_is_told_and_does_not_hide_what_is_solved(tmp_path) -> None:
    leaves = "import sys\nsys.exit()\nchecks.inner_step(inner_step)"
    exercises = found(notebook(tmp_path, IMPORT, leaves, SOLVED, CHECK))
    assert exercises["ridge"].passed and "SystemExit" in exercises["inner_step"].message


def test_a_copy_beside_the_notebooks_is_skipped(tmp_path, monkeypatch, capsys) -> None:
    path = notebook(tmp_path, IMPORT)
    copy = path.with_name("02_meta_learning-Copy1.ipynb")
    copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(grade, "run_apart", lambda notebook, limit: {})
    assert grade.main(["--folder", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "02_meta_learning-Copy1: skipped" in printed and "0 of 4 exercises" in printed


def test_an_unknown_notebook_is_named(tmp_path, capsys) -> None:
    assert grade.main(["--folder", str(tmp_path)]) == 2
    assert f"notebook: {tmp_path} has none" in capsys.readouterr().err
    assert grade.main(["09"]) == 2
    assert "got 09, accepted: the beginning of 01_motivation" in capsys.readouterr().err
    with pytest.raises(ValueError, match="got 99_own, accepted: 01_motivation"):
        grade.report(tmp_path / "99_own.ipynb")
