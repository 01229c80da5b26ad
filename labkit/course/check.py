"""A student's progress: run the exercises of every notebook, and say which are solved.

    python -m labkit check                         # all notebooks
    python -m labkit check 01 03 --json out.json   # some; and a file for a grader

Only the cells that an exercise depends on are run: five to twenty seconds for a notebook. Which
exercises there are is read from the solutions: a check that was deleted is not passed, and a stub
that was left alone is not either, since every check runs the student's function.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from labkit.course.cells import called, needed, nodes, sources
from labkit.files import make_folder, replacing, told

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
LIMIT = 180  # seconds for the exercises of one notebook


class Exercise(NamedTuple):
    """What became of one exercise."""

    name: str
    passed: bool
    message: str


def report(notebook: Path, limit: float = LIMIT) -> list[Exercise]:
    """Every exercise of a notebook, in order; the student's code runs in a process of its own.

    Raises ValueError when the solutions know no notebook of this name.
    """
    solution = NOTEBOOKS / "solutions" / notebook.name
    if not solution.exists():
        known = sorted(path.stem for path in solution.parent.glob("*.ipynb"))
        raise ValueError(f"notebook: got {notebook.stem}, accepted: {', '.join(known)}")
    expected = [name for source in sources(solution) for name in checks_in(source)]
    found = run_apart(notebook, limit)
    problem = found.pop("", None)
    missing = problem.message if problem else "not checked: its last line is missing."
    return [found.get(name, Exercise(name, False, missing)) for name in expected]


def checks_in(source: str) -> list[str]:
    """The names of the checks that a cell calls: `checks.name(...)`."""
    return [name for node in nodes(source) if (name := called(node, "checks"))]


def run_apart(notebook: Path, limit: float) -> dict[str, Exercise]:
    """`run_cells` in a process that a student's endless loop or crash takes down with it.

    The entry "" stands for what went wrong with the whole notebook.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        command = [sys.executable, "-m", "labkit.course.check", "--apart", str(notebook), str(out)]
        problem = ""
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
            if done.returncode:
                problem = f"the notebook ended Python: {done.stderr.strip()[-300:]}"
        except subprocess.TimeoutExpired:
            problem = f"the exercises did not end within {limit:g} seconds."
        found = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
    exercises = {row[0]: Exercise(*row) for row in found}
    return exercises | ({"": Exercise("", False, problem)} if problem else {})


def run_cells(notebook: Path, out: Path) -> None:
    """Run the needed cells as the notebook would; write what every check found as it finds it."""
    from labkit import checks

    found: dict[str, Exercise] = {}

    def record(name: str, check):
        def recorded(*arguments):
            outcome = check(*arguments)
            found[name] = Exercise(name, outcome.passed, outcome.message)
            out.write_text(json.dumps(list(found.values())), encoding="utf-8")
            return outcome

        return recorded

    cells = sources(notebook)
    for name in {name for cell in cells for name in checks_in(cell)}:
        if hasattr(checks, name):
            setattr(checks, name, record(name, getattr(checks, name)))
    os.chdir(notebook.parent)
    namespace: dict = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for place in needed(cells, checks_in):
            try:
                exec(compile(cells[place], f"<cell {place + 1}>", "exec"), namespace)
            except (Exception, SystemExit) as error:
                for name in checks_in(cells[place]):
                    text = f"its cell raised {type(error).__name__}: {error}"
                    found.setdefault(name, Exercise(name, False, text))
    for place, cell in enumerate(cells):
        if not nodes(cell) and cell.strip():
            text = f"code cell {place + 1} is no valid Python."
            found.setdefault("", Exercise("", False, text))
    out.write_text(json.dumps(list(found.values())), encoding="utf-8")


def chosen(folder: Path, words: Sequence[str]) -> list[Path]:
    """The notebooks whose names begin with one of the words; all without words."""
    there = sorted(folder.glob("[0-9]*.ipynb"))
    if not there:
        raise ValueError(f"notebook: {folder} has none")
    for word in words:
        if not any(path.name.startswith(word) for path in there):
            accepted = ", ".join(path.stem for path in there)
            raise ValueError(f"notebook: got {word}, accepted: the beginning of {accepted}")
    return [path for path in there if not words or path.name.startswith(tuple(words))]


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


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m labkit check", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("notebooks", nargs="*", help="how their names begin: 01 03 (default: all)")
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS, help="where they are")
    parser.add_argument("--json", type=Path, help="write the result here too")
    options = parser.parse_args(arguments)
    try:
        with told("--json"):
            report_all(chosen(options.folder.resolve(), options.notebooks), options.json)
    except ValueError as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    return 0


def report_all(notebooks: Sequence[Path], out: Path | None) -> None:
    """Print what is solved, notebook by notebook; write it to `out`, too, if there is one."""
    if out:
        make_folder(out.parent)
    found = {}
    for path in notebooks:
        try:
            found[path.stem] = report(path)
        except ValueError as error:  # a copy that JupyterLab has made, say
            print(f"{path.stem}: skipped ({error})")
            continue
        print_report(path.stem, found[path.stem])
    solved = sum(exercise.passed for exercises in found.values() for exercise in exercises)
    print(f"\n{solved} of {sum(map(len, found.values()))} exercises are solved.")
    if out:
        write_json(out, found)


def print_report(notebook: str, exercises: Sequence[Exercise]) -> None:
    print(f"{notebook}: {sum(e.passed for e in exercises)} of {len(exercises)}")
    for exercise in exercises:
        mark = "✓" if exercise.passed else "✗"
        print(f"  {mark} {exercise.name}" + ("" if exercise.passed else f": {exercise.message}"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--apart"]:
        run_cells(Path(sys.argv[2]).resolve(), Path(sys.argv[3]))
    else:
        sys.stdout.reconfigure(errors="replace")  # a pipe on Windows knows no check mark
        sys.exit(main())
