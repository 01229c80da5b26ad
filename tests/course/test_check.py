"""`python -m labkit check`: what is solved, found by running the notebook as JupyterLab does."""

import json
from pathlib import Path

import nbformat
import pytest
from cases import LONG

from labkit.course import check, notebooks

NAMES = ["inner_step", "ridge", "first_order", "query_is_support"]  # notebook 02's
NAME = Path("02_meta_learning.ipynb")


def write(folder: Path, *cells: str, exercises: dict[int, str] | None = None) -> Path:
    """A student's notebook 02 with these code cells; exercises: place of a cell -> its check."""
    path = folder / NAME
    made = [nbformat.v4.new_code_cell(cell) for cell in cells]
    for place, name in (exercises or {}).items():
        made[place].metadata = nbformat.from_dict({"tags": ["exercise"], "exercise": name})
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


STUBS = pytest.param("", marks=pytest.mark.skipif(not LONG, reason="minutes: LABKIT_LONG=1"))


@pytest.mark.parametrize("part", [STUBS, "solutions"], ids=["stubs", "solutions"])
def test_the_stubs_solve_nothing_and_the_solutions_everything(part) -> None:
    """Of one notebook, or of all (LABKIT_LONG=1); none needs the name of a panel left out."""
    for path in check.chosen(check.NOTEBOOKS / part, () if LONG else ("05",)):
        exercises, wrong = check.report(path)
        assert wrong == [], path
        for exercise in exercises:
            assert exercise.state == ("solved" if part else "untouched"), f"{path}: {exercise}"


PASSES_IN_JUPYTERLAB = (
    "from labkit import checks, meta\nfrom math import *\n"
    "cfg = type('Config', (), {})()\ncfg.scale = 1.0\n"
    "print(list(range(100_000)))",  # merging the outputs of so long a line takes minutes
    "match {'strength': 2.0}:\n    case {'strength': strength}:\n        pass",
    "def configure():\n    global factor\n    factor = 0.5\nconfigure()",
    "import matplotlib.pyplot as plt\nplt.plot([0, floor(pi)])\nplt.show()",
    "def ridge(x, y, s):\n    assert factor * strength * cfg.scale == cos(0)\n"
    "    return lambda new: new @ meta.ridge(x, y, s)",
    "import asyncio\nimport labkit.checks as ch\n"
    "display(cfg)\nget_ipython()\nmeta.ridge?\n!ls\nlisted = !ls\n"
    "%timeit -n1 -r1 floor(pi)\nif True:\n    %timeit -n1 -r1 floor(pi)\n"
    "best = %timeit -n1 -r1 -o floor(pi)\nawait asyncio.sleep(0)\nch.ridge(ridge)",
)
DOES_NOT = (
    "checks.inner_step = lambda f: True\nchecks.inner_step(ridge)\n"  # counts for nothing
    "ch.ridge(lambda *arguments: None)",  # nor does a stub below what is solved
    "checks.inner_step(inner_step)",
    "def broken(:",
    "import sys\nsys.exit()",
    "ch.first_order(lambda *arguments: None)",
    "explorers.no_such_panel()",  # a panel in one line is left out
    "import os\nos._exit(3)",
    "ch.ridge(None)",  # is not reached, or this would be the last outcome of the exercise
)


def test_what_passes_in_jupyterlab_passes_and_the_rest_is_told(tmp_path, capsys) -> None:
    path = write(tmp_path, *PASSES_IN_JUPYTERLAB, *DOES_NOT, exercises={7: "inner_step"})
    book = nbformat.read(path, as_version=4)
    book.cells[11].metadata.tags = ["panel"]
    nbformat.write(book, path)
    out = tmp_path / "result.json"
    arguments = ["02", "--folder", str(tmp_path), "--json", str(out), "--strict"]
    assert check.main(arguments) == 1
    content = json.loads(out.read_text(encoding="utf-8"))
    found = content.pop("notebooks")["02_meta_learning"]
    assert content == {"solved": 1, "wrong": 3, "untouched": 0, "exercises": 4}
    assert list(found) == NAMES and not list(tmp_path.glob("*.tmp"))
    assert found["ridge"] == {"state": "solved", "message": "That is right."}
    name_error = "code cell 8 raised NameError: name 'inner_step' is not defined"
    assert found["inner_step"] == {"state": "wrong", "message": name_error}
    assert "returns" in found["first_order"]["message"]
    assert found["query_is_support"]["message"] == check.MISSING
    printed = capsys.readouterr().out
    assert f"02_meta_learning: 1 of 4 ({path})" in printed and "\n1 of 4 exercises" in printed
    told = [line[4:] for line in printed.splitlines() if line.startswith("  ! ")]
    assert [line.split(":")[0] for line in told] == [
        "code cell 8 raised NameError",
        "code cell 9 raised SyntaxError",
        "code cell 10 raised SystemExit",
        "code cell 13 ended Python; the cells after it were not run",
    ]


