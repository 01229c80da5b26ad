"""Notebook 04's methods as they are drawn, and what its long experiment says of each setting.

A *setting* is a method with its width, ("adapters", 8), or 0 where it has none. Results of
`sweeps.read("adapters")` have a row for each, from the fewest trained parameters to the most;
columns mean, low and high.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from labkit import sweeps
from labkit.looks import LOOKS, Look
from labkit.statistics import Interval, Scores

Setting = tuple[str, int]
PROBE, FULL, HOULSBY = ("probe", 0), ("fine-tuning", 0), ("adapters", 8)
GREEN = LOOKS["adapters"].color
TUNED = {name: LOOKS[name] for name in ("probe", "norms", "bitfit", "lora", "adapters")} | {
    "ffn-adapters": Look("adapters after FFN only", GREEN, "$\\mathbf{F}$"),
    "parallel-adapters": Look("parallel adapters", GREEN, "$\\mathbf{P}$"),
    "vpt-shallow": Look("prompts, first block", "#ec2898", "$\\mathbf{S}$"),
    "vpt-deep": Look("prompts, every block", "#ec2898", "$\\mathbf{D}$"),
    "fine-tuning": LOOKS["fine-tuning"],
}


def names(table: pd.DataFrame) -> dict[Setting, str]:
    """Every setting by its trained parameters: its method, with the width where it has several."""
    sizes = table.groupby(["method", "width"])["parameters"].max().sort_values(kind="stable")
    methods = [method for method, _ in sizes.index]
    return {
        (method, width): TUNED[method].name + f" {width}" * (methods.count(method) > 1)
        for method, width in sizes.index
    }


def look_of(name: str) -> Look:
    """How a setting of this name is drawn."""
    known = {look.name: look for look in TUNED.values()}
    return known[name.rstrip("0123456789 ")]._replace(name=name)


def _where(setting: Setting, pruned: str = "none") -> dict[str, str | int]:
    """pruned: the block that lost its adapters after training, "all" of them, or "none"."""
    return {"method": setting[0], "width": setting[1], "pruned": pruned}


def _by_setting(table: pd.DataFrame, measure: Callable[[Setting], Scores]) -> pd.DataFrame:
    found = {name: measure(setting).interval for setting, name in names(table).items()}
    return pd.DataFrame(found.values(), list(found), Interval._fields)


def means(table: pd.DataFrame, score: str, task: str | Sequence[str]) -> pd.DataFrame:
    """Mean and 95 % interval over seeds of every setting; several tasks are averaged.

    Raises ValueError for what was not measured, here and below.
    """
    return _by_setting(table, lambda s: sweeps.scores(table, score, task=task, **_where(s)))


def leads(
    table: pd.DataFrame, score: str, over: Setting, task: str | Sequence[str]
) -> pd.DataFrame:
    """How far every other setting is ahead of `over`, paired by seed; accuracies in points."""
    theirs = sweeps.scores(table, score, task=task, **_where(over))
    found = _by_setting(
        table, lambda s: sweeps.scores(table, score, task=task, **_where(s)) - theirs
    )
    return (1 if score.startswith("moved") else 100) * found.drop(names(table)[over])


def both(table: pd.DataFrame, over: Setting, task: str | Sequence[str]) -> pd.DataFrame:
    """`leads` in and out of distribution, side by side."""
    return pd.concat({s.upper(): leads(table, s, over, task) for s in ("id", "ood")}, axis=1)


def frontier(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """How far every setting is ahead of the linear probe, on each task, ID and OOD."""
    sides, tasks = ("id", "ood"), table["task"].unique()
    return {f"{task}, {s.upper()}": leads(table, s, PROBE, task) for s in sides for task in tasks}


def moved(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Task -> OOD accuracy of every setting, and how far OOD features have `moved`."""
    return {
        task: means(table, "ood", task).assign(moved=means(table, "moved_ood", task)["mean"])
        for task in table["task"].unique()
    }


def pruned(table: pd.DataFrame) -> pd.DataFrame:
    """Points of ID accuracy lost without a block's adapters (HOULSBY): by block and task."""
    blocks = sorted(set(table["pruned"]) - {"none"})
    found = {
        (b, t): sweeps.lead(table, "id", _where(HOULSBY), _where(HOULSBY, b), task=t).interval
        for b in blocks
        for t in table["task"].unique()
    }
    index = pd.MultiIndex.from_tuples(found, names=["block", "task"])
    return 100 * pd.DataFrame(found.values(), index, Interval._fields)
