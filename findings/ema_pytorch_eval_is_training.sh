#!/usr/bin/env bash
# ema_pytorch: forward_eval() runs the averaged network in training mode, and changes it.
#
# Guess:    "handy function for invoking ema model with no grad + eval", says the comment in it: dropout is off,
#           BatchNorm normalizes by its stored statistics, and asking twice gives the same answer twice.
# Happens:  a network that is being trained is copied in training mode, and so it stays. Two calls give two
#           answers; each moves BatchNorm's statistics of the average, so that looking at a shifted test set
#           spoils them for good; one image alone is an error. Where the user did freeze layers in it by
#           .eval(), the call thaws them.
# Why:      ema_pytorch/ema_pytorch.py, EMA.forward_eval: it stores ema_model.training, calls ema_model, and puts
#           the mode back with ema_model.train(training), for every layer in it. There is no call of eval().
# Versions: ema-pytorch 0.8.3, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     largest difference of two calls 3.7; running mean 0.0 before, 4.1 after 5 calls on data around 10; one
#           image: ValueError; frozen layer's training: before False, after True
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 ema-pytorch==0.8.3 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import torch
from ema_pytorch import EMA
from torch import nn

torch.manual_seed(0)
def average():
    return EMA(nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5)))

x, ema = torch.randn(8, 4), average()
difference = (ema.forward_eval(x) - ema.forward_eval(x)).abs().max().item()
print(f"two calls differ by {difference:.1f}")
assert difference > 1

ema = average()
before = ema.ema_model[0].running_mean.mean().item()
for _ in range(5):
    ema.forward_eval(x + 10)
after = ema.ema_model[0].running_mean.mean().item()
print(f"running mean {before:.1f} before, {after:.1f} after")
assert before == 0 and after > 4
try:
    average().forward_eval(x[:1])
except ValueError as error:
    print("one image:", error)
else:
    raise SystemExit("one image is no longer an error")

ema.ema_model[0].eval()
ema.forward_eval(x)
print("frozen layer in training mode afterwards:", ema.ema_model[0].training)
assert ema.ema_model[0].training

network = average().eval()                                         # by hand: the averaged network itself
assert torch.equal(network(x), network(x)) and network(x[:1]).shape == (1, 4)
ema = average()
ema.ema_model.eval()                                               # and from then on forward_eval is right
assert torch.equal(ema.forward_eval(x), ema.forward_eval(x))
PY
