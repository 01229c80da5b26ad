"""Notebook 03's comparison: what four encoders offer a linear probe, in each of the ten styles.

    python data/sweep_contrastive.py      # about two minutes

Writes data/sweeps/contrastive.csv, a row per encoder, number of labels and seed. All encoders are
`ConvEncoder(width=32)`, frozen. Probes learn from the six flat colour styles of the downstream
training concepts, 5 or 50 images per class; a seed draws the images, the same for every encoder,
and the weights of the random encoder. The probe's strength is chosen on ID validation concepts;
test accuracies are recorded and never chosen by.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

import torch
from tqdm import tqdm

from labkit import data, encoders, tasks, transfer

OUT = data.DATA / "sweeps/contrastive.csv"
SEEDS = range(5)
SHOTS = (5, 50)  # few labels, and as many as the smallest class has
WEIGHTS = {"clip": "clip-conv", "simclr": "simclr-conv", "supervised": "supervised-conv"}
FIELDS = ("method", "shots", "seed", "chosen", "validation", *data.STYLES)


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


def encoders_of(method: str) -> Iterator[torch.nn.Module]:
    """The encoder for each seed: trained ones are the same for all."""
    trained = encoders.load(WEIGHTS.get(method, "clip-conv")).image
    for seed in SEEDS:
        generator = torch.Generator().manual_seed(seed)
        yield transfer.reinitialised(trained, generator) if method == "random" else trained


def run(task: tasks.Task, shots: int, seed: int) -> list[str]:
    """Probe the features with `shots` labels per class: strength, validation, ten accuracies."""
    few = tasks.few_shot(task, shots, torch.Generator().manual_seed(seed))
    fit = transfer.linear_probe(torch.nn.Identity(), few)
    tests = [transfer.accuracy(fit.model, examples) for examples in task.ood.values()]
    return [f"{x:.4g}" for x in (fit.chosen, fit.validation, *tests)]


def main() -> None:
    torch.set_num_threads(1)
    rows, last, task = [], None, None
    for method in tqdm([*WEIGHTS, "random"]):
        for seed, encoder in zip(SEEDS, encoders_of(method), strict=True):
            if encoder is not last:
                last, task = encoder, embedded_task(encoder)
            rows += [[method, shots, seed, *run(task, shots, seed)] for shots in SHOTS]
    temporary = OUT.with_suffix(".tmp")
    with open(temporary, "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([FIELDS, *rows])
    temporary.replace(OUT)


if __name__ == "__main__":
    main()
