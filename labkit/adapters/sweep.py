"""Notebook 04's table: ten ways to tune a vision transformer, on three tasks.

    python -m labkit.adapters.sweep_rates --jobs 1     # learning rates, chosen on validation
    python -m labkit.adapters.sweep --jobs 1    # 15 minutes of one core

Writes data/sweeps/adapters.csv: a row for every network, and one for each block whose adapters were
taken out of it afterwards. A seed draws the split of the downstream concepts, the head, what is
inserted and the batches. Everything trains with Adam, as Houlsby et al. (2019) do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from labkit import adapters, data, encoders, tasks, transfer
from labkit.sweep import Row, command_line, read_rows
from labkit.yardstick import Yardstick

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
WIDTHS = {"adapters": (8, 32), "lora": (2, 8)}  # others: the width of adapters.METHODS
FAMILIES = {"ffn-adapters": "adapters", "parallel-adapters": "adapters"}  # share their rates
OLD_JOB_IMAGES = 600
# what is taken out -> its blocks
PRUNED = {str(block): (block,) for block in range(6)} | {"all": tuple(range(6))}


def train(task: tasks.Task, method: adapters.Method, lr: float, seed: int, steps: int):
    """One network: a fresh head on the shipped transformer, tuned as `method` says."""
    generator = torch.Generator().manual_seed(seed)
    model = transfer.new_classifier(encoders.load("clip-vit").image, len(task.classes), generator)
    adapters.insert(model.encoder, method, generator)
    schedule = transfer.Schedule(steps, optimizer="adam", record_every=0)
    return transfer.fit(model, task, lr, generator, schedule)


def best_rate(rows: Sequence[Row], task: str, method: str) -> float:
    """The learning rate with the best mean validation accuracy of its family."""
    family = FAMILIES.get(method, method)
    found: dict[float, list[float]] = {}
    for row in rows:
        if (row["task"], row["method"]) == (task, family):
            found.setdefault(float(row["rate"]), []).append(float(row["validation"]))
    return max(found, key=lambda rate: sum(found[rate]) / len(found[rate]))


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
    def __call__(self, encoder: torch.nn.Module) -> str:
        """The share of images whose nearest name is their own, by a tuned image encoder."""
        image = self.clip.project_image(transfer.features(encoder, self.emoji.images))
        nearest = torch.tensor(self.concepts)[(image @ self.names.T).argmax(dim=1)]
        return f"{(nearest == self.emoji.concept).float().mean().item():.4f}"


class Run:
    """All methods on one task."""

    def __init__(self, task: str, seed: int) -> None:
        self.job, self.seed, self.rows = JOBS[task], seed, []
        self.task, self.rates = self.job.make(seed), read_rows(RATES_TABLE)
        self.encoder, self.old_job = encoders.load("clip-vit").image, OldJob()
        self.measure = Yardstick(self.encoder, self.task)

    def probe(self) -> None:
        fit = transfer.linear_probe(self.encoder, self.task)
        fit.model.encoder.requires_grad_(False)
        self.write({"method": "probe", "width": 0, "pruned": "", "rate": fit.chosen}, fit)

    def tune(self, method: str, width: int) -> None:
        """Train one setting; from adapters of the default width, take blocks out afterwards."""
        rate = best_rate(self.rates, self.job.rates, method)
        chosen = replace(adapters.METHODS[method], width=width)
        fit = train(self.task, chosen, rate, self.seed, self.job.steps)
        shown = 0 if chosen.form == "none" else width
        about = {"method": method, "width": shown, "pruned": "", "rate": rate}
        self.write(about, fit)
        if chosen == adapters.METHODS["adapters"]:
            for pruned, blocks in PRUNED.items():
                encoder = adapters.without(fit.model.encoder, blocks)
                cut = transfer.Classifier(encoder, fit.model.head)
                right = transfer.accuracy(cut, self.task.test)
                self.rows.append({**about, "pruned": pruned, "id": f"{right:.4f}"})

    def write(self, about: Row, fit: transfer.Fit) -> None:
        size = {"parameters": adapters.count(fit.model)}
        knows = {"old_job": self.old_job(fit.model.encoder)}
        self.rows.append({**about, **size, **self.measure(fit), **knows})


def run(task: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    here = Run(task, seed)
    here.probe()
    for method, plain in adapters.METHODS.items():
        if method != "probe":
            for width in WIDTHS.get(method, (plain.width,)):
                here.tune(method, width)
    return here.rows


CELLS = [{"task": task, "seed": seed} for seed in range(5) for task in JOBS]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/adapters.csv", __doc__)
