"""Notebook 04's table: ten ways to tune a vision transformer, on three tasks.

    python data/tune_adapters.py --jobs 1     # learning rates, chosen on validation: 10 minutes
    python data/sweep_adapters.py --jobs 1    # half an hour of one core

Writes data/sweeps/adapters.csv: a row for every network, and one for each block whose adapters were
taken out of it afterwards. A seed draws the split of the downstream concepts, the head, what is
inserted and the batches. Everything trains with Adam, as Houlsby et al. (2019) do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from labkit import adapters, authors, data, encoders, tasks, transfer
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
    THIRD: Job(lambda seed: authors.who_drew_it(split=seed), 100, THIRD),
}
WIDTHS = {"adapters": (8, 32), "lora": (2, 8)}  # others: the width of adapters.METHODS
FAMILIES = {"ffn-adapters": "adapters", "parallel-adapters": "adapters"}  # share their rates
OLD_JOB_IMAGES = 600


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


def run(task: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    job, rates = JOBS[task], read_rows(RATES_TABLE)
    here = job.make(seed)
    encoder, old_job = encoders.load("clip-vit").image, OldJob()
    measure, rows = Yardstick(encoder, here), []

    def write(method: str, width: int, rate: float, fit) -> None:
        about = {"method": method, "width": width, "pruned": "", "rate": rate}
        size = {"parameters": adapters.count(fit.model)}
        rows.append({**about, **size, **measure(fit), "old_job": old_job(fit.model.encoder)})

    def write_pruned(method: str, width: int, rate: float, fit) -> None:
        """Its ID accuracy without the adapters of one block, then without all of them."""
        for blocks in [(number,) for number in range(6)] + [tuple(range(6))]:
            cut = transfer.Classifier(adapters.without(fit.model.encoder, blocks), fit.model.head)
            name = "all" if len(blocks) > 1 else str(blocks[0])
            about = {"method": method, "width": width, "pruned": name, "rate": rate}
            rows.append({**about, "id": f"{transfer.accuracy(cut, here.test):.4f}"})

    probe = transfer.linear_probe(encoder, here)
    for parameter in probe.model.encoder.parameters():
        parameter.requires_grad_(False)
    write("probe", 0, probe.chosen, probe)
    for method in adapters.METHODS:
        if method == "probe":
            continue
        rate = best_rate(rates, job.rates, method)
        plain = adapters.METHODS[method]
        for width in WIDTHS.get(method, (plain.width,)):
            fit = train(here, replace(plain, width=width), rate, seed, job.steps)
            write(method, width if plain.form != "none" else 0, rate, fit)
            if method == "adapters" and width == plain.width:
                write_pruned(method, width, rate, fit)
    return rows


CELLS = [{"task": task, "seed": seed} for seed in range(5) for task in JOBS]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/adapters.csv", __doc__)
