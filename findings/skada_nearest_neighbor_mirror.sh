#!/usr/bin/env bash
# skada: NearestNeighborReweight counts the source samples themselves as targets, by where they stand in X.
#
# Guess:    each target sample votes for its nearest source sample, and a source sample's weight is the number of its
#           votes (Loog, 2012). The order of the rows in X does not matter: sample_domain says which are which.
# Happens:  the rows that vote are those at the mirrored places: for a source sample in row 3, the fourth row
#           from the end. Where the first half is source and the second half target, as in a test, these
#           are the targets. With a hundred targets after five hundred samples of source, the voters are the
#           hundred and four hundred of the source, each for itself, and the weights are nearly even; with sources
#           and targets shuffled, so many voters are sources as chance will have it.
# Why:      skada/_reweight.py, NearestNeighborReweightAdapter.compute_weights: np.where has turned the mask source_idx
#           into row numbers before X[~source_idx] is taken; for a number ~3 is -4, not "the others".
# Versions: skada 0.6.0, scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     votes for 0 and 10: by definition 0 4, sources first 0 2, sources in the middle 1 1
#           weighted mean of the source, by definition: 500 sources, then 500 targets .93 .93, shuffled .54 .92;
#           500, then 100 targets .22 1.13, shuffled .23 1.20
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    skada==0.6.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import numpy as np
from skada import NearestNeighborReweightAdapter

def weights(x, domain):
    """The weights of the source samples."""
    adapter = NearestNeighborReweightAdapter(n_neighbors=1).fit(x, sample_domain=domain)
    return adapter.compute_weights(x, sample_domain=domain)[domain > 0]

def votes(x, voters, domain):
    """How many of the rows `voters` have each source sample as their nearest."""
    nearest = np.abs(x[voters] - x[domain > 0].T).argmin(axis=1)
    return np.bincount(nearest, minlength=(domain > 0).sum())

# Two samples of source at 0 and 10, four of target at 9: all four votes are for 10.
x = np.array([[0.0], [10.0], [9.0], [9.0], [9.0], [9.0]])
domain = np.array([1, 1, -2, -2, -2, -2])                                   # a negative number: a target
order = [2, 3, 0, 1, 4, 5]                                                  # the same samples, sources in the middle
small = weights(x, domain).tolist(), weights(x[order], domain[order]).tolist()
print("votes for 0 and 10: by definition [0, 4]; sources first", small[0], "in the middle", small[1])
assert small == ([0, 2], [1, 1]) and votes(x, domain < 0, domain).tolist() == [0, 4]

draw = np.random.default_rng(0)
def case(sources, targets, shuffled):
    x = np.vstack([draw.normal(0, 1, (sources, 1)), draw.normal(1, 1, (targets, 1))])
    domain = np.repeat([1, -2], [sources, targets])
    if shuffled:
        order = draw.permutation(sources + targets)
        x, domain = x[order], domain[order]
    found, right = weights(x, domain), votes(x, domain < 0, domain)
    mirrored = votes(x, -1 - np.flatnonzero(domain > 0), domain)
    assert np.array_equal(found, mirrored)                                   # the mirrored rows vote
    means = [float(np.average(x[domain > 0, 0], weights=w)) for w in (found, right)]
    print(f"{sources} sources, {targets} targets, {'shuffled' if shuffled else 'sources first'}: {found.sum():.0f} votes, "
          f"weighted mean of the source {means[0]:.2f}, by definition {means[1]:.2f}")
    return means

found, right = case(500, 500, shuffled=False)
assert found == right > 0.7                                                  # the only order that is right
for sources, targets, shuffled in ((500, 500, True), (500, 100, False), (500, 100, True)):
    found, right = case(sources, targets, shuffled)
    assert right > 0.7 and found < 0.75 * right
PY
