"""Notebook 04's table: eleven ways to tune a vision transformer, on four tasks.

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
    """A task, and how many steps of 32 images every method gets for it."""

    make: Callable[[int], tasks.Task]
    steps: int


JOBS = {
    "colour to shaded and mono": Job(lambda seed: tasks.style_shift(FLAT, FAR, split=seed), 60),
    "twemoji to nine others": Job(lambda seed: tasks.style_shift(("twemoji",), split=seed), 60),
    # More steps, since here the features have to change: see data/README.md.
    "who drew it": Job(lambda seed: authors.who_drew_it(split=seed), 160),
    "sub-population": Job(lambda seed: tasks.subpopulation_shift(FLAT, split=seed), 60),
}
WIDTHS = {"adapters": (2, 8, 32), "lora": (2, 8)}  # others: the width of adapters.METHODS
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

    def write(method: str, width: int, rate: float, fit, pruned: str = "") -> None:
        about = {"method": method, "width": width, "pruned": pruned, "rate": rate}
        size = {"parameters": adapters.count(fit.model)}
        knows = "" if pruned.isdigit() else old_job(fit.model.encoder)
        rows.append({**about, **size, **measure(fit), "old_job": knows})

    probe = transfer.linear_probe(encoder, here)
    for parameter in probe.model.encoder.parameters():
        parameter.requires_grad_(False)
    write("probe", 0, probe.chosen, probe)
    for method in adapters.METHODS:
        if method == "probe":
            continue
        rate = best_rate(rates, task, method)
        plain = adapters.METHODS[method]
        for width in WIDTHS.get(method, (plain.width,)):
            fit = train(here, replace(plain, width=width), rate, seed, job.steps)
            write(method, width if plain.form != "none" else 0, rate, fit)
            if method == "adapters" and width == plain.width:
                for blocks in [(number,) for number in range(6)] + [tuple(range(6))]:
                    cut = transfer.Classifier(
                        adapters.without(fit.model.encoder, blocks), fit.model.head
                    )
                    name = "all" if len(blocks) > 1 else str(blocks[0])
                    write(method, width, rate, replace(fit, model=cut), pruned=name)
    return rows


CELLS = [{"task": task, "seed": seed} for task in JOBS for seed in range(5)]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/adapters.csv", __doc__)
