#!/usr/bin/env bash
# load_state_dict(assign=True) cuts a tied weight in two Parameters over one memory.
#
# Guess:    assign=True hands the loaded tensors over instead of copying; "the properties of the
#           tensors in the state dict" are kept, and there both names hold one tensor. So a tied
#           network stays tied, as it does with assign=False.
# Happens:  parameters() lists two where there was one. Both own the same memory, so the outputs are
#           right and every check by value or data_ptr() says "tied", yet an optimizer decays and
#           steps it twice, and each of the two sees but its own part of the gradient.
# Why:      torch/nn/modules/module.py, _load_from_state_dict: state_dict() detaches, so each name
#           is wrapped in an nn.Parameter of its own; nothing looks for a common tensor. Reported as
#           pytorch issue 188346 (June 2026).
# Versions: torch 2.13.0, Python 3.11; run on 2026-11-28.
# Seen:     assign=False: 1 parameter, decay 1 -> 0.5; gradient 2
#           assign=True: 2 parameters, same memory True, decay 1 -> 0.25; gradients 1 and 1
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn

def tied():
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    nn.init.ones_(net[0].weight)
    net[1].weight = net[0].weight
    return net

def load(assign):
    state = tied().state_dict()
    assert state["0.weight"].data_ptr() == state["1.weight"].data_ptr()
    net = tied()
    net.load_state_dict(state, assign=assign)
    net(torch.ones(1, 1)).sum().backward()           # d(w*w)/dw = 2 at w = 1
    gradients = [p.grad.item() for p in net.parameters()]
    same = net[0].weight.data_ptr() == net[1].weight.data_ptr()
    for p in net.parameters():
        p.grad.zero_()                               # now one step of weight decay alone
    torch.optim.SGD(net.parameters(), lr=1.0, weight_decay=0.5).step()
    decayed = net[0].weight.item()
    print(f"assign={assign}: gradients {gradients}, same memory {same}, decay 1 -> {decayed}")
    return gradients, same, decayed

assert load(assign=False) == ([2.0], True, 0.5)
assert load(assign=True) == ([1.0, 1.0], True, 0.25)
PY
