#!/usr/bin/env bash
# torch.func.functional_call does not put the parameters back when ONE module sits under two names.
#
# Guess:    "stateless": the network is the same after the call as before it. Its documentation ends
#           an example with "same as before functional_call", and tie_weights=True is said to take
#           care of weights that are shared.
# Happens:  with nn.Sequential(layer, tanh, layer) the task's tensor stays in the network: the
#           Parameter is gone, an optimizer made earlier trains a tensor nobody uses, and after
#           torch.func.grad the network holds the dead wrapper of a transform. Two modules that
#           share a Parameter are put back, and so is the network with tie_weights=False.
# Why:      torch/nn/utils/stateless.py, _reparametrize_module: untying adds the second name; swapping
#           in under it saves the new tensor as "the original"; swapping back in the same order lets
#           that one win. The order is reversed only for stack_weights, which functional_call leaves off.
# Versions: torch 2.13.0, Python 3.11; run on 2026-11-28.
# Seen:     shared module: kept False, weight 0.0 (was 1.0), loss after a step 9.0 = before 9.0
#           shared Parameter: kept True; tie_weights=False: kept True
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn
from torch.func import functional_call, grad

def network(one_module):
    first = nn.Linear(1, 1, bias=False)
    second = first if one_module else nn.Linear(1, 1, bias=False)
    nn.init.ones_(first.weight)
    second.weight = first.weight
    return nn.Sequential(first, nn.Identity(), second)

x, task = torch.ones(1, 1), {"0.weight": torch.zeros(1, 1)}
net = network(one_module=True)
original = net[0].weight
optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
functional_call(net, task, x)
print("shared module: kept", net[0].weight is original, "weight", net[0].weight.item())
assert net[0].weight is task["0.weight"] and not isinstance(net[0].weight, nn.Parameter)

original.grad = torch.ones_like(original)            # the optimizer steps, the network stays
before = (net(x) - 3).square().item()
optimizer.step()
after = (net(x) - 3).square().item()
print("loss after a step", after, "= before", before)
assert original.item() == 0 and before == after == 9

net = network(one_module=True)
grad(lambda task: functional_call(net, task, x).sum())(task)
assert torch._C._functorch.is_gradtrackingtensor(net[0].weight)

for net, options in ((network(False), {}), (network(True), {"tie_weights": False})):
    original = net[0].weight
    functional_call(net, task, x, **options)
    print("contrast:", options, "kept", net[0].weight is original)
    assert net[0].weight is original and net[2].weight is original
PY
