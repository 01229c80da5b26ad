#!/usr/bin/env bash
# Making torch.optim.SGD for one number imports torch's compiler; a layer without first weights, sympy.
#
# Guess:    an eager program that never calls torch.compile never loads it: optim.SGD keeps a list of
#           tensors. torch/_compile.py says that torch._dynamo is imported lazily.
# Happens:  lazily means when the first optimizer is made: 825 modules more, two seconds of a laptop and
#           74 MB, in every process that trains anything. nn.utils.skip_init, which is there to save the
#           time of weights that nobody needs, takes .4 seconds: it imports sympy and 486 modules more.
# Why:      torch/optim/optimizer.py: add_param_group and zero_grad are wrapped by _disable_dynamo, whose
#           wrapper imports torch._dynamo at the first call to switch it off for them; so does step's
#           wrapper. skip_init makes the layer on the meta device, and empty_like of a meta tensor goes
#           through torch._refs to torch.fx.experimental.symbolic_shapes.
# Cure:     the functions under the wrappers (inspect.unwrap) take the same steps, bit for bit.
# Versions: torch 2.13.0, Python 3.11; run on 2026-11-29.
# Seen:     SGD: 825 modules, torch._dynamo and sympy among them; unwrapped: 1; skip_init: 487, sympy; equal ends
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.3.5
cat > loaded.py <<'PY'
import sys
from inspect import unwrap

import torch

class Bare(torch.optim.SGD):
    add_param_group = unwrap(torch.optim.SGD.add_param_group)
    zero_grad = unwrap(torch.optim.SGD.zero_grad)
    step = torch.no_grad()(unwrap(torch.optim.SGD.step))

def train(kind):
    x = torch.nn.Parameter(torch.ones(3))
    optimizer = kind([x], lr=0.1, momentum=0.9)
    for _ in range(5):
        optimizer.zero_grad()
        x.cos().sum().backward()
        optimizer.step()
    return x.tolist()

before = set(sys.modules)
if sys.argv[1] == "layer":
    end = torch.nn.utils.skip_init(torch.nn.Linear, 4, 3).in_features
else:
    end = train({"optimizer": torch.optim.SGD, "unwrapped": Bare}[sys.argv[1]])
new = set(sys.modules) - before
print(len(new), [name for name in ("torch._dynamo", "sympy") if name in new], end, sep=";")
PY
for what in optimizer unwrapped layer; do env/bin/python loaded.py $what; done | tee seen
python3 - <<'PY'
optimizer, unwrapped, layer = (line.rstrip().split(";") for line in open("seen"))
assert int(optimizer[0]) > 300 and "torch._dynamo" in optimizer[1]
assert int(unwrapped[0]) < 20 and unwrapped[1] == "[]" and unwrapped[2] == optimizer[2]
assert int(layer[0]) > 100 and "sympy" in layer[1]
PY
