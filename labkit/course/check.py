"""A student's progress: run the notebooks, and say which exercises are solved.

    python -m labkit check                         # the notebooks here; the lab's, if here are none
    python -m labkit check 01 03 --json out.json   # some; and a file for a grader

A notebook is run cell by cell, as JupyterLab runs it. Which exercises there are is read from the
solutions: a check that was deleted is not passed, nor a stub that was left alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from labkit.course.notebooks import LIMIT, NOTEBOOKS, chosen, read, run_cells, tags
from labkit.exercise import OUTCOMES
from labkit.files import make_folder, replacing, told

MISSING = "not checked: its last line is missing or was not reached."


class Exercise(NamedTuple):
    """What became of one exercise."""

    name: str
    passed: bool
    message: str


def report(path: Path, limit: float = LIMIT) -> tuple[list[Exercise], list[str]]:
    """Every exercise of a notebook, in the solutions' order, and what went wrong, cell by cell.

    limit: seconds for a cell. Raises ValueError when the solutions know no notebook of this name.
    """
    solution = NOTEBOOKS / "solutions" / path.name
    if not solution.exists():
        known = sorted(path.stem for path in solution.parent.glob("*.ipynb"))
        raise ValueError(f"notebook: got {path.stem}, accepted: {', '.join(known)}")
    names = list(exercise_cells(read(solution)))
    try:
        notebook = read(path)
        found, wrong = run(notebook, path, limit)
    except (ValueError, RuntimeError) as error:  # no notebook, no kernel
        return [Exercise(name, False, str(error)) for name in names], [str(error)]
    for name in set(names) - set(found):
        why = wrong.get(exercise_cells(notebook).get(name), MISSING)
        found[name] = Exercise(name, False, why)
    return [found[name] for name in names], list(wrong.values())


def exercise_cells(notebook: NotebookNode) -> dict[str, int]:
    """Name of the check -> place of the cell, for each exercise."""
    cells = enumerate(cell.metadata for cell in notebook.cells)
    return {about["exercise"]: place for place, about in cells if "exercise" in about}


def run(notebook: NotebookNode, path: Path, limit: float) -> tuple[dict[str, Exercise], dict]:
    """The last outcome of every exercise that was checked, and what went wrong in which cell."""
    for cell in notebook.cells:
        # Panels take long, and a panel in one line makes no name that another cell needs.
        if "panel" in tags(cell) and len(cell.source.splitlines()) == 1:
            cell.metadata.tags.append("skip-execution")  # which nbclient knows
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes"
        outcomes.touch()
        wrong = run_cells(notebook, path, limit, **{OUTCOMES: str(outcomes)})
        rows = map(json.loads, outcomes.read_text(encoding="utf-8").splitlines())
        return {row[0]: Exercise(*row) for row in rows}, wrong


def write_json(path: Path, found: dict[str, list[Exercise]]) -> None:
    """For a grader: every exercise, and the sums; all of the file or nothing."""
    everything = [exercise for exercises in found.values() for exercise in exercises]
    content = {
        "passed": sum(exercise.passed for exercise in everything),
        "exercises": len(everything),
        "notebooks": {
            name: {e.name: {"passed": e.passed, "message": e.message} for e in exercises}
            for name, exercises in found.items()
        },
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def report_all(notebooks: Sequence[Path], out: Path | None, limit: float = LIMIT) -> bool:
    """Print what is solved, and write it to `out`, if there is one. Returns whether all is."""
    if out:
        make_folder(out.parent)
    found = {}
    for path in notebooks:
        try:
            exercises, wrong = report(path, limit)
        except ValueError as error:  # a copy that JupyterLab has made, say
            print(f"{path.stem}: skipped ({error})")
            continue
        found[path.stem] = exercises
        print_report(path, exercises, wrong)
    passed = [exercise.passed for exercises in found.values() for exercise in exercises]
    print(f"\n{sum(passed)} of {len(passed)} exercises are solved.")
    if out:
        write_json(out, found)
    return bool(passed) and all(passed)


def print_report(path: Path, exercises: Sequence[Exercise], wrong: Sequence[str]) -> None:
    print(f"{path.stem}: {sum(e.passed for e in exercises)} of {len(exercises)} ({path})")
    for name, passed, message in exercises:
        told_below = passed or message in wrong
        print(f"  {'✓' if passed else '✗'} {name}" + ("" if told_below else f": {message}"))
    for text in wrong:
        print(f"  ! {text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m labkit check", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("notebooks", nargs="*", help="how their names begin: 01 03 (default: all)")
    parser.add_argument("--folder", type=Path, help="where they are")
    parser.add_argument("--json", type=Path, help="write the result here too")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"seconds a cell ({LIMIT})")
    parser.add_argument("--strict", action="store_true", help="exit with 1 unless all are solved")
    options = parser.parse_args(arguments)
    folder = options.folder or (Path() if any(Path().glob("[0-9]*.ipynb")) else NOTEBOOKS)
    try:
        with told("--json"):
            there = chosen(folder.resolve(), options.notebooks)
            solved = report_all(there, options.json, options.limit)
    except ValueError as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    return int(options.strict and not solved)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # a pipe on Windows knows no check mark
    sys.exit(main())
