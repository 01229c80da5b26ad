#!/usr/bin/env bash
# Gradient checkpointing changes what the network answers later: BatchNorm counts every batch twice.
#
# Guess:    torch.utils.checkpoint saves memory and costs time, "trades compute for memory"; outputs and
#           gradients are the same. preserve_rng_state takes care of dropout, so recomputing leaves
#           no traces.
# Happens:  outputs and gradients of the step are equal to the bit. But the forward pass within backward
#           updates the running statistics once more: num_batches_tracked is doubled, momentum 0.1
#           acts as 0.19, and the network in evaluation mode answers otherwise. A half-checkpointed
#           network has two speeds in it. Both variants, use_reentrant True and False.
# Why:      torch/utils/checkpoint.py runs the function again as it is; BatchNorm in training mode writes
#           its buffers in each forward. The page's notes on side effects do not name it.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     plain: 3 batches counted; checkpointed: 6; same gradients True, same answers in eval False
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import copy
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

torch.manual_seed(0)
start = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.ReLU())
batches = [1 + torch.randn(64, 3) for _ in range(3)]

def run(**options):
    net, outputs = copy.deepcopy(start), []
    for batch in batches:
        x = batch.clone().requires_grad_()
        outputs.append(checkpoint(net, x, **options) if options else net(x))
        outputs[-1].square().sum().backward()
    counted, gradient = net[1].num_batches_tracked.item(), net[0].weight.grad
    return counted, torch.stack(outputs), gradient, net.eval()(batches[0])

count, outputs, gradient, answer = run()
assert count == 3
for reentrant in (False, True):
    twice, same, also, other = run(use_reentrant=reentrant)
    print("reentrant" if reentrant else "not reentrant", "counted", twice, "plain", count,
          "same outputs", torch.equal(same, outputs), "gradients", torch.equal(also, gradient),
          "answers in eval differ by", round((other - answer).abs().max().item(), 3))
    assert twice == 6 and torch.equal(same, outputs) and torch.equal(also, gradient)
    assert (other - answer).abs().max() > 0.1
PY
