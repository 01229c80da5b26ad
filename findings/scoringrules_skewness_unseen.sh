#!/usr/bin/env bash
# scoringrules: the error-spread score does not see skewness; an ensemble skewed the wrong way scores like the right.
#
# Guess:    the error-spread score is (s^2 - e^2 - e s g)^2, with the skewness g = M / ((M - 1)(M - 2)) times
#           the sum of ((x - m) / s)^3: so in the package's documentation and in Christensen, Moroz & Palmer 2015,
#           who added g so that a forecast of a skewed quantity (rain, errors, waiting times) is judged fairly.
# Happens:  the factor M is missing, so that g is M times too small: with 50 members a skewness of 1.7 counts as
#           .03. Waiting times forecast by an ensemble of the right distribution and by its mirror image,
#           skewed to the other side, have the same mean score; by the formula the mirror's is 4 times as high.
# Why:      scoringrules/core/error_spread/_score.py, error_spread_score: `/ ((M - 1) * (M - 2))` with nothing above
#           it but the sum; _gufunc.py, for numba, the same.
# Versions: scoringrules 0.10.0, numba 0.68.1, NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     exponential times, 50 members, mean of 20000 scores: formula 4.98 for the right ensemble, 18.63 for its
#           mirror image; scoringrules 7.74 and 8.01, with NumPy and with numba
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    scoringrules==0.10.0 numba==0.68.1 numpy==2.4.6 scipy==1.17.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import numpy as np
import scoringrules as sr
from scipy.stats import skew

draw = np.random.default_rng(0)
MEMBERS, TIMES = 50, 20000
right = draw.exponential(size=(TIMES, MEMBERS))
mirror = 2 * right.mean(axis=1, keepdims=True) - right           # the same mean and spread, skewed to the left
observed = draw.exponential(size=TIMES)

def formula(y, x, share=1.0):
    """The score with the usual skewness, times a share."""
    spread, error = x.std(axis=1, ddof=1), x.mean(axis=1) - y
    third = ((x - x.mean(axis=1, keepdims=True)) ** 3).sum(axis=1) / spread ** 3
    g = MEMBERS / ((MEMBERS - 1) * (MEMBERS - 2)) * third
    assert np.allclose(g, skew(x, axis=1, bias=False))
    return (spread ** 2 - error ** 2 - share * error * spread * g) ** 2

print(f"mean skewness {skew(right, axis=1, bias=False).mean():.2f}")
by_formula = [formula(observed, x).mean() for x in (right, mirror)]
print(f"formula: right {by_formula[0]:.2f}, mirror {by_formula[1]:.2f}")
for backend in ("numpy", "numba"):
    scores = [sr.error_spread_score(observed, x, backend=backend) for x in (right, mirror)]
    found = [s.mean() for s in scores]
    print(f"{backend}: right {found[0]:.2f}, mirror {found[1]:.2f}")
    assert np.allclose(scores[0], formula(observed, right, 1 / MEMBERS))
    assert abs(found[1] / found[0] - 1) < 0.15 and by_formula[1] > 3 * by_formula[0]
# without skewness there is nothing to see
even = np.concatenate([right[:, :25], 2 - right[:, :25]], axis=1)
assert np.allclose(sr.error_spread_score(observed, even, backend="numpy"), formula(observed, even))
PY
