#!/usr/bin/env bash
# metric-learn: LSML stops above the minimum that it looks for, and changes the weights it was given.
#
# Guess:    LSML minimizes a convex loss, the weighted squares of the broken constraints plus a distance to the
#           prior (Liu et al. 2012, eq. 6); with a small tol and many steps the minimum is found. Weights are read.
# Happens:  it gives up after a few steps, as no step along its gradient lowers the loss any more, and says
#           nothing of that: the loss is above the minimum, and n_iter_ small. weights=w comes back divided by its
#           sum; whole numbers as weights raise "Cannot cast ufunc 'divide' output".
# Why:      metric_learn/lsml.py: _comparison_loss multiplies each constraint by w_, which sums to 1; _gradient adds
#           them up without it, so that with n constraints they pull n times too hard against the prior, and
#           all alike. _fit: `self.w_ = weights; self.w_ /= ...`, in place.
# Versions: metric-learn 0.7.0, scikit-learn 1.7.2 (not 1.8), NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     all weights 1: loss 8.723 at the start, 3.861 after 3 steps, minimum 3.675, with weights in the gradient
#           3.675 after 242; 3 of 40 weigh 100: 4.021, 2.835 after 10 steps, 2.801, 2.801 after 85; 1 becomes .025
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    metric-learn==0.7.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.7.2
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import numpy as np
from metric_learn import LSML
from scipy.optimize import minimize

class Weighted(LSML):
    """The same with the weights in the gradient too."""
    def _gradient(self, metric, vab, vcd, prior_inv):
        total = prior_inv - np.linalg.inv(metric)
        for w, a, c in zip(self.w_, vab, vcd):
            first, second = a @ metric @ a, c @ metric @ c
            if first > second:
                ratio = np.sqrt(second / first)
                total += w * ((1 - ratio) * np.outer(a, a) + (1 - 1 / ratio) * np.outer(c, c))
        return total

draw = np.random.default_rng(0)
N = 40
quadruplets = draw.normal(size=(N, 4, 2)) * [1, 3]            # the second feature is noise
near, far = (quadruplets[:, i, 0] - quadruplets[:, i + 1, 0] for i in (0, 2))
wrong = np.abs(near) > np.abs(far)
quadruplets[wrong] = quadruplets[wrong][:, [2, 3, 0, 1]]

def loss(metric, weights):
    lengths = [np.sqrt(np.einsum("ni,ij,nj->n", d, metric, d)) for d in
               (quadruplets[:, 0] - quadruplets[:, 1], quadruplets[:, 2] - quadruplets[:, 3])]
    broken = weights / weights.sum() @ np.maximum(lengths[0] - lengths[1], 0) ** 2
    return broken + np.trace(metric) - np.linalg.slogdet(metric)[1]

def lowest(weights):
    def at(v):
        root = np.array([[v[0], 0], [v[1], v[2]]])
        return loss(root @ root.T, weights)
    return min(minimize(at, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 5000}).fun
               for start in ([1, 0, 1], [0.5, 0.3, 0.7]))

def fit(kind, weights):
    model = kind(tol=1e-5, max_iter=5000).fit(quadruplets, weights=weights.copy())
    return loss(model.get_mahalanobis_matrix(), weights), model.n_iter_

for name, weights in (("all weights 1", np.ones(N)), ("3 of 40 weigh 100", np.where(np.arange(N) < 3, 100.0, 1.0))):
    (found, steps), (hoped, other), least = fit(LSML, weights), fit(Weighted, weights), lowest(weights)
    start = loss(np.eye(2), weights)
    print(f"{name}: loss {start:.3f} at the start, {found:.3f} after {steps} steps; the minimum {least:.3f}; "
          f"with weights in the gradient {hoped:.3f} after {other}")
    assert found - least > 0.03 and abs(hoped - least) < 0.005 and steps < 50
given = np.array([1.0] * N)
LSML().fit(quadruplets, weights=given)
print(f"the weights of 1 are {given[0]:.3f} now")
assert np.allclose(given, 1 / N)
try:
    LSML().fit(quadruplets, weights=np.ones(N, dtype=int))
    raise SystemExit("whole numbers are taken")
except TypeError as error:
    print(error)
PY
