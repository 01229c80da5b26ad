"""Run an experiment over many settings: on all cores or a cluster, resumable, a failure at a time.

    failed = sweep(run, cells, out)

A *cell* is one setting, a dict such as {"shift": "near", "seed": 3}. `run(**cell)` returns the rows
it measured, dicts of plain values, and `out` gathers all rows in a CSV table, each with its cell's
values first. Cells that are in the table already are not run again.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
from tqdm import tqdm

from labkit.files import make_folder, replacing, told

Row = dict[str, Any]


def sweep(
    run: Callable[..., list[Row]],
    cells: Sequence[Row],
    out: Path,
    jobs: int = -1,
    scheduler: str | None = None,
) -> dict[str, str]:
    """Run what is missing, writing `out` after each cell; return failed cell -> traceback.

    jobs: processes, -1 for one per core. scheduler: the address of a `dask.distributed` scheduler
    ("tcp://host:8786"), whose workers need this package installed; `jobs` then counts for nothing.
    Raises, before any work, ValueError for a table that is damaged or of another sweep, and OSError
    for a folder that cannot be written to.
    """
    keys = list(cells[0])
    make_folder(out.parent)
    rows = read_rows(out, keys)
    done = {tuple(row[key] for key in keys) for row in rows}
    missing = [c for c in cells if tuple(str(c[key]) for key in keys) not in done]
    failed = {}
    with cluster(scheduler):
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
        results = parallel(joblib.delayed(attempt)(run, cell) for cell in missing)
        bar = tqdm(results, total=len(cells), initial=len(cells) - len(missing), unit="cell")
        for cell, found, problem in bar:
            if problem:
                failed[str(cell)] = problem
                bar.set_postfix(failed=len(failed))
                continue
            rows += [{**cell, **row} for row in found]
            write_rows(out, rows)
    return failed


@contextmanager
def cluster(scheduler: str | None) -> Iterator[None]:
    """A context in which joblib works on a Dask cluster; for None, one that changes nothing."""
    if scheduler is None:
        yield
        return
    try:
        import cloudpickle
        from distributed import Client
    except ImportError as error:
        raise RuntimeError("scheduler: needs `pip install distributed`") from error
    beside = Path(sys.argv[0]).resolve().parent  # workers have labkit, not the scripts
    for module in list(sys.modules.values()):
        if Path(getattr(module, "__file__", None) or "").parent == beside:
            cloudpickle.register_pickle_by_value(module)
    with Client(scheduler) as client, joblib.parallel_config(backend="dask", client=client):
        yield


def attempt(run: Callable[..., list[Row]], cell: Row) -> tuple[Row, list[Row], str]:
    """One cell: its rows, or the traceback; a failure must not lose the other cells' work."""
    try:
        return cell, run(**cell), ""
    except Exception:
        return cell, [], traceback.format_exc()


def read_rows(path: Path, keys: Sequence[str] = ()) -> list[dict[str, str]]:
    """The rows of a table; none if there is no such file yet.

    keys: the names of a cell's values, which come first in each row. With them, a table whose last
    line was cut off (by a copy that broke off: `write_rows` leaves no such file) loses its last
    cell, of which rows may be missing. Raises ValueError for other damage, and for other columns.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(whole))
    rows, columns = list(reader), list(reader.fieldnames or [])
    odd = [i for i, row in enumerate(rows, 2) if None in row or None in row.values()]
    if odd or (whole and columns[: len(keys)] != list(keys)) or (text != whole and not keys):
        what = f"line {odd[0]}" if odd else f"columns {columns}" if keys else "its last line"
        raise ValueError(f"{path} is damaged, or another table: {what}. Restore or delete it.")
    if text != whole:
        rows = [row for row in rows if any(row[key] != rows[-1][key] for key in keys)]
    return rows


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write the table, all of it or nothing, sorted: the order of arrival leaves no trace."""
    lines = [{name: str(value) for name, value in row.items()} for row in rows]
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(lines, key=lambda row: list(row.values())))


def command_line(
    run: Callable[..., list[Row]], cells: Sequence[Row], out: Path, about: str
) -> None:
    """The main function of a sweep script: parse the options, run, tell what failed."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=-1, help="processes (default: all cores)")
    parser.add_argument("--scheduler", help="a dask.distributed scheduler, e.g. tcp://host:8786")
    parser.add_argument("--folder", type=Path, default=out.parent, help="for the table")
    options = parser.parse_args()
    with told("--folder"):
        failed = sweep(run, cells, options.folder / out.name, options.jobs, options.scheduler)
    for cell, problem in failed.items():
        print(f"{cell} failed:\n{problem}", file=sys.stderr)
    if failed:
        sys.exit(f"{len(failed)} of {len(cells)} cells failed; the same command tries them again.")
