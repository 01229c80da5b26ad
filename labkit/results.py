"""Read the table of a sweep over shifts: scores by method and shift, ordered so that they pair.

Rows are those of data/sweeps/lp_ft.csv: shift, seed, method, setting, picked, and scores. `picked`
marks the network that its method chose on ID validation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labkit.evaluate import Interval, mean_interval, paired_difference

Rows = Sequence[dict[str, str]]


def shifts(rows: Rows) -> list[str]:
    """The shifts of a table, in order of appearance."""
    return list(dict.fromkeys(row["shift"] for row in rows))


def scores(rows: Rows, shift: str | Sequence[str], method: str, score: str) -> np.ndarray:
    """One score of the picked networks, by seed; several shifts are averaged seed by seed.

    Raises ValueError for a shift or method without rows, or seeds that are not the same.
    """
    names = [shift] if isinstance(shift, str) else list(shift)
    found = []
    for name in names:
        cell = {
            int(row["seed"]): float(row[score])
            for row in rows
            if (row["shift"], row["method"], row["picked"]) == (name, method, "True")
        }
        if not cell or (found and set(cell) != set(found[0])):
            raise ValueError(f"shift, method: {name!r}, {method!r} has seeds {sorted(cell)}")
        found.append(cell)
    return np.array([np.mean([cell[seed] for cell in found]) for seed in sorted(found[0])])


def lead(rows: Rows, shift: str | Sequence[str], method: str, other: str, score: str) -> Interval:
    """How far `method` is ahead of `other`, paired by seed."""
    return paired_difference(scores(rows, shift, method, score), scores(rows, shift, other, score))


def against_rate(rows: Rows, shift: str, method: str, score: str) -> dict[float, Interval]:
    """Learning rate -> the score of all networks trained with it, picked or not."""
    found: dict[float, list[float]] = {}
    for row in rows:
        if (row["shift"], row["method"]) == (shift, method):
            found.setdefault(float(row["setting"]), []).append(float(row[score]))
    return {rate: mean_interval(found[rate]) for rate in sorted(found)}


def column(rows: Rows, score: str, **where: object) -> np.ndarray:
    """One score of the rows in which every named column has the given value, ordered by seed.

    Raises ValueError when there are none, or two of one seed.
    """
    wanted = {name: str(value) for name, value in where.items()}
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    found.sort(key=lambda row: int(row["seed"]))
    seeds = [row["seed"] for row in found]
    if not found or len(set(seeds)) < len(seeds):
        raise ValueError(f"where: {wanted} has rows of seeds {seeds}, accepted: one of each")
    return np.array([float(row[score]) for row in found])


def values_of(rows: Rows, name: str) -> list[str]:
    """The values in one column, in order of appearance."""
    return list(dict.fromkeys(row[name] for row in rows))


def networks(rows: Rows, shift: str, method: str) -> np.ndarray:
    """ID and OOD accuracy of every network of a method under one shift, picked or not: (n, 2)."""
    found = [
        (float(row["id"]), float(row["ood"]))
        for row in rows
        if (row["shift"], row["method"]) == (shift, method)
    ]
    if not found:
        raise ValueError(f"shift, method: {shift!r}, {method!r} has no rows")
    return np.array(found)
