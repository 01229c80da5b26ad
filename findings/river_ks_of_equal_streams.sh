#!/usr/bin/env bash
# river: the Kolmogorov-Smirnov distance of two streams that hold the same values is 1, the largest there is.
#
# Guess:    stats.KolmogorovSmirnov is the two-sample statistic, the largest difference between the shares of values
#           up to x in either sample, kept up to date: of equal samples 0, the same after x and y have changed
#           places, and equal to SciPy's. Its docstring has repeated values in its own example.
# Happens:  with values that repeat (classes, counts, whole seconds, ratings, scores of 0 and 1) it is too large, up
#           to 1 for a constant, and the test built on it rejects "the same distribution". Changing places changes
#           it: an x counts as before an equal y. "kuiper" as well. revert takes out what update put in, and no more.
# Why:      river/stats/kolmogorov_smirnov.py, update: keys are (x, 0) and (y, 1), and every node of the tree is
#           compared, also those between two equal values, where some are counted and some are not yet. The code it
#           follows says that all values must differ; river does not.
# Versions: river 0.26.1, SciPy 1.17.1, NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     500 values and the same shuffled: a constant 1.000, 0 or 1 .506, five stars .364, counts .218, in place of
#           0, and .002 if no value is there twice; two draws of 0 or 1: .540, changed places .506, SciPy .034
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check river==0.26.1 numpy==2.4.6 scipy==1.17.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import random
from river import stats
from scipy.stats import ks_2samp, poisson

random.seed(0)
N = 500

def fed(x, y, statistic="ks"):
    distance = stats.KolmogorovSmirnov(statistic)
    for pair in zip(x, y):
        distance.update(*pair)
    return distance

def differ(distance):
    """The class's own test, at 5 %."""
    return distance._test_ks_threshold(distance._ca(0.05))

def gap(x, y):
    """Up to each value, with all that equal it."""
    return max(abs(sum(v <= at for v in x) - sum(v <= at for v in y)) for at in set(x + y)) / len(x)

draws = {
    "a constant": lambda: 0,
    "0 or 1": lambda: random.randrange(2),
    "five stars": lambda: random.choice([1, 2, 3, 4, 4, 5, 5, 5]),
    "counts, mean 3": lambda: int(poisson.ppf(random.random(), 3)),
    "no value twice": random.random,
}
for name, draw in draws.items():
    x, y = [draw() for _ in range(N)], [draw() for _ in range(N)]
    same = x[:]
    random.shuffle(same)
    distance, swapped, equal = fed(x, y), fed(y, x), fed(x, same)
    truth = ks_2samp(x, y).statistic
    print(f"{name}: {distance.get():.3f}, changed places {swapped.get():.3f}, SciPy {truth:.3f}; with its own values "
          f"shuffled {equal.get():.3f}, kuiper {fed(x, same, 'kuiper').get():.3f}; tests differ: {differ(equal)}")
    assert abs(gap(x, y) - truth) < 1e-9 and gap(x, same) == 0
    if name == "no value twice":
        assert abs(distance.get() - truth) < 1e-9 and distance.get() == swapped.get() and equal.get() == 1 / N
    else:
        assert distance.get() > truth + 0.1 and equal.get() > 0.15 and differ(equal)
        assert fed(x, same, "kuiper").get() > 0.15
    if name == "a constant":
        assert equal.get() == 1
    elif name != "no value twice":
        assert distance.get() != swapped.get()
    for pair in list(zip(x, y))[:N // 2]:
        distance.revert(*pair)
    assert abs(distance.get() - fed(x[N // 2:], y[N // 2:]).get()) < 1e-9
PY
