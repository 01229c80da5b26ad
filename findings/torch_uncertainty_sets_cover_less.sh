#!/usr/bin/env bash
# torch-uncertainty: THR, APS and RAPS promise a coverage of 1 - alpha, and hold less, the fewer labels there are.
#
# Guess:    "with the marginal coverage guarantee P[Y in C(X)] >= 1 - alpha, provided that the calibration and
#           test points are exchangeable", for any number of calibration points: that is what conformal
#           prediction is for. Its neighbour for regression, ConformalCQR, holds it.
# Happens:  ten labels and alpha = .1 give sets that hold the label in .83 of cases, twenty .86, fifty .88;
#           only as labels grow in number does it come near .9.
# Why:      torch_uncertainty/post_processing/conformal/thr.py and aps.py (raps.py inherits): q_hat is
#           torch.quantile(scores, 1 - alpha), between two scores. The guarantee needs the
#           ceil((n + 1)(1 - alpha))-th smallest, as cqr.py takes it (Angelopoulos & Bates 2021, section 1).
# Versions: torch-uncertainty 0.13.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-30.
# Seen:     coverage of THR, APS, RAPS and by the rank above, standard errors below .002 (labels drawn from the
#           network's own probabilities, 30 classes): 10 labels .83 .83 .84 .91,
#           20 labels .86 .86 .86 .90, 50 labels .88 .88 .89 .90
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 torchvision==0.28.0 'torch-uncertainty[cpu]==0.13.0' scikit-learn==1.9.1 numpy==2.4.6
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY' 2> log || { cat log; exit 1; }
import math
import torch
try:
    import torchvision
except RuntimeError:       # PyPI's torchvision beside a CPU build of torch: two operators, unused here
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from torch_uncertainty.post_processing import ConformalClsAPS, ConformalClsRAPS, ConformalClsTHR

ALPHA, TRIES, TESTED = 0.1, 1500, 40
torch.manual_seed(0)

def draw(n):
    logits = torch.randn(n, 30)
    return logits, logits.softmax(dim=1).multinomial(1)[:, 0]

def coverage(kind, n):
    """The share of test labels within their sets, after n labels for calibration."""
    right = 0
    for _ in range(TRIES):
        sets = kind(alpha=ALPHA, model=torch.nn.Identity(), enable_ts=False)
        sets.fit([draw(n)])
        logits, labels = draw(TESTED)
        right += (sets.conformal(logits).gather(1, labels[:, None]) > 0).sum().item()
    return right / TRIES / TESTED

def by_rank(n):
    """The same for 1 - probability and the rank that the guarantee is proved for."""
    right = 0
    for _ in range(TRIES):
        logits, labels = draw(n)
        scores = 1 - logits.softmax(dim=1).gather(1, labels[:, None])[:, 0]
        limit = scores.sort().values[math.ceil((n + 1) * (1 - ALPHA)) - 1]
        logits, labels = draw(TESTED)
        right += (1 - logits.softmax(dim=1).gather(1, labels[:, None])[:, 0] <= limit).sum().item()
    return right / TRIES / TESTED

found = {}
for n in (10, 20, 50):
    found[n] = [coverage(kind, n) for kind in (ConformalClsTHR, ConformalClsAPS, ConformalClsRAPS)]
    found[n].append(by_rank(n))
    print(n, [round(value, 3) for value in found[n]])
assert all(value < 0.85 for value in found[10][:3]) and all(value < 0.875 for value in found[20][:3])
assert all(row[3] >= 0.895 for row in found.values())
PY
