#!/usr/bin/env bash
# A second learning-rate scheduler on one optimizer starts from the first one's rate, or not: by class.
#
# Guess:    probe first, at 1.0, with a schedule; then set group["lr"] = 0.01, make a new scheduler, and
#           fine-tune. The new one takes the rate that it finds, as its documentation says of lr_lambda:
#           "times the initial lr", and of last_epoch=-1: "sets initial lr as lr".
# Happens:  StepLR, LinearLR, CosineAnnealingLR go on from 0.01. LambdaLR, CosineAnnealingWarmRestarts
#           and SequentialLR go back to 1.0, a hundred times what was set, at once and silently.
#           Deleting group["initial_lr"], or a new optimizer, makes all of them agree.
# Why:      torch/optim/lr_scheduler.py, LRScheduler.__init__: group.setdefault("initial_lr", lr), so
#           that the first scheduler's value stays; base_lrs come from it. Some classes compute the rate
#           from base_lrs, others from the present rate.
# Versions: torch 2.13.0, Python 3.11; run on 2026-11-28.
# Seen:     step, cosine, linear .01; lambda 1.0, restarts 1.0, warm-up then cosine .1 (for .001), later 1.0
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch.optim import lr_scheduler as schedules

SECOND = {
    "step": lambda optimizer: schedules.StepLR(optimizer, 100),
    "cosine": lambda optimizer: schedules.CosineAnnealingLR(optimizer, 1000),
    "linear": lambda optimizer: schedules.LinearLR(optimizer, 1.0, 1.0),
    "lambda": lambda optimizer: schedules.LambdaLR(optimizer, lambda step: 1.0),
    "restarts": lambda optimizer: schedules.CosineAnnealingWarmRestarts(optimizer, 1000),
    "warm-up": lambda optimizer: schedules.SequentialLR(optimizer, [
        schedules.LinearLR(optimizer, 0.1, total_iters=4),
        schedules.CosineAnnealingLR(optimizer, 1000),
    ], [4]),
}

def rates(second, forget):
    """The rate at the start of the second phase, and five steps later."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    first = schedules.CosineAnnealingLR(optimizer, 10)
    for _ in range(10):
        optimizer.step(), first.step()
    (group,) = optimizer.param_groups
    group["lr"] = 0.01
    if forget:
        del group["initial_lr"]
    scheduler, found = SECOND[second](optimizer), [group["lr"]]
    for _ in range(5):
        optimizer.step(), scheduler.step()
    return round(found[0], 3), round(group["lr"], 3)

found = {name: rates(name, forget=False) for name in SECOND}
right = {name: rates(name, forget=True) for name in SECOND}
print("found", found, "\nwith initial_lr deleted", right)
assert all(later == 0.01 for _, later in right.values()) and right["warm-up"][0] == 0.001
assert found["step"] == found["cosine"] == found["linear"] == (0.01, 0.01)
assert found["lambda"] == found["restarts"] == (1.0, 1.0) and found["warm-up"] == (0.1, 1.0)
PY
