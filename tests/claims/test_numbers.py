"""Numbers in the notebooks' prose are those of the tables, with the intervals that fit them.

What a cell of a notebook computes is asserted there. Here: what its text says in figures. When a
table is made anew, these tests name the sentences to be written anew.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from labkit import data, sweeps
from labkit.adapters import comparison
from labkit.statistics import Scores

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
FAR = ["colour to shaded and mono", "twemoji to nine others"]
FULL, PROBE, HOULSBY = comparison.FULL, comparison.PROBE, comparison.HOULSBY


@cache
def prose(notebook: str) -> str:
    cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return " ".join("\n".join(texts).split())


@cache
def table(name: str) -> pd.DataFrame:
    return sweeps.read(name)


def adapters(score: str, one: tuple, two: tuple, task: list[str] | str) -> Scores:
    where = [{"method": m, "width": w, "pruned": "none"} for m, w in (one, two)]
    return sweeps.lead(table("adapters"), score, *where, task=task)


def lp_ft(score: str, one: str, two: str, shift: list[str] | str, name: str = "lp_ft") -> Scores:
    return sweeps.lead(table(name), score, one, two, shift=shift, picked=True)


def after_320(score: str, method: str) -> Scores:
    """Over the probe of the same seeds."""
    late = sweeps.scores(table("lp_ft_steps"), score, method=method, shift=FAR, picked=True)
    same = table("lp_ft")[table("lp_ft")["seed"].isin(late.index)]
    return late - sweeps.scores(same, score, method="probe", shift=FAR, picked=True)


def in_noise() -> Scores:
    where = {"model": "fine-tuning", "test": ["noise 5", "ID"]}
    noisy, plain = (
        sweeps.scores(table("shifts"), "confidence", **{**where, "test": t}) for t in where["test"]
    )
    return noisy - plain


def simclr_over_random(styles: tuple[str, ...]) -> Scores:
    return sweeps.lead(table("contrastive"), list(styles), "simclr", "random", shots=5)


ALL, WHO = [*FAR, "who drew it"], "who drew it"
SENTENCES = [
    ("04_adapters", "over the three tasks, and the interval ({1:.1f} to {2:.1f}) holds",
     lambda: adapters("id", HOULSBY, FULL, ALL)),
    ("04_adapters", "{0:.1f} points behind it there, which could be luck: {1:.1f} to {2:.1f}",
     lambda: adapters("id", PROBE, FULL, FAR)),
    ("04_adapters", "(the {0:.1f}: {1:.1f} to {2:.1f})", lambda: adapters("ood", FULL, PROBE, WHO)),
    ("04_adapters", "are {0:.1f} points ahead of it ({1:.1f} to {2:.1f})",
     lambda: adapters("ood", HOULSBY, FULL, FAR)),
    ("03_contrastive_pretraining", "(the intervals reach from {1:.1f} to ",
     lambda: simclr_over_random(data.STYLES[:6])),
    ("03_contrastive_pretraining", " to {2:.1f}): 1,150 concepts",
     lambda: simclr_over_random(data.STYLES[6:])),
    ("05_failure_modes", "need not: {0:.1f} points, {1:.0f} to {2:.0f}", in_noise),
    ("06_lp_ft", "ahead of the probe there ({0:.1f}, {1:.1f} to {2:.1f})",
     lambda: after_320("id", "lp-ft")),
    ("06_lp_ft", "FT perhaps ({0:.1f}, {1:.1f} to {2:.1f})",
     lambda: after_320("id", "fine-tuning")),
    ("06_lp_ft", "*below* the probe (not surely: {1:.1f} to {2:.1f})",
     lambda: after_320("ood", "fine-tuning")),
    ("06_lp_ft", "four ahead of FT ({0:.1f}, {1:.1f} to {2:.1f})",
     lambda: lp_ft("ood", "lp-ft", "fine-tuning", FAR, "lp_ft_steps")),
    ("06_lp_ft", "on this shift alone not surely: {1:.1f} to {2:.1f}",
     lambda: lp_ft("ood", "lp-ft", "fine-tuning", FAR[0])),
]  # fmt: skip


@pytest.mark.parametrize(("notebook", "sentence", "lead"), SENTENCES)
def test_a_sentence_has_its_table_s_numbers(notebook: str, sentence: str, lead) -> None:
    said = sentence.format(*(100 * x for x in lead().interval))
    assert said in prose(notebook), said


def test_sentences_without_an_interval() -> None:
    gap = (
        table("motivation")
        .groupby(["shots", "method"])[["id", "ood"]]
        .mean()
        .xs("scratch", level=1)
    )
    gap = 100 * (gap["id"] - gap["ood"])
    few, many = gap[["1", "2", "5"]], gap[["10", "20", "50", "all"]]
    assert (round(gap.min()), round(gap.max())) == (4, 16) and few.max() < many.min()
    worse = table("sinusoids").query("range == 'outside'").groupby("method")["k5"]
    counts = worse.apply(lambda errors: (errors > 21.5).sum())
    assert counts[["fomaml", "reptile", "maml"]].tolist() == [1, 2, 5]
