"""Read notebook 04's table (data/sweeps/adapters.csv): scores by task and setting, paired by seed.

A *setting* is a method with its width: ("adapters", 8). Methods without one have width 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labkit.evaluate import Interval, mean_interval, paired
from labkit.tables import Rows, averaged, by_seed, values_of

Setting = tuple[str, int]


def tasks(rows: Rows) -> list[str]:
    """The tasks of a table, in order of appearance."""
    return values_of(rows, "task")


def settings(rows: Rows) -> list[Setting]:
    """Every setting, by the number of parameters that train."""
    whole = [row for row in rows if not row["pruned"]]
    size = {(row["method"], int(row["width"])): int(row["parameters"]) for row in whole}
    return sorted(size, key=size.get)


def scores(
    rows: Rows, task: str | Sequence[str], setting: Setting, score: str, pruned: str = ""
) -> np.ndarray:
    """One column of one setting, by seed; several tasks are averaged seed by seed.

    pruned: the block that lost its adapters after training, "all" of them, or "" for none. Raises
    ValueError for what has no rows, or tasks whose seeds are not the same.
    """
    return averaged(_cells(rows, task, setting, score, pruned))


def _cells(
    rows: Rows, task: str | Sequence[str], setting: Setting, score: str, pruned: str = ""
) -> dict[str, dict[int, float]]:
    method, width = setting
    cells = {}
    for name in [task] if isinstance(task, str) else task:
        where = {"task": name, "method": method, "width": width, "pruned": pruned}
        cells[f"task, setting: {tuple(where.values())}"] = by_seed(rows, score, **where)
    return cells


def lead(
    rows: Rows, task: str | Sequence[str], setting: Setting, other: Setting, score: str
) -> Interval:
    """How far `setting` is ahead of `other`, paired by seed."""
    return paired(*(_cells(rows, task, s, score) for s in (setting, other)))


def lost(rows: Rows, task: str, setting: Setting, pruned: str) -> Interval:
    """The ID accuracy lost by taking adapters out of a block, or of "all", without training."""
    return paired(*(_cells(rows, task, setting, "id", p) for p in ("", pruned)))


def parameters(rows: Rows, task: str, setting: Setting) -> int:
    """How many numbers train for one task, its head included."""
    return int(scores(rows, task, setting, "parameters")[0])


def interval(rows: Rows, task: str | Sequence[str], setting: Setting, score: str) -> Interval:
    """The mean of one score over seeds, with its interval."""
    return mean_interval(scores(rows, task, setting, score))
