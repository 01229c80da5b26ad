#!/usr/bin/env bash
# river: the RMSLE over the last 20 predictions is a complex number, or any number at all.
#
# Guess:    utils.Rolling(metrics.RMSLE, window_size=20) is the metric of the last 20 predictions: what a new RMSLE
#           that has seen these alone gives. So it is with MAE, RMSE, R2 and the others: revert undoes update, and
#           evaluate and TimeRolling rest on it.
# Happens:  from prediction 21 on it is wrong, and mostly complex: .0 + 2.5i, and larger and larger. To take one
#           prediction back that was just given, revert(y, p), leaves another value than before.
# Why:      river/metrics/mse.py, RMSLE: update takes the logarithms and hands them to RMSE; revert is not there, so
#           that MeanMetric's subtracts the square of the plain difference. The mean falls below 0, and get() takes
#           its root by ** 0.5, which Python answers with a complex number.
# Versions: river 0.26.1, NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     after 40 and 200 predictions 2.760i and 7.053i in place of .175 and .181, 179 of 200 values complex; RMSE,
#           MAE, SMAPE and R2 right; one prediction given and taken back: .230, then .207
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check river==0.26.1 numpy==2.4.6 scipy==1.17.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import math
import random
from river import metrics, utils

random.seed(0)
LAST = 20
truth = [random.expovariate(0.2) for _ in range(200)]
pairs = [(y, y * random.lognormvariate(0, 0.3)) for y in truth]

def alone(kind, pairs):
    metric = kind()
    for pair in pairs:
        metric.update(*pair)
    return metric.get()

def by_hand(pairs):
    return math.sqrt(sum((math.log(y + 1) - math.log(p + 1)) ** 2 for y, p in pairs) / len(pairs))

class Whole(metrics.RMSLE):
    """The same with logarithms both ways."""
    def revert(self, y_true, y_pred, w=1.0):
        super().revert(math.log(y_true + 1), math.log(y_pred + 1), w)

def rolled(kind):
    """The rolling values, and those of a new metric on the same window."""
    rolling, seen, hoped = utils.Rolling(kind, window_size=LAST), [], []
    for i, pair in enumerate(pairs):
        rolling.update(*pair)
        seen.append(rolling.get())
        hoped.append(alone(kind, pairs[max(0, i + 1 - LAST):i + 1]))
    return seen, hoped

seen, hoped = rolled(metrics.RMSLE)
broken = sum(isinstance(value, complex) for value in seen)
print(f"RMSLE of the last {LAST}, after 20, 40, 200 predictions:", [f"{seen[i - 1]:.3f}" for i in (20, 40, 200)],
      "in place of", [f"{hoped[i - 1]:.3f}" for i in (20, 40, 200)], f"; {broken} of {len(pairs)} are complex")
assert seen[:LAST] == hoped[:LAST] and all(abs(h - by_hand(pairs[:LAST])) < 1e-9 for h in hoped[LAST - 1:LAST])
assert broken > 150 and abs(seen[-1]) > 10 * hoped[-1]
assert all(abs(s - h) > 1e-3 for s, h in zip(seen[LAST:], hoped[LAST:]))
for kind in (Whole, metrics.RMSE, metrics.MAE, metrics.SMAPE, metrics.R2):
    seen, hoped = rolled(kind)
    off = max(abs(s - h) for s, h in zip(seen, hoped))
    print(f"{kind.__name__}: off by {off:.1g}")
    assert off < 1e-6

metric = metrics.RMSLE()
for pair in pairs[:100]:
    metric.update(*pair)
before = metric.get()
metric.update(50, 51)
metric.revert(50, 51)
print(f"one prediction given and taken back: {before:.3f}, then {metric.get():.3f}")
assert abs(abs(metric.get()) - before) > 0.02
PY
