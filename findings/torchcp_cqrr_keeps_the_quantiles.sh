#!/usr/bin/env bash
# torchcp: CQR-r returns the network's own quantiles as its 90 % intervals; calibration moves them by a millionth.
#
# Guess:    CQR-r (Sesia and Candes, 2020) measures, on calibration data, by how many of its own widths a predicted interval
#           misses the truth, and widens or narrows each new one by the 90 % quantile of that. It covers 90 %,
#           however wrong the network's quantiles are, as CQR, CQR-m and the fraction of the median do.
# Happens:  the quantile is right, but it is multiplied with 1e-6 and not with the interval's width. Of intervals a third
#           as wide as they should be 38 % hold the truth; of too wide ones, 99.7 %. The three others
#           cover 89 to 90 %. A test on a network whose quantiles are right already sees nothing of it.
# Why:      torchcp/regression/score/cqrr.py, CQRR.generate_intervals: scaling_factor is taken from prediction_intervals,
#           the zeros that are to be filled, not from predicts_batch; what is left is eps.
# Versions: torchcp 1.2.1, torch 2.13.0, NumPy 2.4.6, tqdm 4.70.1, Python 3.11, CPU; run on 2026-11-29.
# Seen:     coverage with quantiles .5, 1.645 and 3 deviations out: CQR .895 .893 .899, CQR-m and fraction of the
#           median .895 each, CQR-r .375 .891 .997, by hand .895 each
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.4.6 tqdm==4.70.1
env/bin/pip install --quiet --no-compile --disable-pip-version-check --no-deps torchcp==1.2.1
env/bin/python -W ignore - <<'PY'
import importlib.util, sys, types
import torch
package = types.ModuleType("torchcp")      # its part for regression alone: the others need packages that are compiled
package.__path__ = list(importlib.util.find_spec("torchcp").submodule_search_locations)
sys.modules["torchcp"] = package
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchcp.regression.predictor import SplitPredictor
from torchcp.regression.score import CQR, CQRFM, CQRM, CQRR

torch.manual_seed(0)
x = 4 * torch.rand(4000, 1)
spread = 0.2 + x[:, 0]
y = torch.sin(x[:, 0]) + spread * torch.randn(4000)
calibration, test = slice(2000), slice(2000, 4000)

class Quantiles(nn.Module):
    """The mean plus and minus `factor` standard deviations; 1.645 would be the right 90 %."""
    def __init__(self, factor, median):
        super().__init__()
        self.factor, self.median = nn.Parameter(torch.tensor(factor)), median

    def forward(self, x):
        mean, spread = torch.sin(x[:, 0]), 0.2 + x[:, 0]
        middle = [mean] if self.median else []
        return torch.stack([mean - self.factor * spread, *middle, mean + self.factor * spread], dim=1)

def loader(rows):
    return DataLoader(TensorDataset(x[rows], y[rows]), batch_size=500)

def by_hand(factor):
    """CQR-r by its definition."""
    low, high = Quantiles(factor, False)(x).detach().T
    misses = torch.maximum(low - y, y - high)[calibration] / (high - low)[calibration]
    quantile = misses.sort().values[int(torch.tensor(0.9 * 2001).ceil()) - 1]
    move = quantile * (high - low)
    return ((y >= low - move) & (y <= high + move))[test].float().mean().item(), quantile.item(), (low, high)

for factor in (0.5, 1.645, 3.0):
    covered = {}
    for score in (CQR, CQRM, CQRFM, CQRR):
        predictor = SplitPredictor(score(), Quantiles(factor, score in (CQRM, CQRFM)), alpha=0.1)
        predictor.calibrate(loader(calibration))
        covered[score.__name__] = round(predictor.evaluate(loader(test))["coverage_rate"], 3)
    right, quantile, (low, high) = by_hand(factor)
    print(f"factor {factor}: {covered}, CQR-r by hand {right:.3f}")
    intervals = predictor.predict(x[test])[:, 0].detach()
    assert abs(predictor.q_hat.item() - quantile) < 1e-4                     # the quantile itself is right
    assert torch.allclose(intervals, torch.stack([low, high], dim=1)[test], atol=1e-4)
    assert abs(right - 0.9) < 0.02 and all(abs(covered[name] - 0.9) < 0.02 for name in ("CQR", "CQRM", "CQRFM"))
    assert {0.5: covered["CQRR"] < 0.4, 1.645: True, 3.0: covered["CQRR"] > 0.99}[factor]
PY
