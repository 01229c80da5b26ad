"""Notebook 05's fourth table: probes trained and tested on images that were prepared differently.

    python -m labkit.failure.sweep_mismatch      # about two CPU minutes

Writes data/sweeps/mismatch.csv, a row per kind of mismatch, value in training, value in testing
and seed. "strength": training and test images are augmented, each by their own amount (in units of
the pretraining's); "resolution": training and test images have each their own size, in pixels,
made from 64-pixel drawings; the encoder was pretrained at 32 and averages over places, so it takes
any. A seed draws the split of the concepts and the augmentations.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from labkit import data, encoders, tasks, transfer
from labkit.failure.train_test_mismatch import SIZES, STRENGTHS, resize, strength
from labkit.sweep import Row, command_line

SEEDS = range(6)
STYLES = data.COLOUR_STYLES[:2]
DRAWS = 2  # of each training image; with one, a strong augmentation has few examples


def prepare(kind: str, value: float, images: Tensor, generator: Generator) -> Tensor:
    """Images (n, 3, 64, 64) as the encoder gets them."""
    if kind == "resolution":
        return resize(images, int(value))
    return strength(value)(resize(images, 32), generator)


def run(kind: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    encoder = encoders.load("clip-conv").image
    task = tasks.style_shift(STYLES, (), split=seed, size=64)
    values = SIZES if kind == "resolution" else STRENGTHS
    draws = 1 if kind == "resolution" else DRAWS
    generator = torch.Generator().manual_seed(seed)

    def embed(value: float, part: tasks.Examples, times: int = 1) -> tasks.Examples:
        parts = [prepare(kind, value, part.images, generator) for _ in range(times)]
        return tasks.Examples(
            transfer.features(encoder, torch.cat(parts)), part.labels.repeat(times)
        )

    tests = {value: embed(value, task.test) for value in values}
    rows = []
    for value in values:
        train, validation = embed(value, task.train, draws), embed(value, task.validation)
        known = tasks.Task(kind, task.classes, train, validation, tests[value], ood={})
        fit = transfer.linear_probe(torch.nn.Identity(), known)
        rows += [
            {
                "trained": value,
                "tested": other,
                "accuracy": f"{transfer.accuracy(fit.model, x):.4f}",
            }
            for other, x in tests.items()
        ]
    return rows


CELLS = [{"kind": kind, "seed": seed} for seed in SEEDS for kind in ("strength", "resolution")]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/mismatch.csv", __doc__)
