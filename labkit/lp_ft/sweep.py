"""Notebook 06's table: scratch, LP, FT, LP-FT, WiSE-FT and surgical tuning under five shifts.

    python -m labkit.lp_ft.sweep                                # all cores: an hour on two
    python -m labkit.lp_ft.sweep --scheduler tcp://host:8786    # on a dask.distributed cluster

Writes data/sweeps/lp_ft.csv: a row for every network trained, `picked` marking the one that its
method chose by ID validation. A seed draws the split of the downstream concepts, the heads and the
batches. OOD accuracies are recorded for every network and choose nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import product

import torch

from labkit import data, encoders, tasks, transfer
from labkit.sweep import Row, command_line
from labkit.yardstick import Yardstick

SEEDS = range(10)
STEPS = 80  # of 32 images, for every method but scratch, which gets twice as many
RATES = {
    "scratch": (0.03,),  # what notebook 01's sweep chose for all labels, in each of its seeds
    "fine-tuning": (0.003, 0.01, 0.03, 0.1),
    "lp-ft": (0.0001, 0.0003, 0.001, 0.003),
    "surgical": (0.003,),
}
SURGICAL_STAGES = ("blocks.0", "blocks.5")  # the first block, and the last
FLAT = data.COLOUR_STYLES
SHIFTS = {
    "colour to shaded and mono": ("clip-conv", FLAT, data.SHADED_STYLES + data.MONO_STYLES),
    "twemoji to nine others": ("clip-conv", ("twemoji",), None),
    "three colour to two colour": ("clip-conv", FLAT[:3], FLAT[3:5]),  # ID is close to OOD
    "sub-population": ("clip-conv", FLAT, None),
    "poor features": ("simclr-conv", FLAT, data.SHADED_STYLES + data.MONO_STYLES),
}


def make_task(shift: str, seed: int) -> tasks.Task:
    _, styles, ood_styles = SHIFTS[shift]
    if shift == "sub-population":
        return tasks.subpopulation_shift(styles, split=seed)
    return tasks.style_shift(styles, ood_styles, split=seed)


class Run:
    """All methods on one task; each returns its candidates, one network per learning rate."""

    def __init__(self, shift: str, seed: int) -> None:
        self.task, self.seed = make_task(shift, seed), seed
        self.encoder = encoders.load(SHIFTS[shift][0]).image
        self.probe = transfer.linear_probe(self.encoder, self.task)
        self.measure = Yardstick(self.encoder, self.task)

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def schedule(self, times: int = 1, freeze_norm: bool = False) -> transfer.Schedule:
        return transfer.Schedule(times * STEPS, record_every=0, freeze_norm=freeze_norm)

    def candidates(self) -> dict[str, dict[str, transfer.Fit]]:
        """method -> {what was tried: the network}; a network that diverged is left out."""
        tuned = converged({f"{lr:g}": partial(self.lp_ft, lr) for lr in RATES["lp-ft"]})
        surgical = product(SURGICAL_STAGES, RATES["surgical"])
        return {
            "probe": {f"C {self.probe.chosen:g}": self.probe},
            "fine-tuning": converged(
                {f"{lr:g}": partial(self.fine_tune, lr) for lr in RATES["fine-tuning"]}
            ),
            "lp-ft": tuned,
            "wise-ft": {
                lr: transfer.wise_ft(self.probe, fit, self.task) for lr, fit in tuned.items()
            },
            "surgical": converged(
                {f"{stage} {lr:g}": partial(self.surgical, stage, lr) for stage, lr in surgical}
            ),
            "scratch": converged({f"{lr:g}": partial(self.scratch, lr) for lr in RATES["scratch"]}),
        }

    def fine_tune(self, lr: float) -> transfer.Fit:
        return transfer.fine_tune(self.encoder, self.task, lr, self.generator(), self.schedule())

    def scratch(self, lr: float) -> transfer.Fit:
        schedule = self.schedule(times=2)
        return transfer.from_scratch(self.encoder, self.task, lr, self.generator(), schedule)

    def lp_ft(self, lr: float) -> transfer.Fit:
        schedule = self.schedule(freeze_norm=True)
        return transfer.lp_ft(
            self.encoder, self.task, lr, self.generator(), schedule, probe=self.probe
        )

    def surgical(self, stage: str, lr: float) -> transfer.Fit:
        model = transfer.train_only(copy.deepcopy(self.probe.model), stage)
        return transfer.fit(model, self.task, lr, self.generator(), self.schedule(freeze_norm=True))


def converged(tries: dict[str, Callable[[], transfer.Fit]]) -> dict[str, transfer.Fit]:
    """Train each; a learning rate that makes the loss infinite is no candidate."""
    found = {}
    for setting, train in tries.items():
        with suppress(FloatingPointError):
            found[setting] = train()
    return found


def run(shift: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    here = Run(shift, seed)
    rows = []
    for method, tried in here.candidates().items():
        best = max(tried, key=lambda setting: tried[setting].validation)
        rows += [
            {"method": method, "setting": setting, "picked": setting == best, **here.measure(fit)}
            for setting, fit in tried.items()
        ]
    return rows


CELLS = [{"shift": shift, "seed": seed} for seed in SEEDS for shift in SHIFTS]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/lp_ft.csv", __doc__)
