#!/usr/bin/env bash
# swa_utils.update_bn fits BatchNorm layers that were frozen, and leaves them thawed.
#
# Guess:    in fine-tuning one freezes BatchNorm by putting those layers in evaluation mode inside a
#           model in training mode. update_bn after weight averaging re-estimates the statistics of
#           the layers that train, and puts every mode back as it was.
# Happens:  it re-estimates all of them, and afterwards every layer is in training mode: a second
#           round of training no longer has frozen statistics.
# Why:      torch/optim/swa_utils.py: model.train() for the pass, then model.train(was_training): one
#           flag for the whole model is remembered, and train() sets all children.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     before: frozen layer trains False, its mean 0.0; after: True, 3.0
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

torch.manual_seed(0)
frozen, free = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
model = nn.Sequential(frozen, nn.Linear(2, 2), free).train()
frozen.eval()
before = frozen.training, frozen.running_mean.mean().item()
update_bn([torch.randn(4000, 2) + 3], model)
after = frozen.training, frozen.running_mean.mean().item()
print("before:", before, "after:", after)
assert before == (False, 0.0) and after[0] and abs(after[1] - 3) < 0.1
PY
