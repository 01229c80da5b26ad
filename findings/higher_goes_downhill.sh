#!/usr/bin/env bash
# higher turns an optimizer that climbs into one that descends, and decoupled weight decay into none.
#
# Guess:    innerloop_ctx(model, optimizer) unrolls this optimizer, with its settings: "a differentiable
#           version of an existing optimizer"; what it does not know it refuses, as it does AdamW.
# Happens:  it keeps the settings in param_groups and reads only those of its time. maximize=True, for an
#           inner loop that attacks or explores, goes down instead of up; Adam with
#           decoupled_weight_decay=True, which torch calls AdamW, becomes Adam with L2. No word, and the
#           meta-gradient belongs to the wrong inner loop.
# Why:      higher/optim.py, DifferentiableSGD._update and DifferentiableAdam._update (2021) know neither
#           key; DifferentiableOptimizer.__init__ copies the groups whole.
# Versions: higher 0.2.1 (its newest), torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     two steps from 1, gradient 1, rate .1: SGD torch .8 higher .8; maximize torch 1.2 higher .8;
#           Adam, decay .5: torch .8 higher .8; decoupled: torch .71 higher .8; AdamW refused
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 higher==0.2.1
env/bin/python -W ignore - <<'PY'
import higher
import torch
from torch import nn

x = torch.ones(1, 1)

def two_steps(kind, **options):
    """The weight after two steps by torch, and by higher's copy of the same optimizer."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.ones_(net.weight)
    optimizer = kind(net.parameters(), lr=0.1, **options)
    with higher.innerloop_ctx(net, optimizer) as (copy, differentiable):
        for _ in range(2):
            differentiable.step(copy(x).sum())
        (weight,) = copy.parameters()
    for _ in range(2):
        optimizer.zero_grad()
        net(x).sum().backward()
        optimizer.step()
    found = round(net.weight.item(), 2), round(weight.item(), 2)
    print(kind.__name__, options, "torch, higher:", found)
    return found

SGD, Adam = torch.optim.SGD, torch.optim.Adam
assert two_steps(SGD) == two_steps(Adam) == two_steps(Adam, weight_decay=0.5) == (0.8, 0.8)
assert two_steps(SGD, momentum=0.9) == (0.71, 0.71)
assert two_steps(SGD, maximize=True) == two_steps(Adam, maximize=True) == (1.2, 0.8)
assert two_steps(Adam, weight_decay=0.5, decoupled_weight_decay=True) == (0.71, 0.8)
try:
    two_steps(torch.optim.AdamW)
except ValueError as error:
    print("AdamW:", error)
else:
    raise SystemExit("AdamW is no longer refused")
PY
