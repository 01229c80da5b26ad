#!/usr/bin/env bash
# Looking at the validation set changes the training: a DataLoader without any randomness draws a number.
#
# Guess:    shuffle=False, num_workers=0: going through a fixed list of tensors needs no chance, so a run
#           seeded by torch.manual_seed is the same whether it is validated every epoch or never.
# Happens:  each `for batch in loader` draws one number from torch's global generator. After it dropout,
#           augmentations and the training loader's order are others: the validated run ends in other
#           weights. A loader with a generator of its own, or plain slices, leaves the seed alone.
# Why:      torch/utils/data/dataloader.py, _BaseDataLoaderIter.__init__ draws the workers' _base_seed
#           by random_(generator=loader.generator), without workers too. The notes on reproducibility
#           speak of workers only.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     same weights when never validated twice: True; when validated: False; own generator: True
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

x = torch.linspace(-1, 1, 32)[:, None]
data = TensorDataset(x, x**2)

def run(validation=None):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(3):
        net.train()
        for inputs, targets in data[:16], data[16:]:     # in a fixed order: only dropout is chance
            optimizer.zero_grad()
            (net(inputs) - targets).square().mean().backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            for inputs, targets in validation or ():
                net(inputs)
    return net[0].weight

never = run()
plain = run(DataLoader(data, batch_size=16))
own = run(DataLoader(data, batch_size=16, generator=torch.Generator()))
slices = run([data[:16], data[16:]])
same = [torch.equal(never, weight) for weight in (run(), plain, own, slices)]
print("same weights: never validated, loader, loader with a generator, slices:", same)
assert same == [True, False, True, True]
PY
