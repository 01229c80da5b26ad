"""Would notebook 04's methods come in another order if they trained for longer? By validation.

    python -m labkit.adapters.sweep_steps --jobs 1     # six minutes of one core

Writes data/sweeps/adapters_steps.csv: validation accuracy after the sweep's number of steps and
after three times as many, for the seeds of `tune_adapters.py`. No test image is looked at.
"""

from __future__ import annotations

import torch

from labkit import adapters, data, encoders, transfer
from labkit.adapters.sweep import FIRST, JOBS, RATES_TABLE, THIRD, best_rate, train
from labkit.sweep import Row, command_line, read_rows

METHODS = ("probe", "norms", "lora", "adapters", "fine-tuning")


def run(task: str, method: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    job = JOBS[task]
    here, rows = job.make(seed), []
    for times in (1, 3):
        if method == "probe":
            fit = transfer.linear_probe(encoders.load("clip-vit").image, here)
        else:
            rate = best_rate(read_rows(RATES_TABLE), job.rates, method)
            fit = train(here, adapters.METHODS[method], rate, seed, times * job.steps)
        rows.append({"times": times, "validation": f"{fit.validation:.4f}"})
    return rows


CELLS = [
    {"task": task, "method": method, "seed": seed}
    for task in (THIRD, FIRST)
    for seed in (100, 101)
    for method in METHODS
]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/adapters_steps.csv", __doc__)
