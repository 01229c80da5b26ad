"""A student's progress: run the notebooks, and say which exercises are solved.

    python -m labkit check                         # the notebooks here; the lab's, if here are none
    python -m labkit check 01 03 --json out.json   # some; and a file for a grader

A notebook is run cell by cell, as JupyterLab runs it. Which exercises there are is read from the
solutions, so the total is the same for everybody: a notebook that is not there counts too.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from labkit.course.notebooks import LIMIT, NOTEBOOKS, chosen, read, run_cells, tags
from labkit.exercise import OUTCOMES
from labkit.files import a_path, make_place, replacing, told
from labkit.inputs import above_0

MISSING = "not checked: its last line is missing or was not reached."
NOT_THERE = "the notebook is not there"
MARKS = {"solved": "✓", "wrong": "✗", "untouched": "·"}


class Exercise(NamedTuple):
    """What became of one exercise: its state is one of MARKS."""

    name: str
    state: str
    message: str


def report(path: Path, limit: float = LIMIT) -> tuple[list[Exercise], list[str]]:
    """Every exercise of a notebook, in the solutions' order, and what went wrong, cell by cell.

    limit: seconds for a cell. Raises ValueError when the solutions know no notebook of this name.
    """
    solution = NOTEBOOKS / "solutions" / path.name
    if not solution.exists():
        known = sorted(path.stem for path in solution.parent.glob("*.ipynb"))
        raise ValueError(f"notebook: got {path.stem}, accepted: {', '.join(known)}")
    names = exercise_cells(solved := read(solution))
    if not path.exists():
        return [Exercise(name, "untouched", NOT_THERE) for name in names], [NOT_THERE]
    try:
        notebook = read(path)
        found, wrong = run(notebook, path, limit)
    except (ValueError, RuntimeError) as error:  # no notebook, no kernel
        return [Exercise(name, "wrong", str(error)) for name in names], [str(error)]
    cells, exercises = exercise_cells(notebook), []
    for name, place in names.items():
        passed, message = found.get(name) or (False, wrong.get(cells.get(name), MISSING))
        stub = solved.cells[place].metadata["stub"]
        left = name in cells and digest(notebook.cells[cells[name]]) == stub
        state = "solved" if passed else "untouched" if left else "wrong"
        exercises.append(Exercise(name, state, message))
    return exercises, list(wrong.values())


def exercise_cells(notebook: NotebookNode) -> dict[str, int]:
    """Name of the check -> place of the cell, for each exercise."""
    cells = enumerate(cell.metadata for cell in notebook.cells)
    return {about["exercise"]: place for place, about in cells if "exercise" in about}


def digest(cell: NotebookNode) -> str:
    """Of a cell's words, not its spaces; a solution knows its stub by it."""
    return sha256(" ".join(cell.source.split()).encode()).hexdigest()[:12]


def run(notebook: NotebookNode, path: Path, limit: float) -> tuple[dict, dict]:
    """Every exercise's (passed, message), the first that passed or the last; what went wrong."""
    for cell in notebook.cells:
        # Panels take long, and a panel in one line makes no name that another cell needs.
        if "panel" in tags(cell) and len(cell.source.splitlines()) == 1:
            cell.metadata.tags.append("skip-execution")  # which nbclient knows
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes"
        outcomes.touch()
        wrong = run_cells(notebook, path, limit, **{OUTCOMES: str(outcomes)})
        found: dict[str, list] = {}
        for name, *outcome in map(json.loads, outcomes.read_text(encoding="utf-8").splitlines()):
            if not found.get(name, (False,))[0]:  # solved is solved, whatever stub stands below
                found[name] = outcome
        return found, wrong


def write_json(path: Path, found: dict[str, list[Exercise]]) -> None:
    """For a grader: every exercise, and the sums; all of the file or nothing."""
    notebooks = {
        name: {exercise: {"state": state, "message": message} for exercise, state, message in rows}
        for name, rows in found.items()
    }
    content = counted(found) | {"notebooks": notebooks}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def counted(found: dict[str, list[Exercise]]) -> dict[str, int]:
    """How many exercises are in each state, and in all."""
    states = Counter(exercise.state for exercises in found.values() for exercise in exercises)
    return {state: states[state] for state in MARKS} | {"exercises": states.total()}


def report_all(notebooks: Sequence[Path], out: Path | None, limit: float = LIMIT) -> bool:
    """Print what is solved, and write it to `out`, if there is one. Returns whether all is."""
    if out:
        make_place(out)
    found = {}
    for path in notebooks:
        found[path.stem], wrong = report(path, limit)
        print_report(path, found[path.stem], wrong)
    sums = counted(found)
    print(f"\n{sums['solved']} of {sums['exercises']} exercises are solved.")
    if out:
        write_json(out, found)
    return sums["solved"] == sums["exercises"]


def print_report(path: Path, exercises: Sequence[Exercise], wrong: Sequence[str]) -> None:
    solved = sum(exercise.state == "solved" for exercise in exercises)
    print(f"{path.stem}: {solved} of {len(exercises)} ({path})")
    for name, state, message in exercises:
        why = "" if state == "solved" or message in wrong else f": {message}"
        print(f"  {MARKS[state]} {name}" + (": untouched" if state == "untouched" else why))
    for text in wrong:
        print(f"  ! {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m labkit check", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("notebooks", nargs="*", help="how their names begin: 01 03 (default: all)")
    parser.add_argument("--folder", type=a_path, help="where they are")
    parser.add_argument("--json", type=a_path, help="write the result here too")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds a cell (exercise: 1/3)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 unless all are solved")
    options = parser.parse_args(arguments)
    folder = options.folder or (Path() if any(Path().glob("[0-9]*.ipynb")) else NOTEBOOKS)
    try:
        with told("--json"):
            above_0("--limit", options.limit)
            asked = [folder.resolve() / path.name for path in chosen(NOTEBOOKS, options.notebooks)]
            for path in set(chosen(folder.resolve(), ())) - set(asked):  # a copy, say
                print(f"{path.stem}: skipped")
            solved = report_all(asked, options.json, options.limit)
    except ValueError as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    return int(options.strict and not solved)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # a pipe on Windows knows no check mark
    sys.exit(main())
