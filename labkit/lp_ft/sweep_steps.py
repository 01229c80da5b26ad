"""Would notebook 06's comparison come out otherwise if fine-tuning trained four times as long?

    python -m labkit.lp_ft.sweep_steps     # ten minutes on two cores

Writes data/sweeps/lp_ft_steps.csv: the picked networks of FT and LP-FT after 320 steps, under the
two far shifts, seeds 0 to 3. Rates are picked on ID validation, from the sweep's without the
largest: longer training asks for smaller ones.
"""

from __future__ import annotations

import torch

from labkit import data, transfer
from labkit.lp_ft.sweep import Run, converged
from labkit.sweep import Row, command_line

TIMES = 4
RATES = {"fine-tuning": (0.003, 0.01, 0.03), "lp-ft": (0.0001, 0.0003, 0.001)}


class Longer(Run):
    """The sweep's methods with TIMES its steps."""

    def schedule(self, times: int = 1, freeze_norm: bool = False) -> transfer.Schedule:
        return super().schedule(TIMES * times, freeze_norm)


def run(shift: str, seed: int) -> list[Row]:
    torch.set_num_threads(1)
    here, rows = Longer(shift, seed), []
    for method, train in {"fine-tuning": here.fine_tune, "lp-ft": here.lp_ft}.items():
        tried = converged({f"{lr:g}": lambda lr=lr, go=train: go(lr) for lr in RATES[method]})
        best = max(tried, key=lambda setting: tried[setting].validation)
        rows.append(
            {"method": method, "setting": best, "picked": True, **here.measure(tried[best])}
        )
    return rows


CELLS = [
    {"shift": shift, "seed": seed}
    for seed in range(4)
    for shift in ("colour to shaded and mono", "twemoji to nine others")
]

if __name__ == "__main__":
    command_line(run, CELLS, data.DATA / "sweeps/lp_ft_steps.csv", __doc__)
