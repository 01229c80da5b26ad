#!/usr/bin/env bash
# torch-cka: the rows of its similarity matrix bear the names of other layers.
#
# Guess:    compare(dataloader) and export() give the layers' names and a matrix: row i and column j say how
#           similar layer i of one network is to layer j of the other (centered kernel alignment). Of a network
#           compared with itself, the whole network ("") and its last layer, which have the same output, are 1 alike.
# Happens:  names are in the order in which modules are listed, containers before what they hold; rows are in
#           the order in which the outputs come, containers last. So the first row, "", is the first
#           linear layer, "0" is the activation, "1" the last layer. Containers that are asked for by name change
#           places with what they hold. And of a layer followed by an in-place ReLU, the ReLU's output is compared.
# Why:      torch_cka/cka.py: _insert_hooks collects the names while it walks named_modules(); compare numbers the
#           features by enumerate(self.model1_features.items()), filled by the hooks; _log_layer keeps no copy.
# Versions: torch-cka 0.21, torch 2.13.0, matplotlib 3.11.2, tqdm 4.70.1, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     names "" 0 1 2, rows of 0 1 2 ""; whole network and last layer .60, by definition 1.00; names 0 0.0 1 1.0,
#           rows of 0.0 0 1.0 1; linear layer and its in-place ReLU 1.00, by definition .87
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 torch-cka==0.21 numpy==2.4.6 matplotlib==3.11.2 tqdm==4.70.1
env/bin/python -W ignore - <<'PY' 2> log || { cat log; exit 1; }
import itertools
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch_cka import CKA

torch.manual_seed(0)
x = torch.randn(64, 8)
loader = DataLoader(TensorDataset(x), batch_size=64)

def hsic(k, l):
    """The unbiased estimate of Song et al. (2012), on Gram matrices with an empty diagonal."""
    n = len(k)
    return (k * l).sum() + k.sum() * l.sum() / (n - 1) / (n - 2) - 2 / (n - 2) * k.sum(0) @ l.sum(0)

def by_definition(outputs):
    grams = [(out @ out.T).fill_diagonal_(0) for out in (out.flatten(1) for out in outputs)]
    return torch.stack([torch.stack([hsic(k, l) / (hsic(k, k) * hsic(l, l)).sqrt() for l in grams]) for k in grams])

def outputs_of(net, names):
    """Each named module's output, by running it."""
    found, hooks = {}, []
    for name, module in net.named_modules():
        hooks.append(module.register_forward_hook(lambda m, i, out, name=name: found.__setitem__(name, out.clone())))
    with torch.no_grad():
        net(x)
    for hook in hooks:
        hook.remove()
    return [found[name] for name in names]

def compare(net, layers=None):
    cka = CKA(net, net, "a", "b", layers, layers)
    with torch.no_grad():
        cka.compare(loader)
    found = cka.export()
    names = found["model1_layers"]
    right = by_definition(outputs_of(net, names))
    assert torch.allclose(right.diag(), torch.ones(len(names)), atol=1e-5)
    fitting = [order for order in itertools.permutations(range(len(names)))
               if torch.allclose(found["CKA"], right[list(order)][:, list(order)], atol=1e-4)]
    print(f"{names}: largest error {(found['CKA'] - right).abs().max():.2f}; the rows are in truth those of",
          [[names[k] for k in order] for order in fitting])
    return names, found["CKA"], right, fitting

def network(inplace=False):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=inplace), nn.Linear(16, 3))

names, found, right, fitting = compare(network())
assert names == ["", "0", "1", "2"]
print("whole network and last layer: %.2f, by definition %.2f" % (found[0, 3], right[0, 3]))
assert found[0, 3] < 0.8 and right[0, 3] > 0.999
assert fitting and all(names[order[0]] == "0" and names[order[1]] == "1" for order in fitting)

blocks = nn.Sequential(nn.Sequential(nn.Linear(8, 8), nn.Tanh()), nn.Sequential(nn.Linear(8, 8), nn.Tanh()))
names, found, right, fitting = compare(blocks, ["0", "0.0", "1", "1.0"])     # named by hand, in the listed order
assert names == ["0", "0.0", "1", "1.0"] and (found - right).abs().max() > 0.02
assert [[names[k] for k in order] for order in fitting] == [["0.0", "0", "1.0", "1"]]

names, found, right, fitting = compare(network(), ["0", "1", "2"])            # layers alone: all is right
assert torch.allclose(found, right, atol=1e-4)
names, found, right, fitting = compare(network(inplace=True), ["0", "1", "2"])
print("linear layer and its ReLU: %.2f, by definition %.2f" % (found[0, 1], right[0, 1]))
assert found[0, 1] > 0.9999 and right[0, 1] < 0.95 and not fitting
PY
