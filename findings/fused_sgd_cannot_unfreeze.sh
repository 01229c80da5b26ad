#!/usr/bin/env bash
# torch: SGD(momentum=..., fused=True) fails as soon as a frozen layer is set free.
#
# Guess:    as with every other optimizer, and with SGD itself, a parameter that has no gradient yet is left
#           alone, and joins in once it has one: train the head first, then all of the network.
# Happens:  the first step with the newly freed layer raises "TypeError: expected Tensor as element 0 in
#           argument 2, but got NoneType", which names neither the optimizer nor the layer. SGD by foreach
#           or by a plain loop, and fused Adam, AdamW and Adagrad, go on. A layer that gets a gradient in some
#           batches only (a mixture's expert, a second head) ends in the same way.
# Why:      torch/optim/sgd.py, _fused_sgd makes momentum buffers only if all of them are missing
#           (`is_first_step = all(t is None ...)`); one that is missing later is passed on as None.
# Versions: torch 2.13.0, CPU build, Python 3.11; run on 2026-11-30.
# Seen:     plain: 3 steps; foreach: 3 steps; fused without momentum: 3 steps; fused Adam: 3 steps; fused with
#           momentum: 1 step, then TypeError
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.3.5
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch
from torch import nn

def steps(kind, **options):
    """How many of three steps are done; the encoder is frozen during the first. And the error."""
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    network[0].requires_grad_(False)
    optimizer = kind(network.parameters(), lr=0.1, **options)
    for step in range(3):
        network[0].requires_grad_(step > 0)
        optimizer.zero_grad()
        network(torch.ones(4, 2)).sum().backward()
        try:
            optimizer.step()
        except TypeError as error:
            return step, str(error)
    return 3, ""

SGD, Adam = torch.optim.SGD, torch.optim.Adam
fine = [
    steps(SGD, momentum=0.9, foreach=False), steps(SGD, momentum=0.9, foreach=True),
    steps(SGD, fused=True), steps(Adam, fused=True),
]
fused = steps(SGD, momentum=0.9, fused=True)
print("others:", fine, "fused with momentum:", fused)
assert all(done == (3, "") for done in fine) and fused[0] == 1 and "NoneType" in fused[1]
PY
