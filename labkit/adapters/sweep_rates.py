"""Learning rates for notebook 04's sweep, chosen on ID validation of splits of its own.

    python -m labkit.adapters.sweep_rates --jobs 1     # 7 minutes of one core

Writes data/sweeps/adapters_rates.csv: the validation accuracy of every learning rate, each for two
seeds that `sweep_adapters.py` does not use. Their splits divide the same concepts anew, so that two
thirds of the concepts that the sweep tests on are among these training and validation concepts.
Where the best rate is the largest, the next one was tried by hand with the first seed: adapters at
0.06 and biases at 0.1 collapse, norms at 0.1 gain nothing.
"""

from __future__ import annotations

import torch

from labkit import adapters
from labkit.adapters.sweep import JOBS, RATES_TABLE, train
from labkit.sweep import Row, command_line

RATES = {
    "norms": (0.003, 0.01, 0.03),
    "bitfit": (0.003, 0.01, 0.03),
    "lora": (0.002, 0.006, 0.02),
    "adapters": (0.002, 0.006, 0.02),
    "fine-tuning": (0.0002, 0.0006, 0.002),
}


def run(task: str, method: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    job = JOBS[task]
    here, rows = job.make(seed), []
    for rate in RATES[method]:
        fit = train(here, adapters.METHODS[method], rate, seed, job.steps)
        rows.append({"rate": rate, "validation": f"{fit.validation:.4f}"})
    return rows


CELLS = [
    {"task": task, "method": method, "seed": seed}
    for task in dict.fromkeys(job.rates for job in JOBS.values())
    for seed in (100, 101)
    for method in RATES
]

if __name__ == "__main__":
    command_line(run, CELLS, RATES_TABLE, __doc__)
