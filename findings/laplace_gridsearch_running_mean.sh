#!/usr/bin/env bash
# laplace-torch: its grid search judges each prior precision together with all those tried before it.
#
# Guess:    optimize_prior_precision(method="gridsearch", val_loader=...) computes the validation loss for each
#           value on the grid and takes the best. "If callable, the loss is computed offline (memory intensive). If
#           torchmetrics.Metric, running loss is computed (efficient)": the same loss by two ways.
# Happens:  by the second way, which is the default, the number for a value is the mean over it and
#           all smaller ones. Where the small ones are bad, each further one looks better than the last, and the
#           grid's end wins: 10000, where 1 is the best and is found with a function. Begin the grid at the best,
#           and it is right. In regression the default has nothing to choose from: it is the error of the
#           mean, which with the default predictive ("glm") is the same for every prior precision.
# Why:      laplace/baselaplace.py, _gridsearch hands one metric to all calls of laplace/utils/utils.py, validate,
#           which updates and computes it. No reset() stands in either, nor elsewhere in the package.
# Versions: laplace-torch 0.3, torchmetrics 1.9.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     validation loss for .0001 to 10000: .68 .65 .58 .47 .44 .46 .46 .46 .46; chosen by default 10000,
#           by a function 1, by a metric that is reset 1, by default on the grid 1 to 10000 1
#           regression, squared error for .0001 to 10000: one value nine times
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 torchvision==0.28.0 laplace-torch==0.3 torchmetrics==1.9.0 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import torch
try:
    import torchvision
except RuntimeError:       # PyPI's torchvision beside a CPU build of torch: two operators, unused here
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from laplace import Laplace
from laplace.utils.metrics import RunningNLLMetric
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(200, 2)
y = (x[:, 0] + 0.5 * torch.randn(200) > 0).long()

def fitted(likelihood, y, loss):
    network = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2 if y.ndim == 1 else 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad(); loss(network(x[:100]), y[:100]).backward(); optimizer.step()
    laplace = Laplace(network, likelihood, subset_of_weights="last_layer", hessian_structure="full")
    laplace.fit(DataLoader(TensorDataset(x[:100], y[:100]), batch_size=50))
    return laplace, DataLoader(TensorDataset(x[100:], y[100:]), batch_size=50)

def nll(probabilities, labels):
    return F.nll_loss(probabilities.log(), labels)

class Reset(RunningNLLMetric):
    def compute(self):
        value = super().compute()
        self.reset()
        return value

laplace, validation = fitted("classification", y, F.cross_entropy)
losses = {}
for precision in torch.logspace(-4, 4, 9):
    laplace.prior_precision = precision
    losses[round(precision.item(), 4)] = nll(laplace(x[100:]), y[100:]).item()
print({precision: round(loss, 2) for precision, loss in losses.items()})
best = min(losses, key=losses.get)

def choose(lowest=-4, **options):
    laplace.optimize_prior_precision("glm", method="gridsearch", val_loader=validation, grid_size=5 - lowest,
                                     log_prior_prec_min=lowest, **options)
    return round(laplace.prior_precision.item(), 4)

found = choose(), choose(loss=nll), choose(loss=Reset()), choose(lowest=0)
print("best", best, "chosen by default %g, function %g, metric with reset %g, default from 1 on %g" % found)
assert best == 1 and found == (10000, 1, 1, 1)

laplace, _ = fitted("regression", (x[:, :1] + 0.5 * torch.randn(200, 1)), F.mse_loss)
means = []
for precision in torch.logspace(-4, 4, 9):
    laplace.prior_precision = precision
    means.append(laplace(x[100:])[0])
assert all(torch.equal(mean, means[0]) for mean in means)
print("regression: one mean for all prior precisions")
PY
