#!/usr/bin/env bash
# POT: a transport fitted a second time to the same data pairs each class with the other one.
#
# Guess:    fit builds the coupling from the data it is given and from options that it leaves alone, as in
#           scikit-learn; with the same data the second fit is the first. With labels of both domains, "source
#           and target samples of different classes" are kept apart by a cost of limit_max (10) times the largest.
# Happens:  each fit multiplies the option limit_max by the largest distance. With distances below .1
#           (features of a small scale) it is nothing by the second fit, and the labels are ignored: here
#           EMDTransport() sends 90 %, then 100 % of its mass to the other class. Distances above 1 make it grow
#           without end. sklearn's clone takes the spoiled option along.
# Why:      ot/da.py, BaseTransport.fit: `self.limit_max = self.limit_max * nx.max(self.cost_)`, onto the option.
# Versions: POT 0.9.7.post1, NumPy 2.4.6, scikit-learn 1.9.1, Python 3.11; run on 2026-11-30.
# Seen:     mass to the other class after 1, 2, 3 fits, distances up to .015: EMDTransport .00 .90 1.00, Sinkhorn
#           .00 .86 .97, SinkhornLpl1 .00 1.00 1.00, UnbalancedSinkhorn .00 .91 .97; limit_max 10, .15, .0021,
#           3e-05. Distances up to 130: .00 each time, limit_max 4e+11 after 5 fits
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    POT==0.9.7.post1 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import numpy as np
import ot
from sklearn.base import clone

draw = np.random.default_rng(0)
labels = np.repeat([0, 1], 20)

def domains(scale):
    """Two classes; in the target they have changed places, so that only labels tell which is which."""
    def clouds(*centers):
        return scale * np.concatenate([draw.normal(center, 0.1, (20, 2)) for center in centers])
    return clouds(0, 0.5), clouds(0.5, 0)

def astray(transport):
    """The share of mass that goes from one class to the other."""
    return transport.coupling_[labels[:, None] != labels[None, :]].sum() / transport.coupling_.sum()

def repeat(make, scale, fits=3):
    source, target = domains(scale)
    transport, shares, limits = make(), [], [make().limit_max]
    for _ in range(fits):
        transport.fit(Xs=source, ys=labels, Xt=target, yt=labels)
        shares.append(round(float(astray(transport)), 2))
        limits.append(float(transport.limit_max))
    print(type(transport).__name__, "scale", scale, "to the other class:", shares,
          "limit_max:", [f"{value:.2g}" for value in limits])
    fresh = make().fit(Xs=source, ys=labels, Xt=target, yt=labels)
    assert astray(fresh) < 0.01                              # a new object is right
    assert clone(transport).limit_max == transport.limit_max != make().limit_max
    assert np.isclose(limits[2] / limits[1], limits[1] / limits[0])
    return shares, limits

for make in (ot.da.EMDTransport, lambda: ot.da.SinkhornTransport(reg_e=1e-3, limit_max=10),
             lambda: ot.da.SinkhornLpl1Transport(reg_e=1e-3, limit_max=10),
             lambda: ot.da.UnbalancedSinkhornTransport(reg_e=1e-3, limit_max=10)):
    shares, limits = repeat(make, 0.1)
    assert shares[0] < 0.01 and shares[1] > 0.8 and shares[2] > 0.95 and limits[2] < 0.01
shares, limits = repeat(ot.da.EMDTransport, 10, fits=5)
assert max(shares) < 0.01 and limits[-1] > 1e10
PY
