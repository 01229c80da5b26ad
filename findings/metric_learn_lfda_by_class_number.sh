#!/usr/bin/env bash
# metric-learn: LFDA learns another metric when the classes are numbered in another order.
#
# Guess:    LFDA scales each class's affinities by the distance to the k-th neighbor within that class (Sugiyama
#           2007, section 3.3), and k is an option; a class smaller than that takes what it has. Which class is
#           called 0 and which 2 means nothing: fit sorts labels only to go through them.
# Happens:  a class of 3 images sets k to 2 for itself and for all classes after it, in the order of their labels:
#           the smaller the number of the small class, the more classes are fitted with its k. In few-shot
#           learning with classes of unequal size the metric, and the neighbors it gives, depend on names.
# Why:      metric_learn/lfda.py, LFDA.fit: `k = min(k, nc - 1)` inside the loop over the classes writes to the k
#           that the next classes read.
# Versions: metric-learn 0.7.0, scikit-learn 1.7.2 (not 1.8), NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     off from the metric with k = 2, 7, 7, by the number of the class of 3: number 2 .00, number 1 .09 and .88,
#           number 0 .89, where it is the one with k = 2, 2, 2; with LFDA(k=2) .00 for all
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    metric-learn==0.7.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.7.2
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
from itertools import permutations
import numpy as np
import scipy.linalg
from metric_learn import LFDA
from scipy.spatial.distance import cdist

draw = np.random.default_rng(0)
SIZES, WIDTH, KEPT = (3, 20, 20), 10, 4
truth = np.repeat([0, 1, 2], SIZES)
images = draw.normal(size=(3, WIDTH))[truth] + draw.exponential(size=(43, WIDTH)) ** 2 / 2
asked = np.repeat([1, 2], 300)

def by_hand(k_of):
    """The metric in KEPT dimensions, k_of[c] neighbors for class c, by two sums over pairs."""
    n, within, between = len(truth), np.zeros((len(truth),) * 2), np.full((len(truth),) * 2, 1 / len(truth))
    for c, size in enumerate(SIZES):
        mine = np.flatnonzero(truth == c)
        far = cdist(images[mine], images[mine])
        scale = np.sqrt(np.partition(far ** 2, k_of[c], axis=0)[:, k_of[c]])    # as it takes it: see by_row_order
        scale = np.outer(scale, scale)
        near = np.exp(-far ** 2 / np.where(scale > 0, scale, 1)) * (scale > 0)
        within[np.ix_(mine, mine)] = near / size
        between[np.ix_(mine, mine)] = near * (1 / n - 1 / size)
    scatter = [images.T @ (np.diag(w.sum(0)) - w) @ images for w in (within, between)]
    values, vectors = scipy.linalg.eigh(scatter[1], scatter[0])
    return metric(vectors[:, -KEPT:].T)

def metric(components):
    found = components.T @ components
    return found / np.trace(found)

def apart(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)

def fit(names, k):
    return LFDA(k=k, n_components=KEPT, embedding_type="plain").fit(images, np.array(names)[truth])

for k in (7, 2):
    found = {names: metric(fit(names, k).components_) for names in permutations((0, 1, 2))}
    right = by_hand([min(k, size - 1) for size in SIZES])
    off = {names: round(float(apart(m, right)), 3) for names, m in found.items()}
    print(f"k = {k}; off from the one by hand, by the names of the classes of 3, 20, 20: {off}")
    if k == 2:
        assert max(off.values()) < 0.001                     # no class is too small for it
    else:
        assert all((off[names] < 0.001) == (names[0] == 2) for names in off)
        assert min(value for names, value in off.items() if names[0] < 2) > 0.05
        assert apart(found[0, 1, 2], by_hand([2, 2, 2])) < 0.001             # the small class's k for all
PY
