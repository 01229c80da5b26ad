"""Notebook 04's tables: ways to tune a vision transformer, on three tasks.

    python -m labkit.adapters.sweep --jobs 1    # half an hour of one core, or tables by name:

adapters_rates (7 minutes): learning rates, by ID validation. adapters (15 minutes): a row for every
network, and one for each block whose adapters were taken out of it afterwards. adapters_steps (6
minutes): would longer training change the order? By validation too; no test image is looked at.

A seed draws the split of the downstream concepts, the head, what is inserted and the batches.
Everything trains with Adam, as Houlsby et al. (2019) do. Rates and steps have two seeds of their
own; their splits divide the same concepts anew, so that two thirds of the concepts that `adapters`
tests on are among their training and validation concepts. Where the best rate is the largest, the
next one was tried by hand with the first seed: adapters at 0.06 and biases at 0.1 collapse, norms
at 0.1 gain nothing, prompts at 0.2 lose. A new method needs its line in RATES; what the tables have
is not run again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch

from labkit import data, encoders, evaluate, sweeps, tasks, transfer
from labkit.adapters.methods import METHODS, Method, count, insert, without
from labkit.sweeps import Experiment, Row, command_line

RATES_TABLE = data.DATA / "sweeps/adapters_rates.csv"
FLAT, FAR = data.COLOUR_STYLES, data.SHADED_STYLES + data.MONO_STYLES


class Job(NamedTuple):
    """A task, how many steps of 32 images every method gets, and whose learning rates."""

    make: Callable[[int], tasks.Task]
    steps: int
    rates: str  # the task on which they were tuned


FIRST, SECOND, THIRD = "colour to shaded and mono", "twemoji to nine others", "who drew it"
JOBS = {
    FIRST: Job(lambda seed: tasks.style_shift(FLAT, FAR, split=seed), 60, FIRST),
    SECOND: Job(lambda seed: tasks.style_shift(("twemoji",), split=seed), 40, FIRST),
    # More steps, since here the features have to change.
    THIRD: Job(lambda seed: tasks.who_drew_it(split=seed), 100, THIRD),
}
RATES = {
    "norms": (0.003, 0.01, 0.03),
    "bitfit": (0.003, 0.01, 0.03),
    "lora": (0.002, 0.006, 0.02),
    "adapters": (0.002, 0.006, 0.02),
    "vpt-shallow": (0.006, 0.02, 0.06),
    "vpt-deep": (0.006, 0.02, 0.06),
    "fine-tuning": (0.0002, 0.0006, 0.002),
}
FAMILIES = {"ffn-adapters": "adapters", "parallel-adapters": "adapters"}  # share their rates
WIDTHS = {"adapters": (8, 32), "lora": (2, 8)}  # others: the width of METHODS
OLD_JOB_IMAGES = 600
# what is taken out -> its blocks
PRUNED = {str(block): (block,) for block in range(6)} | {"all": tuple(range(6))}
LONGER = ("probe", "norms", "lora", "adapters", "fine-tuning")


def train(task: tasks.Task, method: Method, lr: float, seed: int, steps: int) -> transfer.Fit:
    """One network: a fresh head on the shipped transformer, tuned as `method` says."""
    generator = torch.Generator().manual_seed(seed)
    model = transfer.new_classifier(encoders.load("clip-vit").image, len(task.classes), generator)
    insert(model.encoder, method, generator)
    schedule = transfer.Schedule(steps, optimizer="adam", record_every=0)
    return transfer.fit(model, task, lr, generator, schedule)


def best_rate(task: str, method: str) -> float:
    """The learning rate with the best mean validation accuracy of its family."""
    table = sweeps.read_table(RATES_TABLE)
    family = FAMILIES.get(method, method)
    found = table[(table["task"] == JOBS[task].rates) & (table["method"] == family)]
    return float(found.groupby("rate", sort=False)["validation"].mean().idxmax())


class OldJob:
    """What pretraining taught: to find an emoji's own name among those of all upstream concepts."""

    def __init__(self) -> None:
        self.clip = encoders.load("clip-vit")
        emoji = data.load(parts="upstream")
        order = torch.randperm(len(emoji), generator=torch.Generator().manual_seed(0))
        self.emoji = emoji[order[:OLD_JOB_IMAGES]]
        self.concepts = [c.position for c in data.concepts() if c.part == "upstream"]
        with torch.no_grad():
            self.names = self.clip.embed_captions(
                [data.concepts()[position].caption for position in self.concepts]
            )

    @torch.no_grad()
    def __call__(self, encoder: torch.nn.Module) -> float:
        """The share of images whose nearest name is their own, by a tuned image encoder."""
        image = self.clip.project_image(transfer.features(encoder, self.emoji.images))
        nearest = torch.tensor(self.concepts)[(image @ self.names.T).argmax(dim=1)]
        return round((nearest == self.emoji.concept).float().mean().item(), 4)


