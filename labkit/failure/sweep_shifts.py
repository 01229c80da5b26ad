"""Notebook 05's table: three classifiers on ever stranger images, and what each believes of itself.

    python -m labkit.failure.sweep_shifts      # about five CPU minutes

Writes data/sweeps/shifts.csv, a row per classifier, seed and test set. Labels come from three flat
styles; tests are the same styles, seven others, the ID test images damaged by four corruptions, and
sub-populations, for which a classifier of its own is trained. A seed draws the split of the
concepts, the head, the batches and the damage. `drift` is how far features move, as a share of
their norm, when the same emoji is drawn in the other style (against Twemoji) or damaged.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from labkit import data, encoders, evaluate, tasks, transfer
from labkit.failure import corruptions
from labkit.failure.under_shift import Known, in_distribution, report
from labkit.sweep import Row, command_line

SEEDS = range(5)
ID_STYLES = data.COLOUR_STYLES[:3]
SEVERITIES = (1, 3, 5)
MODELS = {  # the encoder, and what is done with it
    "probe": ("clip-conv", "probe"),
    "fine-tuning": ("clip-conv", "fine-tuning"),
    "simclr": ("simclr-conv", "probe"),
}
RATE, STEPS = 0.03, 80  # what validation picked most often in sweep_lp_ft.py, and its steps


def train(model: str, task: tasks.Task, seed: int) -> transfer.Fit:
    weights, method = MODELS[model]
    encoder = encoders.load(weights).image
    if method == "probe":
        return transfer.linear_probe(encoder, task)
    generator = torch.Generator().manual_seed(seed)
    schedule = transfer.Schedule(STEPS, record_every=0)
    return transfer.fine_tune(encoder, task, RATE, generator, schedule)


def drawn(style: str, seed: int) -> data.Emoji:
    """The test concepts of this split in one style, in the order of their positions."""
    return data.load(style, parts=tasks.DOWNSTREAM).of(tasks.downstream_parts(seed)["test"])


def pairs(task: tasks.Task, seed: int) -> Iterator[tuple[str, tasks.Examples, torch.Tensor]]:
    """Every shifted test set: its name, its examples, and the same images before the shift."""
    for style in data.STYLES:
        if style not in ID_STYLES:
            emoji, plain = drawn(style, seed), drawn(ID_STYLES[0], seed)
            same = plain.of(emoji.concept.tolist())
            yield style, tasks.Examples(emoji.images, data.labels_of(emoji.concept)), same.images
    generator = torch.Generator().manual_seed(seed)
    for kind in corruptions.AMOUNTS:
        for name, test in corruptions.with_corruptions(
            task, kind, generator, SEVERITIES
        ).ood.items():
            yield name, test, task.test.images


def measured(fit: transfer.Fit, known: Known, test: str, examples, before=None) -> Row:
    drift = ""
    if before is not None:
        moved = (transfer.features(fit.model.encoder, x) for x in (before, examples.images))
        drift = f"{evaluate.movement(*moved).relative:.4f}"
    found = report(fit.model, known, examples)._asdict()
    scores = {name: f"{x:.4f}" for name, x in found.items() if name != "n"}
    return {"test": test, "n": found["n"], **scores, "drift": drift,
            "temperature": f"{known.temperature:.4f}"}  # fmt: skip


def run(model: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    task = tasks.style_shift(ID_STYLES, (), split=seed)
    fit = train(model, task, seed)
    known = in_distribution(fit.model, task)
    rows = [measured(fit, known, "ID", task.test)]
    rows += [measured(fit, known, *shift) for shift in pairs(task, seed)]
    task = tasks.subpopulation_shift(ID_STYLES, split=seed)
    fit = train(model, task, seed)
    known = in_distribution(fit.model, task)
    rows += [
        measured(fit, known, "sub-population, ID", task.test),
        measured(fit, known, "sub-population", task.ood["other subgroups"]),
    ]
    return rows


CELLS = [{"model": model, "seed": seed} for seed in SEEDS for model in MODELS]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/shifts.csv", __doc__)