def test_endless_loops_are_interrupted_and_do_not_stop_the_report(tmp_path, monkeypatch) -> None:
    """An exercise has a third of the limit; one that was left as it is says so."""
    monkeypatch.setattr(notebooks, "GRACE", 2)
    lab = notebooks.read(check.NOTEBOOKS / NAME)
    ridge = "def ridge():\n    yield from ()\nridge = checker(ridge)"
    path = write(
        tmp_path,
        "from labkit.exercise import checker\n" + ridge,
        "while True:\n    pass",
        "ridge()",
        lab.cells[check.exercise_cells(lab)["first_order"]].source,
        "while True:\n    try:\n        while True:\n            pass\n"
        "    except KeyboardInterrupt:\n        pass",
        "ridge()",
        exercises={1: "inner_step", 3: "first_order"},
    )
    exercises, wrong = check.report(path, limit=6)
    states = {exercise.name: exercise.state for exercise in exercises}
    assert states == dict(zip(NAMES, ("wrong", "solved", "untouched", "wrong"), strict=True))
    assert [text for text in wrong if "raised" not in text] == [
        "code cell 2 did not end within 2 seconds and was interrupted",
        "code cell 5 did not end, nor could it be interrupted; the cells after it were not run",
    ]


def test_a_notebook_has_a_time_limit_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(notebooks, "WHOLE", 0)
    _, wrong = check.report(write(tmp_path, "1", "2"), limit=60)
    assert wrong == [
        "code cell 1 ended after the time for a notebook, 0 s; the cells after it were not run"
    ]


CONFLICT = '{\n "cells": [\n<<<<<<< HEAD\n=======\n>>>>>>> main\n ]\n}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CONFLICT, "merge conflict in line 3: take one side of it whole"),
        ("", "Notebook does not appear to be JSON: ''"),
        ("[]", "'list' object has no attribute 'get'"),
        ("{}", "missing a key: cells"),
        ('{"nbformat": 9}', "Unsupported nbformat version 9"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [null]}', "'NoneType'"),
        ('{"nbformat": 4, "nbformat_minor": "5", "metadata": {}, "cells": []}', "AssertionError"),
    ],
)
def test_what_is_no_notebook_is_told_in_one_line(tmp_path, capsys, text, message) -> None:
    (tmp_path / NAME).write_text(text)
    assert check.main(["02", "--folder", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert f"! {NAME} is no notebook: " in printed and printed.count(message) == 1
    assert "0 of 4 exercises are solved" in printed


def test_a_kernel_that_cannot_start_is_told(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(notebooks, "KERNEL", "nowhere")
    exercises, wrong = check.report(write(tmp_path, "1"))
    assert wrong == ["its kernel could not start: No such kernel named nowhere"]
    assert {exercise.message for exercise in exercises} == set(wrong)


@pytest.fixture
def graded(monkeypatch) -> list[Path]:
    """The notebooks that are graded: each has two exercises, of which one is solved, in 03 both."""
    paths: list[Path] = []

    def report(path: Path, limit: float):
        paths.append(path)
        second = "solved" if path.stem.startswith("03") else "wrong"
        return [check.Exercise("a", "solved", ""), check.Exercise("b", second, "No.")], []

    monkeypatch.setattr(check, "report", report)
    return paths


def test_the_notebooks_where_one_stands_are_graded_else_the_lab_s(
    tmp_path, monkeypatch, graded
) -> None:
    """And only --strict fails what is not solved."""
    monkeypatch.chdir(tmp_path)
    assert check.main([]) == 0
    lab = notebooks.chosen(check.NOTEBOOKS, ())
    assert graded == lab and len(graded) >= 6
    NAME.touch()
    graded.clear()
    assert check.main([]) == 0 and graded == [tmp_path / path.name for path in lab]
    assert [check.main(words) for words in (["--strict"], ["03", "--strict"])] == [1, 0]


@pytest.mark.parametrize("limit", ["0", "-5", "nan"])
def test_a_limit_that_leaves_no_time_is_refused(graded, capsys, limit) -> None:
    assert check.main(["--limit", limit]) == 2 and not graded
    assert "--limit: got" in capsys.readouterr().err


def test_what_is_not_handed_in_counts_and_a_copy_does_not(tmp_path, capsys) -> None:
    """The total is the same for everybody."""
    (tmp_path / "02_meta_learning-Copy1.ipynb").touch()
    assert check.main(["02", "--folder", str(tmp_path), "--json", str(tmp_path / "j")]) == 0
    printed = capsys.readouterr().out
    assert "02_meta_learning-Copy1: skipped" in printed and "· ridge: untouched" in printed
    content = json.loads((tmp_path / "j").read_text(encoding="utf-8"))
    assert content["exercises"] == content["untouched"] == len(NAMES)
    assert content["notebooks"]["02_meta_learning"]["ridge"]["message"] == check.NOT_THERE


def test_an_unknown_notebook_is_named(tmp_path, capsys) -> None:
    assert check.main(["--folder", str(tmp_path)]) == 2
    assert f"notebook: {tmp_path} has none" in capsys.readouterr().err
    assert check.main(["09"]) == 2
    assert "got 09, accepted: the beginning of 01_motivation" in capsys.readouterr().err
    with pytest.raises(ValueError, match="got 99_own, accepted: 01_motivation"):
        check.report(tmp_path / "99_own.ipynb")
