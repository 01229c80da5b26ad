#!/usr/bin/env bash
# crepes: with 19 calibration examples the 90 % interval is the 95 % one; with 9 it is infinite.
#
# Guess:    conformal intervals are exact: of n calibration residuals the k-th smallest covers a new one
#           with probability k / (n + 1). So 90 % takes the largest of 9 residuals, or the 18th of 19,
#           and 95 % takes the 19th of 19.
# Happens:  of 9 residuals crepes makes no interval at all, minus to plus infinity, and warns that 9 are
#           too few. Of 19 it takes the 19th, for 0.9 as for 0.95: measured coverage 0.95. For 0.8
#           and 0.9 it is one rank too wide at each n tried; for 0.5, 0.95 and 0.99 it is right.
# Why:      crepes/base.py, predict_int: int((1-confidence)*(n+1))-1, and 1-0.9 is 0.09999999999999998, so
#           that int() cuts 1.9999999999999996 down to 1; so for bins and semi-online. The docstring
#           says only that a confidence may be "too high in relation to the size of the calibration set".
# Versions: crepes 0.9.1, scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     n 9: 0.9 -> rank inf, should be 9; n 19: 0.8 -> 17 (16), 0.9 -> 19 (18), 0.95 -> 19 (19)
#           measured coverage, n 19, confidence 0.9: 0.9447
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    crepes==0.9.1 scikit-learn==1.9.1 numpy==2.4.6
env/bin/python - <<'PY'
import math
import warnings
from fractions import Fraction
import numpy as np
from crepes import ConformalRegressor
warnings.simplefilter("ignore")

def half_width(residuals, confidence):
    regressor = ConformalRegressor().fit(residuals=residuals)
    return regressor.predict_int(np.zeros(1), confidence=confidence)[0, 1]

for n in (9, 19, 29, 99, 999):
    for confidence in ("0.5", "0.8", "0.9", "0.95", "0.99"):
        right = math.ceil(Fraction(confidence) * (n + 1))             # exact arithmetic
        right = right if right <= n else math.inf
        rank = half_width(np.arange(1.0, n + 1), float(confidence))   # residuals 1, 2, ...: ranks
        print("n", n, "confidence", confidence, "rank", rank, "should be", right)
        late = 1 if confidence in ("0.8", "0.9") else 0
        assert rank == (right + late if right + late <= n else math.inf)

draw = np.random.default_rng(0)
covered = [abs(draw.normal()) <= half_width(draw.normal(size=19), 0.9) for _ in range(10_000)]
print("measured coverage, n 19, confidence 0.9:", np.mean(covered))
assert abs(np.mean(covered) - 0.95) < 0.01                            # its standard error is 0.002
PY
