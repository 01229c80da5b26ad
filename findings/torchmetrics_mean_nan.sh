#!/usr/bin/env bash
# torchmetrics.MeanMetric takes the NaN out of the very loss it watches, and forgets the weights.
#
# Guess:    MeanMetric(nan_strategy=0.0) keeps a running mean in which a NaN counts as 0 ("will impute any
#           nan values with this value"); "disable" is for data without NaN ("disable all nan checks").
#           The weight, such as the batch's size, counts with each; the losses are only read.
# Happens:  the zero is written into the caller's own tensor: after metric.update(losses) the training
#           loop's "if losses.isnan().any(): skip" finds nothing, and backward still gives NaN. A weight
#           of 5.0 becomes 1 for the WHOLE batch if one value in it is NaN. And with "disable" weights
#           are not used at all: the mean of 1 and 3 weighted by 1 and 9 is 2.0; elsewhere it is 2.8.
# Why:      torchmetrics/aggregation.py, _cast_and_nan_check_input: x[nans] = ... and weight[nans] = 1 are
#           done in place, the latter on a broadcast view in which all weights are one number; the
#           branch of "disable" makes weights of ones. (The last is torchmetrics' issue 3434.)
# Versions: torchmetrics 1.9.0, torch 2.13.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     losses before [1.0, nan], after [1.0, 0.0], gradient [0.5, nan]
#           batch of weight 5.0 with a NaN: 3.40, with the 0 put in by hand: 2.14; disable 2.0, else 2.8
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0
env/bin/python -W ignore - <<'PY'
import torch
from torchmetrics.aggregation import MeanMetric

weights = torch.ones(2, requires_grad=True)
losses = weights * torch.tensor([1.0, torch.nan])
seen = losses.tolist()
MeanMetric(nan_strategy=0.0).update(losses)
losses.mean().backward()
print("losses before", seen, "after", losses.tolist(), "gradient", weights.grad.tolist())
assert seen[1] != seen[1] and losses.tolist() == [1, 0] and weights.grad.isnan().tolist() == [False, True]

means = []
for bad in (torch.nan, 0.0):
    metric = MeanMetric(nan_strategy=0.0)
    metric.update(torch.tensor([1.0, bad, 2.0, 4.0]), weight=5.0)
    metric.update(torch.tensor([10.0]), weight=1.0)
    means.append(metric.compute().item())
print("batch of weight 5.0 with a NaN: %.2f, with the 0 put in by hand: %.2f" % tuple(means))
assert abs(means[1] - (5 * (1 + 0 + 2 + 4) + 10) / 21) < 1e-6           # the weighted mean, by its formula
assert abs(means[0] - (1 * (1 + 0 + 2 + 4) + 10) / 5) < 1e-6            # every weight of the batch is 1

for setting in ("warn", "ignore", "error", 0.0, "disable"):
    metric = MeanMetric(nan_strategy=setting)
    metric.update(torch.tensor([1.0, 3.0]), weight=torch.tensor([1.0, 9.0]))
    print(setting, "%.1f" % metric.compute())
    assert abs(metric.compute() - (2.0 if setting == "disable" else (1 * 1 + 9 * 3) / 10)) < 1e-6
PY
