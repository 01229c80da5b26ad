#!/usr/bin/env bash
# A training loop inside torch.autocast never sees its own steps: the loss stays the same to the bit.
#
# Guess:    autocast only chooses number formats. The guide advises to leave backward outside it, as
#           unnecessary; so a whole inner loop (MAML, a probe) under one `with` costs precision at most.
# Happens:  every forward pass after the first uses the bfloat16 copy made in the first, also after
#           optimizer.step() or any in-place update has changed the weight, and also for the fast
#           weights of functional_call. The optimizer does move the weights, four times along the
#           gradient at the start. Out-of-place updates, or cache_enabled=False, train as expected.
# Why:      aten/src/ATen/autocast_mode.cpp, cached_cast: a leaf that requires grad is cached by its
#           address until the outermost autocast ends; its version counter is not looked at.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     optimizer:       4.0 4.0 4.0 4.0    after the block: 0.16 (weight 0 -> 1.6)
#           functional_call: 4.0 4.0 4.0 4.0
#           without cache:   4.0 2.56 1.64 1.05
#           out of place:    4.0 2.56 1.64 1.05 (as without cache)
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn
from torch.func import functional_call

x, goal = torch.ones(1, 1), 2.0

def loss_of(out):
    return (out.float() - goal).square().sum()

def train(how, cache=True):
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    fast = {"weight": net.weight.detach().clone().requires_grad_()}
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=0.1), []
    with torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=cache):
        for _ in range(4):
            loss = loss_of(net(x) if how == "optimizer" else functional_call(net, fast, x))
            losses.append(round(loss.item(), 2))
            if how == "optimizer":
                optimizer.zero_grad(); loss.backward(); optimizer.step()
                continue
            step = 0.1 * torch.autograd.grad(loss, fast["weight"])[0]
            if how == "in place":
                with torch.no_grad():
                    fast["weight"] -= step
            else:
                fast = {"weight": (fast["weight"] - step).detach().requires_grad_()}
    end = round(loss_of(net(x)).item(), 2)
    print(how, "cache" if cache else "no cache", losses, "after:", end, round(net.weight.item(), 2))
    return losses, end

assert train("optimizer") == ([4.0] * 4, 0.16)
assert train("in place")[0] == [4.0] * 4
moving = train("optimizer", cache=False)[0]
assert moving == sorted(moving, reverse=True) and len(set(moving)) == 4
assert train("in place", cache=False)[0] == train("out of place")[0] == moving
PY
