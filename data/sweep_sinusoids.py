"""Notebook 02's sinusoids over seeds: what k steps leave of the error, by how theta was chosen.

    python data/sweep_sinusoids.py        # under two minutes of one core

Writes data/sweeps/sinusoids.csv: mean squared errors on 200 new sinusoids, 10 points each, drawn
from the trained range ("inside") and from amplitudes and phases beyond it ("outside").
"""

from __future__ import annotations

import csv
from itertools import product

import torch
from tqdm import tqdm

from labkit import data, sinusoids

OUT = data.DATA / "sweeps/sinusoids.csv"
SEEDS, META_STEPS, STEPS = range(5), 600, 5
RANGES = {"inside": sinusoids.TRAINED, "outside": sinusoids.Sines((5.0, 8.0), (3.14, 6.28))}


def run(seed: int, method: str) -> list[dict]:
    model = sinusoids.meta_train(method, META_STEPS, seed)
    rows = []
    for name, sines in RANGES.items():
        tasks = sinusoids.sample(200, 10, 50, torch.Generator().manual_seed(1000 + seed), sines)
        errors = sinusoids.errors_after(model, tasks, STEPS).mean(dim=1).tolist()
        row = {"seed": seed, "method": method, "range": name}
        rows.append(row | {f"k{k}": f"{error:.4g}" for k, error in enumerate(errors)})
    return rows


def main() -> None:
    torch.set_num_threads(1)
    rows = [
        row
        for seed, method in tqdm(list(product(SEEDS, sinusoids.METHODS)))
        for row in run(seed, method)
    ]
    temporary = OUT.with_suffix(".tmp")
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    temporary.replace(OUT)


if __name__ == "__main__":
    main()
