"""Notebook 06's tables: scratch, LP, FT, LP-FT, WiSE-FT and surgical tuning under shifts.

    python -m labkit.lp_ft.sweep lp_ft                         # all cores: 70 minutes on two
    python -m labkit.lp_ft.sweep --scheduler tcp://host:8786   # on a dask.distributed cluster
    python -m labkit.lp_ft.sweep lp_ft_steps                   # 80 minutes on two
    python -m labkit.lp_ft.sweep lp_ft_heads                   # 45 minutes on two

A row for each network trained, `picked` marking the one that its method chose by ID validation; OOD
accuracies are recorded for every network and choose nothing. data/README.md says what the tables
hold. Columns of hits are for intervals that know which concepts two seeds share.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import torch

from labkit import data, encoders, tasks, transfer
from labkit.evaluate import Measure
from labkit.statistics import write_hits
from labkit.sweeps import Experiment, Row, command_line

STEPS, TIMES = 80, 4  # of 32 images, for every method but scratch, which gets twice as many
RATES = {
    "scratch": (0.03,),  # what notebook 01's sweep chose for all labels, in each of its seeds
    "fine-tuning": (0.003, 0.01, 0.03, 0.1),
    "lp-ft": (0.0001, 0.0003, 0.001, 0.003),
    "surgical": (0.003,),
}
LONGER = {"fine-tuning": (0.001, *RATES["fine-tuning"]), "lp-ft": (*RATES["lp-ft"], 0.01)}
HEADS = {  # random or probed head, frozen or free statistics, the encoder's rates, the head's times
    "fine-tuning, frozen": (False, True, (0.003, 0.01, 0.03), (1,)),
    "fast head, frozen": (False, True, (0.0003, 0.001, 0.003, 0.01), (30, 100)),
    "fast head, free": (False, False, (0.0003, 0.001, 0.003, 0.01), (30, 100)),
    "lp-ft, free": (True, False, (0.0003, 0.001, 0.003, 0.01, 0.03), (1,)),
}
BLOCKS = ("blocks.0", "blocks.5")  # for surgical tuning: the encoder's first block, and its last
FLAT, SHADED = data.COLOUR_STYLES, data.SHADED_STYLES + data.MONO_STYLES
SHIFTS = {
    "colour to shaded and mono": ("clip-words-conv", FLAT, SHADED),
    "twemoji to nine others": ("clip-words-conv", ("twemoji",), None),
    "colour to shaded, emoji alone": ("clip-conv", FLAT, SHADED),  # less prior knowledge
    "twemoji to others, emoji alone": ("clip-conv", ("twemoji",), None),
    "three colour to two colour": ("clip-words-conv", FLAT[:3], FLAT[3:5]),  # ID is close to OOD
    "sub-population": ("clip-words-conv", FLAT, None),
    "poor features": ("simclr-conv", FLAT, SHADED),
}
FAR = ("colour to shaded and mono", "twemoji to nine others")
NOTHING_SET = {"rate": None, "strength": None, "block": None}  # a probe's C; the block that trains
Tried = list[tuple[Row, transfer.Fit]]  # what was set, and the network


def make_task(shift: str, seed: int) -> tasks.Task:
    _, styles, ood_styles = SHIFTS[shift]
    if shift == "sub-population":
        return tasks.subpopulation_shift(styles, split=seed)
    return tasks.style_shift(styles, ood_styles, split=seed)


class Recipes:
    """Every method on one task, with its steps and seed."""

    def __init__(self, shift: str, seed: int, steps: int = STEPS) -> None:
        self.task, self.seed, self.steps = make_task(shift, seed), seed, steps
        self.encoder = encoders.load(SHIFTS[shift][0]).image
        self.probe = transfer.linear_probe(self.encoder, self.task)
        self.measure = Measure(self.encoder, self.task)

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def schedule(self, times: int = 1, freeze_norm: bool = False) -> transfer.Schedule:
        return transfer.Schedule(times * self.steps, record_every=0, freeze_norm=freeze_norm)

    def fine_tune(self, rate: float) -> transfer.Fit:
        return transfer.fine_tune(self.encoder, self.task, rate, self.generator(), self.schedule())

    def scratch(self, rate: float) -> transfer.Fit:
        schedule = self.schedule(times=2)
        return transfer.from_scratch(self.encoder, self.task, rate, self.generator(), schedule)

    def lp_ft(self, rate: float) -> transfer.Fit:
        frozen = self.schedule(freeze_norm=True)
        return transfer.lp_ft(
            self.encoder, self.task, rate, self.generator(), frozen, probe=self.probe
        )

    def surgical(self, rate: float, block: str) -> transfer.Fit:
        model = transfer.train_only(copy.deepcopy(self.probe.model), block)
        frozen = self.schedule(freeze_norm=True)
        return transfer.fit(model, self.task, rate, self.generator(), frozen)

    def rows(self, method: str, tried: Tried) -> list[Row]:
        best = max(tried, key=lambda one: one[1].validation)[1]
        return [
            {"method": method, **NOTHING_SET, **given, "picked": fit is best, **self.measure(fit)}
            for given, fit in tried
        ]


def converged(train: Callable[..., transfer.Fit], rates: Sequence[float], **other: str) -> Tried:
    """Train with each rate; one that makes the loss infinite is no candidate."""
    found = []
    for rate in rates:
        with suppress(FloatingPointError):
            found.append(({"rate": rate, **other}, train(rate, **other)))
    return found


def compared(here: Recipes, rates: Mapping[str, Sequence[float]]) -> dict[str, Tried]:
    """LP, FT, LP-FT and WiSE-FT, at every rate."""
    tuned = converged(here.lp_ft, rates["lp-ft"])
    return {
        "probe": [({"strength": here.probe.chosen}, here.probe)],
        "fine-tuning": converged(here.fine_tune, rates["fine-tuning"]),
        "lp-ft": tuned,
        "wise-ft": [(given, transfer.wise_ft(here.probe, fit, here.task)) for given, fit in tuned],
    }


def run(shift: str, seed: int) -> list[Row]:
    """Every method on one task, a row for each network."""
    here = Recipes(shift, seed)
    surgical = [converged(here.surgical, RATES["surgical"], block=block) for block in BLOCKS]
    candidates = compared(here, RATES) | {
        "surgical": sum(surgical, []),
        "scratch": converged(here.scratch, RATES["scratch"]),
    }
    return [row for method, tried in candidates.items() for row in here.rows(method, tried)]


def run_longer(shift: str, seed: int) -> list[Row]:
    """LP, FT, LP-FT and WiSE-FT with TIMES the steps, and what the picked ones recognise."""
    here, rows = Recipes(shift, seed, TIMES * STEPS), []
    for method, tried in compared(here, LONGER).items():
        for row, (_, fit) in zip(here.rows(method, tried), tried, strict=True):
            rows.append(row | (hits_of(fit, here.task, shift, seed) if row["picked"] else {}))
    return rows


def hits_of(fit: transfer.Fit, task: tasks.Task, shift: str, seed: int) -> Row:
    """How many drawings of each downstream concept are right, ID and OOD (`write_hits`)."""
    parts, found = tasks.downstream_parts(seed), {}
    among = sorted(sum(parts.values(), []))
    for column, drawn_by in (("id_hits", SHIFTS[shift][1]), ("ood_hits", tuple(task.ood))):
        emoji = data.load(drawn_by, parts=tasks.DOWNSTREAM).of(parts["test"])
        answer = transfer.features(fit.model, emoji.images).argmax(dim=1)
        found[column] = write_hits(answer == data.labels_of(emoji.concept), emoji.concept, among)
    return found


def run_heads(shift: str, seed: int) -> list[Row]:
    """Fine-tuning from either head, at either speed, with either statistics: every network."""
    here, rows = Recipes(shift, seed), []
    for method, (probed, frozen, rates, times) in HEADS.items():
        tried = []
        for speed in times:
            schedule = replace(here.schedule(freeze_norm=frozen), head_times=speed)
            learn = partial(transfer.lp_ft, probe=here.probe) if probed else transfer.fine_tune

            def train(rate: float, learn=learn, schedule=schedule, **given) -> transfer.Fit:
                return learn(here.encoder, here.task, rate, here.generator(), schedule)

            tried += converged(train, rates, head_times=speed)
        rows += here.rows(method, tried)
    return rows


def tested(row: Row) -> frozenset[int]:
    return tasks.test_concepts(row["seed"])


def ood_tested(row: Row) -> frozenset[int]:
    return tasks.other_subgroups() if row["shift"] == "sub-population" else tested(row)


CELLS = [{"shift": shift, "seed": seed} for seed in range(10) for shift in SHIFTS]
FAR_CELLS = [{"shift": shift, "seed": seed} for seed in range(10) for shift in FAR]
BOTH = {"overlap": tested, "overlap_ood": ood_tested}
EXPERIMENTS = (
    Experiment("lp_ft", run, CELLS, BOTH),
    Experiment("lp_ft_steps", run_longer, FAR_CELLS, {"overlap": tested}),
    Experiment("lp_ft_heads", run_heads, FAR_CELLS, BOTH),
)

if __name__ == "__main__":
    command_line(__doc__, *EXPERIMENTS)
