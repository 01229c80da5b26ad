"""Long experiments and their tables: run, resume, read, compare.

    failed = sweep(run, cells, out)
    lead(read("lp_ft"), "ood", "lp-ft", "fine-tuning", shift=FAR, picked=True)

A *cell* is one setting, a dict such as {"shift": "near", "seed": 3}. `run(**cell)` returns the rows
it measured, dicts of plain values, and `out` gathers all rows in a CSV table, each with its cell's
values first. Cells that are in the table already are not run again.
"""

import argparse
import io
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from labkit import data
from labkit.files import a_path, make_folder, replacing, told
from labkit.inputs import canonical, check_choice, chosen, refused
from labkit.statistics import Interval, Scores, concept_means, concept_scores, read_hits

Row = dict[str, Any]
Tested = Callable[[Row], Collection]  # what the test of a row is made of

# ---------------------------------------------------------------- run


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
    A cell that measures nothing (no rows) leaves nothing, and is run again by the next start.
    Raises, before any work, ValueError for a table that is damaged or of another sweep, and OSError
    for a folder that cannot be written to.
    """
    if not cells:
        raise refused("cells", "none", "one or more")
    keys = list(cells[0])
    make_folder(out.parent)
    table = read_table(out, keys)
    done = set() if table is None else set(settings(table, keys))
    asked = settings(pd.DataFrame(cells, dtype=object), keys)
    missing = [cell for cell, setting in zip(cells, asked, strict=True) if setting not in done]
    failed = {}
    with cluster(scheduler):
        results = outcomes(run, missing, jobs)
        bar = tqdm(results, total=len(cells), initial=len(cells) - len(missing), unit="cell")
        for cell, found, problem in bar:
            if problem:
                failed[str(cell)] = problem
                bar.set_postfix(failed=len(failed))
            elif found:
                table = pd.concat([table, pd.DataFrame(found)], ignore_index=True)
                write_table(out, table)
    return failed


def settings(table: pd.DataFrame, keys: Sequence[str]) -> list[tuple[float | str, ...]]:
    """The cell of each row, such that those of a table and those of Python compare."""
    return [tuple(map(canonical, row)) for row in table[list(keys)].to_numpy(object).tolist()]


def outcomes(
    run: Callable[..., list[Row]], cells: Sequence[Row], jobs: int
) -> Iterator[tuple[Row, list[Row], str]]:
    """Every cell with its rows or its problem, as they come.

    A process that the system kills takes its pool along, and nobody knows which cell it was: those
    that are left go on in two halves, until one is alone with its problem.
    """
    left = list(cells)
    # One cell: alone, but not in this process.
    workers = 2 if len(left) == 1 and jobs != 1 else min(jobs, len(left) or 1)
    try:
        parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
        for outcome in parallel(joblib.delayed(attempt)(run, cell) for cell in cells):
            left = [cell for cell in left if str(cell) != str(outcome[0])]  # of nan, a copy differs
            yield outcome
    except TerminatedWorkerError:
        if len(cells) == 1:
            yield cells[0], [], "its process was killed (by the system, where memory ran out)"
            return
        middle = (len(left) + 1) // 2
        for half in filter(None, (left[:middle], left[middle:])):
            yield from outcomes(run, half, jobs)


def attempt(run: Callable[..., list[Row]], cell: Row) -> tuple[Row, list[Row], str]:
    """One cell, on one thread: its rows, or the traceback: no failure loses the others' work."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [{**cell, **row} for row in run(**cell)]
        other = [k for k in cell if any(canonical(row[k]) != canonical(cell[k]) for row in rows)]
        if other:
            raise refused("run", f"rows with another {', '.join(other)}", "the cell's own")
        return cell, rows, ""
    except Exception:
        return cell, [], traceback.format_exc()
    finally:
        torch.set_num_threads(threads)


@contextmanager
def cluster(scheduler: str | None) -> Iterator[None]:
    """A context in which joblib works on a Dask cluster; for None, one that changes nothing."""
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise RuntimeError("scheduler: needs `pip install distributed`") from error
    with Client(scheduler) as client, joblib.parallel_config(backend="dask", client=client):
        yield


class Experiment(NamedTuple):
    """One table: its name in data/sweeps, what runs a cell, the cells, and what a row is tested on.

    tested: a column -> what a row's test is made of (concepts, styles), from the row. The column
    is written when the table is complete: the share of this that other seeds' tests have too, from
    which intervals follow. "overlap", and "overlap_ood" where that of OOD scores differs. None: no
    intervals, or those of a column `concepts` that lists them for each episode.
    """

    table: str
    run: Callable[..., list[Row]]
    cells: Sequence[Row]
    tested: Mapping[str, Tested] | None = None


