"""Notebook 05's second and third tables: what an invariance costs, and when scratch wins.

    python -m labkit.failure.sweep_traps      # about eight CPU minutes

Writes data/sweeps/traps.csv, a row per encoder, question, method and seed. Encoders: four that
SimCLR pretrained with colour augmentation and flips on or off, the CLIP encoder, and pixels. The
probe is asked for shape, colour and direction of the traps. For shape and colour, the network
pretrained to ignore colour and flips and the one that ignores neither are fine-tuned too, and
trained from scratch. A seed draws which styles are learned from and which are the test, random
weights and batches; learning rates are chosen on ID validation.
"""

from __future__ import annotations

import torch

from labkit import data, encoders, transfer
from labkit.failure.invariance import QUESTIONS, WEIGHTS, Pixels, trap_task
from labkit.sweep import Row, command_line

SEEDS = range(6)
TUNED = ("simclr-color-flip", "simclr-plain")  # told to ignore colour, and not
RATES = (0.01, 0.03)
STEPS = 160  # of 32 images, for both: neither shall win by training longer


def run(weights: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    encoder = Pixels() if weights == "pixels" else encoders.load(weights).image
    rows = []
    for question in QUESTIONS:
        task = trap_task(question, seed)
        fits = {"probe": transfer.linear_probe(encoder, task)}
        if question != "direction" and weights in TUNED:
            fits["fine-tuning"] = trained("fine-tuning", encoder, task, seed)
            if weights == TUNED[0]:  # scratch forgets the weights: once is enough
                fits["scratch"] = trained("scratch", encoder, task, seed)
        rows += [
            {"question": question, "method": method, "chosen": f"{fit.chosen:g}",
             "validation": f"{fit.validation:.4f}", "chance": f"{task.chance:.4f}",
             "id": f"{transfer.accuracy(fit.model, task.test):.4f}"}
            for method, fit in fits.items()
        ]  # fmt: skip
    return rows


def trained(method: str, encoder, task, seed: int) -> transfer.Fit:
    recipe = transfer.fine_tune if method == "fine-tuning" else transfer.from_scratch
    schedule = transfer.Schedule(STEPS, record_every=0)

    def train(lr: float) -> transfer.Fit:
        return recipe(encoder, task, lr, torch.Generator().manual_seed(seed), schedule)

    return transfer.best_rate(train, RATES)


CELLS = [
    {"weights": weights, "seed": seed}
    for seed in SEEDS
    for weights in (*WEIGHTS.values(), "clip-conv", "pixels")
]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/traps.csv", __doc__)
