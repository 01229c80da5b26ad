"""Notebook 06's tables: scratch, LP, FT, LP-FT, WiSE-FT and surgical tuning under shifts.

    python -m labkit.lp_ft.sweep lp_ft                         # all cores: 70 minutes on two
    python -m labkit.lp_ft.sweep --scheduler tcp://host:8786   # on a dask.distributed cluster
    python -m labkit.lp_ft.sweep lp_ft_steps                   # two hours on two
    python -m labkit.lp_ft.sweep lp_ft_heads                   # three hours on two

A row for each network trained, `picked` marking the one that its method chose by ID validation; OOD
accuracies are recorded for every network and choose nothing. data/README.md says what the tables
hold. Columns of hits are for intervals that know which concepts two seeds share.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import torch

from labkit import data, encoders, tasks, transfer
from labkit.evaluate import Measure
from labkit.statistics import write_hits
from labkit.sweeps import Experiment, Row, command_line, grid

STEPS, TIMES = 80, 4  # of 32 images, for every method but scratch, which gets twice as many
RATES = {
    "scratch": (0.03,),  # what notebook 01's sweep chose for all labels, in each of its seeds
    "fine-tuning": (0.003, 0.01, 0.03, 0.1),
    "lp-ft": (0.0001, 0.0003, 0.001, 0.003),
    "surgical": (0.003,),
}
LONGER = {"fine-tuning": (0.001, *RATES["fine-tuning"]), "lp-ft": (*RATES["lp-ft"], 0.01)}


class Design(NamedTuple):
    """One way to fine-tune, in the parts of which LP-FT is made: what is tried on validation."""

    rates: Sequence[float]  # of the encoder
    probed: bool = False  # the probe's head, not a random one
    frozen: bool = False  # BatchNorm's statistics
    times: Sequence[int] = (1,)  # the head's rate, in units of the encoder's
    strengths: Sequence[float | None] = (None,)  # of L2-SP's pull towards where the encoder starts


HEADS = {
    "fine-tuning, frozen": Design((0.003, 0.01, 0.03), frozen=True),
    "fast head, frozen": Design((0.0003, 0.001, 0.003, 0.01), frozen=True, times=(30, 100)),
    "fast head, free": Design((0.0003, 0.001, 0.003, 0.01), times=(30, 100)),
    "lp-ft, free": Design((0.0003, 0.001, 0.003, 0.01, 0.03), probed=True),
    "l2-sp": Design((0.01, 0.03, 0.1), strengths=(0.01, 0.1, 1)),
}
FAST = {"fast head, frozen": Design((0.0001, 0.0003, 0.001, 0.003), frozen=True, times=(100,))}
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
FAR_ALONE = ("colour to shaded, emoji alone", "twemoji to others, emoji alone")
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
        generator, frozen = self.generator(), self.schedule(freeze_norm=True)
        return transfer.lp_ft(self.encoder, self.task, rate, generator, frozen, probe=self.probe)

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


def converged(train: Callable[..., transfer.Fit], rates: Sequence[float], **other: Any) -> Tried:
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


def run_far(
    shift: str,
    seed: int,
    times: int,
    rates: Mapping[str, Sequence[float]],
    designs: Mapping[str, Design],
) -> list[Row]:
    """LP, FT, LP-FT, WiSE-FT and `designs`, with hits: what those recognise that were picked."""
    here, rows = Recipes(shift, seed, times * STEPS), []
    tried = {name: taken_apart(here, design) for name, design in designs.items()}
    for method, networks in (compared(here, rates) | tried).items():
        for row, (_, fit) in zip(here.rows(method, networks), networks, strict=True):
            rows.append(row | (hits_of(fit, here.task, shift, seed) if row["picked"] else {}))
    return rows


run_longer = partial(run_far, times=TIMES, rates=LONGER, designs=FAST)
run_heads = partial(run_far, times=1, rates=RATES, designs=HEADS)


def taken_apart(here: Recipes, design: Design) -> Tried:
    """Every network of one design."""
    start = here.probe.model if design.probed else None

    def train(rate: float, head_times: int, strength: float | None) -> transfer.Fit:
        generator = here.generator()
        model = start or transfer.new_classifier(here.encoder, len(here.task.classes), generator)
        schedule = replace(here.schedule(freeze_norm=design.frozen), head_times=head_times)
        penalty = strength and transfer.l2_sp(here.encoder, strength)
        return transfer.fit(
            copy.deepcopy(model), here.task, rate, generator, schedule, penalty=penalty
        )

    return [
        found
        for times, strength in product(design.times, design.strengths)
        for found in converged(train, design.rates, head_times=times, strength=strength)
    ]


def hits_of(fit: transfer.Fit, task: tasks.Task, shift: str, seed: int) -> Row:
    """How many drawings of each downstream concept are right, ID and OOD (`write_hits`)."""
    parts, found = tasks.downstream_parts(seed), {}
    among = sorted(sum(parts.values(), []))
    for column, drawn_by in (("id_hits", SHIFTS[shift][1]), ("ood_hits", tuple(task.ood))):
        emoji = data.load(drawn_by, parts=tasks.DOWNSTREAM).of(parts["test"])
        answer = transfer.features(fit.model, emoji.images).argmax(dim=1)
        found[column] = write_hits(answer == data.labels_of(emoji.concept), emoji.concept, among)
    return found


def tested(row: Row) -> frozenset[int]:
    return tasks.test_concepts(row["seed"])


def ood_tested(row: Row) -> frozenset[int]:
    return tasks.other_subgroups() if row["shift"] == "sub-population" else tested(row)


SEEDS = range(10)
TESTED = {"overlap": tested}
BOTH = TESTED | {"overlap_ood": ood_tested}
EXPERIMENTS = (
    Experiment("lp_ft", run, grid(shift=SHIFTS, seed=SEEDS), BOTH),
    Experiment("lp_ft_steps", run_longer, grid(shift=FAR, seed=SEEDS), TESTED),
    Experiment("lp_ft_heads", run_heads, grid(shift=FAR + FAR_ALONE, seed=SEEDS), TESTED),
)

if __name__ == "__main__":
    command_line(__doc__, *EXPERIMENTS)