def grid(**values: Iterable) -> list[Row]:
    """The cells of an experiment: every combination of these values, the last varying fastest."""
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


def with_overlaps(table: pd.DataFrame, tested: Mapping[str, Tested]) -> pd.DataFrame:
    """The table with the mean share of each row's test that its other seeds' tests have too."""
    seeds, rows = sorted(set(table["seed"])), table.to_dict("records")

    def share(row: Row, of: Tested) -> float:
        own, others = set(of(row)), [of({**row, "seed": s}) for s in seeds if s != row["seed"]]
        return float(np.mean([len(own.intersection(x)) / max(1, len(own)) for x in others]))

    found = {name: [round(share(row, of), 4) for row in rows] for name, of in tested.items()}
    return table.assign(**found)


def command_line(about: str, *experiments: Experiment) -> None:
    """The main function of a slice's sweeps: run those whose tables are named, or all in order."""
    names = [experiment.table for experiment in experiments]
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help=", ".join(names) + " (all)")
    parser.add_argument("--jobs", type=int, default=-1, help="processes (default: all cores)")
    parser.add_argument("--scheduler", help="a dask.distributed scheduler, e.g. tcp://host:8786")
    parser.add_argument("--folder", type=a_path, default=data.DATA / "sweeps", help="of the tables")
    options = parser.parse_args()
    if options.jobs < 1 and options.jobs != -1:
        parser.error(f"--jobs: got {options.jobs}, accepted: 1 or more, or -1 for all cores")
    if unknown := set(options.tables) - set(names):
        parser.error(f"TABLE: got {', '.join(sorted(unknown))}, accepted: {', '.join(names)}")
    for table, run, cells, tested in experiments:
        if table not in (options.tables or names):
            continue
        with told("--folder", ValueError, RuntimeError):
            out = options.folder / f"{table}.csv"
            failed = sweep(run, cells, out, options.jobs, options.scheduler)
            if tested and not failed and out.exists():
                write_table(out, with_overlaps(read_table(out), tested))
        for cell, problem in failed.items():
            print(f"{cell} failed:\n{problem}", file=sys.stderr)
        if failed:
            sys.exit(f"{len(failed)} of {len(cells)} cells failed; the same command tries again.")


# ---------------------------------------------------------------- read and write


def read(name: str) -> pd.DataFrame:
    """A shipped table of data/sweeps, such as "lp_ft". Raises DataError as `data.read_bytes`."""
    return parse(data.read_bytes(f"sweeps/{name}.csv").decode("utf-8-sig"))


def read_table(path: Path, keys: Sequence[str] = ()) -> pd.DataFrame | None:
    """The table at `path`; None if there is no such file yet.

    keys: the names of a cell's values, which come first in each row. With them, a table whose last
    line was cut off (by a copy that broke off: `write_table` leaves no such file) loses its last
    cell, of which rows may be missing. Raises ValueError for other damage, and for other columns.
    """
    text = path.read_text(encoding="utf-8-sig") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if not whole and (keys or not text):
        return None
    try:
        table = parse(whole)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error}. Restore or delete it.") from error
    if list(table.columns[: len(keys)]) != list(keys) or (text != whole and not keys):
        what = f"columns {list(table.columns)}" if keys else "its last line"
        raise ValueError(f"{path} is damaged, or another table: {what}. Restore or delete it.")
    if text != whole and len(table):
        there = settings(table, keys)
        table = table[[setting != there[-1] for setting in there]]
    return table