class Run:
    """One task with one seed, and how a network that learned it is measured."""

    def __init__(self, task: str, seed: int) -> None:
        self.task = JOBS[task].make(seed)
        self.encoder, self.old_job = encoders.load("clip-vit").image, OldJob()
        self.measure = evaluate.Measure(self.encoder, self.task)

    def row(self, about: Row, fit: transfer.Fit) -> Row:
        knows = {"old_job": self.old_job(fit.model.encoder)}
        return {**about, "parameters": count(fit.model), **self.measure(fit), **knows}


make_run = lru_cache(maxsize=1)(Run)


def run_main(task: str, seed: int, method: str) -> list[Row]:
    """A row for each width; from adapters of the default width, blocks are taken out afterwards."""
    torch.set_num_threads(1)
    here, plain, rows = make_run(task, seed), METHODS[method], []
    if method == "probe":
        fit = transfer.linear_probe(here.encoder, here.task)
        fit.model.encoder.requires_grad_(False)
        return [here.row({"width": 0, "pruned": "none", "rate": fit.chosen}, fit)]
    for width in WIDTHS.get(method, (plain.width,)):
        rate = best_rate(task, method)
        fit = train(here.task, plain.with_width(width), rate, seed, JOBS[task].steps)
        rows.append(here.row({"width": width, "pruned": "none", "rate": rate}, fit))
        if (method, width) == ("adapters", plain.width):
            for pruned, blocks in PRUNED.items():
                cut = transfer.Classifier(without(fit.model.encoder, blocks), fit.model.head)
                right = round(transfer.accuracy(cut, here.task.test), 4)
                about = {name: rows[-1][name] for name in ("width", "rate", "parameters")}
                rows.append({**about, "pruned": pruned, "id": right})
    return rows


def run_rates(task: str, method: str, seed: int) -> list[Row]:
    """The validation accuracy of every learning rate."""
    torch.set_num_threads(1)
    here = JOBS[task].make(seed)
    fits = {r: train(here, METHODS[method], r, seed, JOBS[task].steps) for r in RATES[method]}
    return [{"rate": r, "validation": round(fit.validation, 4)} for r, fit in fits.items()]


def run_steps(task: str, method: str, seed: int) -> list[Row]:
    """Validation accuracy after the sweep's number of steps, and after three times as many."""
    torch.set_num_threads(1)
    here, rows = JOBS[task].make(seed), []
    for times in (1, 3):
        if method == "probe":
            fit = transfer.linear_probe(encoders.load("clip-vit").image, here)
        else:
            steps = times * JOBS[task].steps
            fit = train(here, METHODS[method], best_rate(task, method), seed, steps)
        rows.append({"times": times, "validation": round(fit.validation, 4)})
    return rows


def cells(methods, names, seeds=(100, 101)) -> list[Row]:
    return [{"task": t, "method": m, "seed": s} for t in names for s in seeds for m in methods]


EXPERIMENTS = (
    Experiment("adapters_rates", run_rates, cells(RATES, (FIRST, THIRD))),
    Experiment(
        "adapters",
        run_main,
        [{"task": t, "seed": s, "method": m} for s in range(5) for t in JOBS for m in METHODS],
        {"overlap": lambda row: tasks.test_concepts(row["seed"])},
    ),
    Experiment("adapters_steps", run_steps, cells(LONGER, (THIRD, FIRST))),
)

if __name__ == "__main__":
    command_line(__doc__, *EXPERIMENTS)
