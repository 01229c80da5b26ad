"""Notebook 04's tables: ways to tune a vision transformer, on three tasks.

    python -m labkit.adapters.sweep --jobs 1    # half an hour of one core

Or tables by name: adapters_rates, adapters, adapters_steps. data/README.md says how they were made.
"""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import NamedTuple

import torch

from labkit import data, encoders, evaluate, sweeps, tasks, transfer
from labkit.adapters.methods import METHODS, Method, count, insert, without
from labkit.sweeps import Experiment, Row, command_line, grid

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


@cache
def upstream() -> tuple:
    """CLIP, some upstream emoji, and the positions and features (n, dim) of all upstream names."""
    clip, emoji = encoders.load("clip-vit"), data.load(parts="upstream")
    order = torch.randperm(len(emoji), generator=torch.Generator().manual_seed(0))
    concepts = [c for c in data.concepts() if c.part == "upstream"]
    names = clip.embed_captions([concept.name for concept in concepts]).detach()
    positions = torch.tensor([concept.position for concept in concepts])
    return clip, emoji[order[:OLD_JOB_IMAGES]], positions, names


@torch.no_grad()
def old_job(encoder: torch.nn.Module) -> float:
    """What pretraining taught: the share of images that a tuned encoder gives their own name."""
    clip, emoji, positions, names = upstream()
    image = clip.project_image(transfer.features(encoder, emoji.images))
    found = positions[(image @ names.T).argmax(dim=1)]
    return round((found == emoji.concept).float().mean().item(), 4)


@lru_cache(maxsize=1)
def prepared(task: str, seed: int) -> tuple[tasks.Task, evaluate.Measure]:
    made = JOBS[task].make(seed)
    return made, evaluate.Measure(encoders.load("clip-vit").image, made)


def tuned(
    here: tasks.Task, name: str, method: str, width: int, seed: int, times: int = 1
) -> tuple[transfer.Fit, float]:
    """A network for the task of this name, at its method's best rate (or the probe's strength)."""
    if method == "probe":
        fit = transfer.linear_probe(encoders.load("clip-vit").image, here)
        fit.model.encoder.requires_grad_(False)
        return fit, fit.chosen
    rate, steps = best_rate(name, method), times * JOBS[name].steps
    return train(here, METHODS[method].with_width(width), rate, seed, steps), rate


def run_main(task: str, seed: int, method: str) -> list[Row]:
    """A row for each width; from adapters of the default width, blocks are taken out afterwards."""
    (here, measure), plain, rows = prepared(task, seed), METHODS[method].width, []
    for width in WIDTHS.get(method, (plain,)):
        fit, rate = tuned(here, task, method, width, seed)
        about = {"width": width, "pruned": "none", "rate": rate, "parameters": count(fit.model)}
        rows.append({**about, **measure(fit), "old_job": old_job(fit.model.encoder)})
        if (method, width) == ("adapters", plain):
            for pruned, blocks in PRUNED.items():
                cut = transfer.Classifier(without(fit.model.encoder, blocks), fit.model.head)
                right = round(transfer.accuracy(cut, here.test), 4)
                rows.append({**about, "pruned": pruned, "id": right})
    return rows


def run_rates(task: str, method: str, seed: int) -> list[Row]:
    """The validation accuracy of every learning rate; no test image is looked at."""
    here = JOBS[task].make(seed)
    fits = {r: train(here, METHODS[method], r, seed, JOBS[task].steps) for r in RATES[method]}
    return [{"rate": r, "validation": round(fit.validation, 4)} for r, fit in fits.items()]


def run_steps(task: str, method: str, seed: int) -> list[Row]:
    """Validation accuracy after the sweep's number of steps, and after three times as many."""
    here, width = JOBS[task].make(seed), METHODS[method].width
    fits = {times: tuned(here, task, method, width, seed, times)[0] for times in (1, 3)}
    return [{"times": n, "validation": round(fit.validation, 4)} for n, fit in fits.items()]


TUNING_SEEDS = (100, 101)  # not those that are compared
RATE_CELLS = grid(task=(FIRST, THIRD), method=RATES, seed=TUNING_SEEDS)
CELLS = grid(task=JOBS, seed=range(5), method=METHODS)
LONGER_CELLS = grid(task=(THIRD, FIRST), method=LONGER, seed=TUNING_SEEDS)
TESTED = {"overlap": lambda row: tasks.test_concepts(row["seed"])}
EXPERIMENTS = (
    Experiment("adapters_rates", run_rates, RATE_CELLS),
    Experiment("adapters", run_main, CELLS, TESTED),
    Experiment("adapters_steps", run_steps, LONGER_CELLS),
)

if __name__ == "__main__":
    command_line(__doc__, *EXPERIMENTS)
