"""Look things up in the rows of a sweep's table: dicts of strings, as `labkit.data` reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from labkit.inputs import check_choice

Rows = Sequence[dict[str, str]]


def values_of(rows: Rows, name: str) -> list[str]:
    """The values in one column, in order of appearance. Raises ValueError for an unknown column."""
    if rows:
        check_choice("name", (name,), tuple(rows[0]))
    return list(dict.fromkeys(row[name] for row in rows))


def by_seed(rows: Rows, score: str, **where: object) -> dict[int, float]:
    """Seed -> one score of the rows in which every named column has the given value, by seed.

    Raises ValueError for two rows of one seed: `where` then leaves something open, or for columns
    that the table does not have.
    """
    if rows:
        check_choice("score, where", (score, *where), tuple(rows[0]))
    wanted = {name: str(value) for name, value in where.items()}
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    found.sort(key=lambda row: int(row["seed"]))
    cell = {int(row["seed"]): float(row[score]) for row in found}
    if len(cell) < len(found):
        raise _not_one_each(wanted, [row["seed"] for row in found])
    return cell


def column(rows: Rows, score: str, **where: object) -> np.ndarray:
    """`by_seed` as an array, ordered by seed. Raises ValueError when there is nothing, too."""
    cell = by_seed(rows, score, **where)
    if not cell:
        raise _not_one_each({name: str(value) for name, value in where.items()}, [])
    return np.array(list(cell.values()))


def averaged(cells: Mapping[str, dict[int, float]]) -> np.ndarray:
    """The mean of several cells (what each is -> its scores by seed), seed by seed.

    Raises ValueError, naming the cell, for one without scores or with other seeds than the first,
    and for no cells.
    """
    if not cells:
        raise ValueError("cells: got none, accepted: one or more")
    first = next(iter(cells.values()))
    for name, cell in cells.items():
        if not cell or set(cell) != set(first):
            raise ValueError(f"{name} has seeds {sorted(cell)}")
    return np.array([np.mean([cell[seed] for cell in cells.values()]) for seed in sorted(first)])


def _not_one_each(wanted: dict[str, str], seeds: list[str]) -> ValueError:
    return ValueError(f"where: {wanted} has rows of seeds {seeds}, accepted: one of each")
