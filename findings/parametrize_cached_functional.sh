#!/usr/bin/env bash
# Under parametrize.cached(), functional_call gives every task the first task's answer.
#
# Guess:    torch.func.functional_call(module, weights, x) computes with the weights it is given, and
#           parametrize.cached() only saves computing the same parametrization twice.
# Happens:  the cache is kept by module and name, not by value. In MAML's loop over tasks (each with
#           adapted weights of its own) all calls return what the first weights give, no error or
#           warning; the module itself, called after, answers with a task's weights too.
# Why:      torch/nn/utils/parametrize.py, get_cached_parametrization: the key is (id(module), name);
#           functional_call swaps the original tensor, which the key does not contain.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     without the cache 4.0 40.0, the module 2.0; with it 4.0 4.0, the module 4.0
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import contextlib
import torch
from torch import nn
from torch.func import functional_call
from torch.nn.utils import parametrize

class Twice(nn.Module):
    def forward(self, weight):
        return 2 * weight

module = nn.Linear(2, 1, bias=False)
nn.init.constant_(module.weight, 0.5)
parametrize.register_parametrization(module, "weight", Twice())
x = torch.ones(1, 2)
tasks = torch.ones(1, 2), torch.full((1, 2), 10.0)

def answers():
    adapted = [{"parametrizations.weight.original": weight} for weight in tasks]
    return [functional_call(module, task, (x,)).item() for task in adapted] + [module(x).item()]

found = {}
for name, context in (("plain", contextlib.nullcontext), ("cached", parametrize.cached)):
    with context():
        found[name] = answers()
    print(name, "first task, second task, the module:", found[name])
assert found == {"plain": [4.0, 40.0, 2.0], "cached": [4.0, 4.0, 4.0]}
PY
