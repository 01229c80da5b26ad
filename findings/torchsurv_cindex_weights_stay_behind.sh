#!/usr/bin/env bash
# torchsurv: the bootstrap interval of a weighted concordance index does not hold the index itself.
#
# Guess:    confidence_interval(method="bootstrap") draws subjects with replacement, each with its score, its time and
#           its weight, and takes the index of each sample. The interval lies about the index, as wide as the one
#           that the same done by hand gives, and close to method="noether".
# Happens:  the subjects are drawn, and the weights stay where they were: each gets the weight of another. With
#           weights that differ (groups that count less, or inverse censoring probabilities, as for Uno's index)
#           the interval is about an index with weights at random. With equal weights it is right.
# Why:      torchsurv/metrics/cindex.py, ConcordanceIndex._bootstrap_cindex, "confidence_interval": it passes
#           self.weight beside estimate[index], event[index] and time[index]. "compare", below it, and Auc and
#           BrierScore take weight[index].
# Versions: torchsurv 0.2.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-30.
# Seen:     half of 300 subjects weigh a tenth: index .655, bootstrap .458 to .586, by hand .600 to .715; inverse
#           censoring probabilities: .719, .558 to .840, by hand .684 to .756; all weigh 1: .728, .692 to .761, by
#           hand .685 to .756
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torchsurv==0.2.0 torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch
from torchsurv.metrics.cindex import ConcordanceIndex
from torchsurv.stats.ipcw import get_ipcw

torch.manual_seed(0)
N, DRAWS, ENDS = 300, 150, torch.tensor([0.025, 0.975])
x = torch.randn(N)

def study(leaving):
    death = torch.distributions.Exponential(x.exp()).sample()
    leaves = torch.distributions.Exponential(leaving).sample()
    return death <= leaves, torch.minimum(death, leaves)

def intervals(score, event, time, weight):
    index = ConcordanceIndex()
    value = index(score, event, time, weight=weight).item()
    theirs = index.confidence_interval(method="bootstrap", n_bootstraps=DRAWS).tolist()
    drawn = torch.randint(N, (DRAWS, N))
    parts = score, event, time, weight
    by_hand = torch.stack([ConcordanceIndex()(*(part[rows] for part in parts)) for rows in drawn])
    noether = index.confidence_interval(method="noether").tolist()
    return value, theirs, by_hand.quantile(ENDS).tolist(), noether

def width(interval):
    return interval[1] - interval[0]

def words(interval):
    return f"{interval[0]:.3f} to {interval[1]:.3f}"

few = torch.full((N,), 0.3)
first = torch.arange(N) < N // 2
half = torch.where(first, x, -x)                               # good for the first half, upside down for the second
event, time = study(few)
for title, score, weight in (("all weigh 1", x, torch.ones(N)),
                             ("the second half weighs a tenth", half, torch.where(first, 1.0, 0.1))):
    value, theirs, by_hand, noether = intervals(score, event, time, weight)
    print(f"{title}: index {value:.3f}, bootstrap {words(theirs)}, by hand {words(by_hand)}, noether {words(noether)}")
    assert by_hand[0] < value < by_hand[1] and noether[0] < value < noether[1]
    if title == "all weigh 1":
        assert max(abs(a - b) for a, b in zip(theirs, by_hand)) < 0.02
    else:
        assert theirs[1] < value - 0.05 and theirs[1] < by_hand[0]

event, time = study(0.7 * (-x).exp())
weight = get_ipcw(event, time)
value, theirs, by_hand, noether = intervals(x, event, time, weight)
print(f"inverse censoring probabilities, {(~event).sum()} of {N} censored, weights up to {weight.max():.0f}: index "
      f"{value:.3f}, bootstrap {words(theirs)}, by hand {words(by_hand)}")
assert width(theirs) > 2 * width(by_hand)
PY
