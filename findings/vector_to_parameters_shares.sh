#!/usr/bin/env bash
# vector_to_parameters does not copy: the vector becomes the network, and training it moves the vector.
#
# Guess:    "Copy slices of a vector into an iterable of parameters" (its documentation). So put the
#           start of a training run into the network, train, and measure how far the weights have
#           moved from it; or put one vector into two networks, for two runs from one start.
# Happens:  each parameter's data become a view of the vector. The distance from the start is exactly 0
#           after any training, a penalty on it (L2-SP) never acts, and of two networks that got
#           the vector each trains the other. Its inverse, parameters_to_vector, does copy.
# Why:      torch/nn/utils/convert_parameters.py: `param.data = vec[...].view_as(param).data`; an
#           optimizer then works in place on the vector's memory.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     start 0 0 0, after five steps .33 .33 .33, distance 0.0; with start.clone() 0.57; the twin moved
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

def train(net):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        (net(torch.ones(1, 2)) - 1).square().sum().backward()
        optimizer.step()
    return parameters_to_vector(net.parameters()).detach()

moved = {}
for name in ("given", "cloned"):
    start, net = torch.zeros(3), nn.Linear(2, 1)
    vector_to_parameters(start if name == "given" else start.clone(), net.parameters())
    moved[name] = (train(net) - start).norm().item()
    print(name, "start is now", start.tolist(), "distance from it", round(moved[name], 2))
assert moved["given"] == 0 and moved["cloned"] > 0.5

start, one, twin = torch.zeros(3), nn.Linear(2, 1), nn.Linear(2, 1)
for net in (one, twin):
    vector_to_parameters(start, net.parameters())
train(one)
print("the twin, never trained:", parameters_to_vector(twin.parameters()).tolist())
assert torch.equal(twin.weight, one.weight) and twin.weight.abs().min() > 0.1
PY
