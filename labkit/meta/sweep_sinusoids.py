"""Notebook 02's sinusoids over seeds: what k steps leave of the error, by how theta was chosen.

    python -m labkit.meta.sweep_sinusoids        # under two minutes of one core

Writes data/sweeps/sinusoids.csv: mean squared errors on 200 new sinusoids, 10 points each, drawn
from the trained range ("inside") and from amplitudes and phases beyond it ("outside").
"""

from __future__ import annotations

from itertools import product

import torch

from labkit import data
from labkit.meta import sinusoids
from labkit.sweep import Row, command_line

META_STEPS, STEPS = 600, 5
RANGES = {"inside": sinusoids.TRAINED, "outside": sinusoids.Sines((5.0, 8.0), (3.14, 6.28))}


def run(seed: int, method: str) -> list[Row]:
    torch.set_num_threads(1)
    model = sinusoids.meta_train(method, META_STEPS, seed)
    rows = []
    for name, sines in RANGES.items():
        tasks = sinusoids.sample(200, 10, 50, torch.Generator().manual_seed(1000 + seed), sines)
        errors = sinusoids.errors_after(model, tasks, STEPS).mean(dim=1).tolist()
        rows.append({"range": name} | {f"k{k}": f"{error:.4g}" for k, error in enumerate(errors)})
    return rows


CELLS = [{"seed": seed, "method": method} for seed, method in product(range(5), sinusoids.METHODS)]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/sinusoids.csv", __doc__)
