"""Read the table of a sweep over shifts: scores by method and shift, ordered so that they pair.

Rows are those of data/sweeps/lp_ft.csv: shift, seed, method, setting, picked, and scores. `picked`
marks the network that its method chose on ID validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from labkit.evaluate import Interval, mean_interval, paired
from labkit.inputs import check_choice
from labkit.tables import Rows, averaged, by_seed, column, values_of  # noqa: F401 (offered here too)


def shifts(rows: Rows) -> list[str]:
    """The shifts of a table, in order of appearance."""
    return values_of(rows, "shift")


def scores(rows: Rows, shift: str | Sequence[str], method: str, score: str) -> np.ndarray:
    """One score of the picked networks, by seed; several shifts are averaged seed by seed.

    Raises ValueError for a shift or method without rows, or seeds that are not the same.
    """
    return averaged(_cells(rows, shift, method, score))


def _cells(
    rows: Rows, shift: str | Sequence[str], method: str, score: str
) -> dict[str, dict[int, float]]:
    return {
        f"shift, method: {name!r}, {method!r}": by_seed(
            rows, score, shift=name, method=method, picked=True
        )
        for name in ([shift] if isinstance(shift, str) else shift)
    }


def lead(rows: Rows, shift: str | Sequence[str], method: str, other: str, score: str) -> Interval:
    """How far `method` is ahead of `other`, by seed; ValueError if theirs are not the same."""
    return paired(*(_cells(rows, shift, m, score) for m in (method, other)))


def against_rate(rows: Rows, shift: str, method: str, score: str) -> dict[float, Interval]:
    """Learning rate -> the score of all networks trained with it, picked or not.

    Raises ValueError for a shift or method without rows, or an unknown score.
    """
    trained = _trained(rows, shift, method)
    check_choice("score", (score,), tuple(trained[0]))
    found: dict[float, list[float]] = {}
    for row in trained:
        found.setdefault(float(row["setting"]), []).append(float(row[score]))
    return {rate: mean_interval(found[rate]) for rate in sorted(found)}


def networks(rows: Rows, shift: str, method: str) -> np.ndarray:
    """ID and OOD accuracy of every network of a method under one shift, picked or not: (n, 2).

    Raises ValueError for a shift or method without rows.
    """
    trained = _trained(rows, shift, method)
    return np.array([(float(row["id"]), float(row["ood"])) for row in trained])


def repicked(rows: Rows, without: Mapping[str, Sequence[float]]) -> list[dict[str, str]]:
    """The rows as if some rates (method -> learning rates) had not been tried: `picked` is anew.

    As in the sweep, a method's best network on ID validation is picked, of equal ones that with the
    smallest rate. Raises ValueError for a method without rows.
    """
    if without:
        check_choice("without", tuple(without), values_of(rows, "method"))
    left_out = {(method, f"{rate:g}") for method, rates in without.items() for rate in rates}
    kept = [row for row in rows if (row["method"], row["setting"]) not in left_out]
    best: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in sorted(kept, key=_rate_of):
        cell = row["shift"], row["seed"], row["method"]
        if cell not in best or float(row["validation"]) > float(best[cell]["validation"]):
            best[cell] = row
    picked = {id(row) for row in best.values()}
    return [{**row, "picked": str(id(row) in picked)} for row in kept]


def _rate_of(row: dict[str, str]) -> float:
    try:
        return float(row["setting"])
    except ValueError:  # a block of the encoder, say
        return 0.0


def _trained(rows: Rows, shift: str, method: str) -> Rows:
    found = [row for row in rows if (row["shift"], row["method"]) == (shift, method)]
    if not found:
        raise ValueError(f"shift, method: {shift!r}, {method!r} has no rows")
    return found