def parse(text: str) -> pd.DataFrame:
    """Whole lines of CSV, as `write_table` or a spreadsheet writes it, where "NA" is a word."""
    head, _, _ = text.partition("\n")
    separator = ";" if ";" in head and "," not in head else ","
    lines = text.removesuffix("\n").split("\n")  # no other character ends a line
    odd = [i for i, line in enumerate(lines, 1) if line.count(separator) != head.count(separator)]
    if odd and '"' not in text:
        raise ValueError(f"line {odd[0]} has not as many values as there are columns")
    form = {"sep": separator, "decimal": "," if separator == ";" else "."}
    return pd.read_csv(io.StringIO(text), **form, keep_default_na=False, na_values=[""])


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write the table, all of it or nothing, sorted: the order of arrival leaves no trace."""
    ordered = table.sort_values(list(table), key=lambda c: c.astype(str).where(c.notna()))
    with replacing(path) as temporary:
        ordered.to_csv(temporary, index=False, lineterminator="\n")


# ---------------------------------------------------------------- compare


def scores(table: pd.DataFrame, score: str | Sequence[str], **where: Any) -> Scores:
    """One score for each seed (or episode), of the rows in which each named column has its value.

    Several values, or several scores, are averaged seed by seed: shift=["near", "far"]. What the
    interval is for follows from the table (`Experiment.tested`). Raises ValueError for a column or
    a value that the table does not have, and where a seed has more or less than one row for each.
    """
    wanted = [score] if isinstance(score, str) else list(score)
    by = "episode" if "episode" in table else "seed"
    check_choice("score, where", [*wanted, by, *where], tuple(table.columns))
    lists = {k: list(v) if pd.api.types.is_list_like(v) else [v] for k, v in where.items()}
    found = table.sort_values(by, kind="stable")
    for name, values in lists.items():
        found = found[found[name].isin(chosen(name, values, table[name].unique()))]
    cells = int(np.prod([len(values) for values in lists.values()]))
    repetitions, counts = np.unique(found[by], return_counts=True)
    twice = found.loc[found.duplicated([by, *lists]), by]  # and another one is missing
    incomplete = repetitions[(counts != cells) | np.isin(repetitions, twice)].tolist()
    if incomplete or not len(found) or found[wanted].isna().any(axis=None):
        raise ValueError(
            f"where: {where} has {len(found)} rows, not one for each {by} "
            f"(look at {by} {incomplete[:3]}, {score})"
        )
    means = found[wanted].to_numpy(dtype=float).reshape(len(repetitions), -1).mean(axis=1)
    return Scores(means, tuple(repetitions.tolist()), **_in_common(found, wanted))


def _in_common(found: pd.DataFrame, wanted: Sequence[str]) -> dict[str, Any]:
    """What repetitions share, of rows in their order: the rest of `Scores`."""
    if "concepts" in found:
        each = np.array([text.split() for text in found["concepts"]], dtype=int)
        return {"members": each.reshape(found["episode"].nunique(), -1)}  # of all that is averaged
    columns = ["overlap_ood" if s.endswith("ood") else "overlap" for s in wanted]
    columns = [name if name in found else "overlap" for name in columns]
    overlap = float(found[columns].mean(axis=None)) if "overlap" in found else np.nan
    hits = [f"{s}_hits" for s in wanted]
    if not set(hits) <= set(found) or found[hits].isna().any(axis=None):
        return {"overlap": overlap}
    each = [concept_scores(*read_hits(found[name])) for name in hits]
    return {"overlap": overlap, "by_concept": concept_means(each, found["seed"].nunique())}


def lead(
    table: pd.DataFrame,
    score: str | Sequence[str],
    ours: str | Mapping[str, Any],
    theirs: str | Mapping[str, Any],
    **where: Any,
) -> Scores:
    """How far `ours` is ahead of `theirs`, paired by seed; a str is a method.

    Raises ValueError as `scores` does, and where the two do not have the same seeds.
    """
    pair = [{"method": which} if isinstance(which, str) else which for which in (ours, theirs)]
    one, two = (scores(table, score, **{**where, **which}) for which in pair)
    return one - two


def intervals(table: pd.DataFrame, score: str, by: Sequence[str], **where: Any) -> pd.DataFrame:
    """Mean and 95 % interval of a score in every group: index `by`, columns mean, low and high.

    Raises ValueError as `scores` does.
    """
    check_choice("score, by, where", [score, *by, *where], tuple(table.columns))
    for name, value in where.items():
        table = table[table[name].isin(chosen(name, [value], table[name].unique()))]
    groups = table.groupby(list(by), sort=False, dropna=False)
    found = [(*group, *scores(rows, score).interval) for group, rows in groups]
    return pd.DataFrame(found, columns=[*by, *Interval._fields]).set_index(list(by))


def picked_again(
    table: pd.DataFrame, without: Mapping[str, Sequence[float]], by: Sequence[str]
) -> pd.DataFrame:
    """The table as if some rates (method -> learning rates) had not been tried: `picked` is anew.

    As in the sweep, the best network on ID validation of each method in each cell (`by`) is picked,
    of equals by least `head_times`, strength, rate. Raises ValueError for a method without rows.
    """
    if without:
        check_choice("without", tuple(without), tuple(table["method"].unique()))
    kept = table.reset_index(drop=True)
    for method, rates in without.items():
        kept = kept[(kept["method"] != method) | ~kept["rate"].isin(list(rates))]
    order = [name for name in ("head_times", "strength", "rate") if name in kept]
    ordered = kept.sort_values(order, kind="stable", na_position="first")
    best = ordered.groupby([*by, "method"], dropna=False)["validation"].idxmax()
    return kept.assign(picked=kept.index.isin(best))
