#!/usr/bin/env bash
# scoringrules: without numba, the weighted interval score adds the median itself where its error belongs.
#
# Guess:    the weighted interval score is (w_0 |y - m| + the weighted interval scores) / (K + 1/2), as the docstring
#           has it (Bracher et al. 2021): the median m is the better, the nearer it is to y; and to move forecast
#           and observation by the same amount, or to measure in Kelvin, changes nothing.
# Happens:  with backend="numpy", the default where numba is not installed ("pip install scoringrules" does not
#           bring it), the lower the median the better the score, down to minus infinity: for an observation of
#           20 a median of -1000 beats one of 20. The same forecast has another score in Kelvin. With numba all
#           is well.
# Why:      scoringrules/core/interval/_score.py, weighted_interval_score: `WIS += w_median * median`, without
#           the observation. The function for numba, in _gufunc.py beside it, has |obs - median|.
# Versions: scoringrules 0.10.0, numba 0.68.1, NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     observation 20, median 20, 50, -1000: NumPy 7.2 13.2 -196.8, numba 3.2 9.2 207.2, formula the same;
#           20 C in Kelvin: NumPy 7.2 becomes 61.8, numba 3.2 stays
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    scoringrules==0.10.0 numpy==2.4.6 scipy==1.17.1
cat > program.py <<'PY'
import sys
import numpy as np
import scoringrules as sr

LEVELS = np.array([0.1, 0.5])

def formula(y, median, lower, upper):
    total = 0.5 * abs(y - median)
    for level, low, high in zip(LEVELS, lower, upper):
        outside = max(low - y, 0) + max(y - high, 0)
        total += level / 2 * (high - low + 2 / level * outside)
    return total / (len(LEVELS) + 0.5)

def score(median, shift=0.0, **options):
    y, median = np.float64(20 + shift), np.float64(median + shift)
    lower, upper = np.array([-10.0, 5.0]) + shift, np.array([50.0, 25.0]) + shift
    found = sr.weighted_interval_score(y, median, lower, upper, LEVELS, **options)
    return float(found), float(formula(y, median, lower, upper))

def table(**options):
    rows = [score(median, **options) for median in (20.0, 50.0, -1000.0)] + [score(20.0, 273.15, **options)]
    print(options or "no backend named", [tuple(round(value, 2) for value in row) for row in rows])
    return np.array(rows)

if sys.argv[1] == "bare":
    wrong = table()
    assert not np.allclose(wrong[:, 0], wrong[:, 1]) and wrong[2, 0] < -100 < 0 < wrong[0, 0] < wrong[3, 0] - 50
else:
    assert (table(backend="numpy")[2] < 0).tolist() == [True, False]
    for options in ({}, {"backend": "numba"}):
        right = table(**options)
        assert np.allclose(right[:, 0], right[:, 1]) and np.isclose(right[0, 0], right[3, 0])
PY
env/bin/python program.py bare
env/bin/pip install --quiet --no-compile --disable-pip-version-check numba==0.68.1 numpy==2.4.6
env/bin/python program.py numba
