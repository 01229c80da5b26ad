"""Notebook 03's comparison: what four encoders offer a linear probe, in each of the ten styles.

    python -m labkit.contrastive.sweep      # about two minutes

Writes data/sweeps/contrastive.csv, a row per encoder, number of labels and seed. All encoders are
`ConvEncoder(width=32)`, frozen. Probes learn from the six flat colour styles of the downstream
training concepts, 5 or 50 images per class; a seed draws the images, the same for every encoder,
and the weights of the random encoder. The probe's strength is chosen on ID validation concepts;
test accuracies are recorded and never chosen by.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import torch

from labkit import data, encoders, tasks, transfer
from labkit.sweep import Row, command_line

SHOTS = (5, 50)  # few labels, and as many as the smallest class has
WEIGHTS = {"clip": "clip-conv", "simclr": "simclr-conv", "supervised": "supervised-conv"}


def embedded_task(encoder: torch.nn.Module) -> tasks.Task:
    """The task with features in the place of images, computed once; `ood` holds all ten styles."""

    def embed(examples: tasks.Examples) -> tasks.Examples:
        return tasks.Examples(transfer.features(encoder, examples.images), examples.labels)

    task = tasks.style_shift(data.COLOUR_STYLES, ())
    tests = {style: tasks.style_shift((style,), ()).test for style in data.STYLES}
    return tasks.Task(
        task.name,
        task.classes,
        *map(embed, (task.train, task.validation, task.test)),
        ood={style: embed(examples) for style, examples in tests.items()},
    )


@cache  # per process: the trained encoders are the same for all seeds
def trained_task(weights: str) -> tasks.Task:
    return embedded_task(encoders.load(weights).image)


def task_of(method: str, seed: int) -> tasks.Task:
    if method in WEIGHTS:
        return trained_task(WEIGHTS[method])
    generator = torch.Generator().manual_seed(seed)
    return embedded_task(transfer.reinitialised(encoders.load("clip-conv").image, generator))


def run(method: str, seed: int) -> list[Row]:
    """Probe the features of one encoder with each number of labels: ten accuracies."""
    torch.set_num_threads(1)
    task, rows = task_of(method, seed), []
    for shots in SHOTS:
        few = tasks.few_shot(task, shots, torch.Generator().manual_seed(seed))
        fit = transfer.linear_probe(torch.nn.Identity(), few)
        scores = {"chosen": fit.chosen, "validation": fit.validation}
        scores |= {style: transfer.accuracy(fit.model, test) for style, test in task.ood.items()}
        rows.append({"shots": shots} | {name: f"{x:.4g}" for name, x in scores.items()})
    return rows


CELLS = [
    {"method": method, "seed": seed} for method, seed in product([*WEIGHTS, "random"], range(5))
]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/contrastive.csv", __doc__)
