#!/usr/bin/env bash
# scikit-learn's PCA goes wrong when it is given more rows of the same data.
#
# Guess:    PCA centres its input, so an offset that all rows share cannot matter; and more rows of the
#           same kind make its answer better. Its "auto" solver chooses among equals by speed.
# Happens:  from ten rows a column on, "auto" means covariance_eigh, which does not centre: it takes
#           X'X and subtracts n times the squared mean, in float32 if X is. With sensor-like data (an
#           offset of 1000, deviations of .05 to .2) 190 rows give the right variance .051, and 210
#           rows one of 4.0 and a direction that has nothing to do with it. No warning.
#           svd_solver="full", float64, or subtracting the mean oneself are right.
# Why:      sklearn/decomposition/_pca.py, _fit_full: "we center the covariance matrix C afterwards
#           (without centering the data X first) to avoid an unnecessary copy". The documentation says
#           "on centered data", and warns of a wide range of singular values only; these span 4.
# Versions: scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-28.
# Seen:     190 rows: full, .051 (exact .051), cosine with the exact direction 1.00;
#           210 rows: covariance_eigh, 4.012 (exact .051), cosine .00; centred first .051, 1.00
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6
env/bin/python -W error - <<'PY'
import numpy as np
from sklearn.decomposition import PCA

draw = np.random.default_rng(0)
spread = np.linspace(0.05, 0.2, 20)

def compare(x):
    """Variance of the first component, that of the exact one, and their directions' cosine."""
    found, exact = PCA(3).fit(x), PCA(3, svd_solver="full").fit(x.astype(float))
    cosine = abs(found.components_[0] @ exact.components_[0])
    result = found.explained_variance_[0], exact.explained_variance_[0], cosine
    print(len(x), "rows,", found._fit_svd_solver, *(f"{x:.3f}" for x in result))
    return result

few, more = (np.float32(1000 + draw.normal(size=(n, 20)) * spread) for n in (190, 210))
variance, exact, cosine = compare(few)
assert abs(variance - exact) < 0.001 and cosine > 0.99
variance, exact, cosine = compare(more)
assert variance > 20 * exact and cosine < 0.8
for right in (more - more.mean(axis=0), more.astype(float)):
    variance, exact, cosine = compare(right)
    assert abs(variance - exact) < 0.001 and cosine > 0.99
PY
