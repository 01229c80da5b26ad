#!/usr/bin/env bash
# skada: DiscriminatorReweight gives the most weight to the source samples that look least like the target.
#
# Guess:    a classifier learns to tell target from source, and each source sample gets the ratio of the two
#           probabilities as its weight, target over source, so that the weighted source stands in for the target.
#           For two bell curves of width 1 around 0 and 1 the weight is exp(x - 1/2), and logistic regression
#           can learn exactly that.
# Happens:  the weights are those of exp(1/2 - x), source over target. The weighted source has the mean -1.1,
#           on the other side of 0 than the target's 1. A line fitted to sin(x) with these weights is off by
#           more than twice as much on the target as one fitted without any. GaussianReweight, of the
#           same package, is right.
# Why:      skada/_reweight.py, DiscriminatorReweightAdapter: fit labels the source 0 and the target 1;
#           compute_weights takes column 1 of predict_proba, the target's probability p, and returns (1 - p) / p.
# Versions: skada 0.6.0, scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     log weight per unit of x: by definition 1, discriminator -1.03, Gaussian 1.03; weighted mean of the
#           source: .93, -1.12, .96; squared error on the target: without weights .260, by definition .177,
#           discriminator .572, Gaussian .175
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    skada==0.6.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import numpy as np
from skada import DiscriminatorReweight, DiscriminatorReweightAdapter, GaussianReweight, GaussianReweightAdapter
from sklearn.linear_model import LinearRegression

draw, count = np.random.default_rng(0), 2000
source, target = draw.normal(0, 1, (count, 1)), draw.normal(1, 1, (count, 1))
both, domain = np.vstack([source, target]), np.repeat([1, -2], count)       # a negative number: a target

def learned(adapter):
    """The weights of the source samples: the slope of their logarithm, and the weighted mean of x."""
    weights = adapter.fit(both, sample_domain=domain).compute_weights(both, sample_domain=domain)
    x = both[domain > 0, 0]
    slope, mean = np.polyfit(x, np.log(weights[domain > 0]), 1)[0], np.average(x, weights=weights[domain > 0])
    print(f"{type(adapter).__name__}: log weight rises by {slope:.2f} per unit, weighted mean {mean:.2f}")
    return slope, mean

print(f"by definition: 1.00 per unit, mean {np.average(source[:, 0], weights=np.exp(source[:, 0])):.2f}")
slope, mean = learned(DiscriminatorReweightAdapter())
assert abs(slope + 1) < 0.15 and mean < -0.7                    # by definition 1, and the target's mean 1
slope, mean = learned(GaussianReweightAdapter())
assert abs(slope - 1) < 0.15 and mean > 0.7

def error(model=None, weights=None):
    """A line fitted to sin(x) on the source: its squared error on the target."""
    y = np.sin(both[:, 0])
    if model is None:
        line = LinearRegression().fit(source, y[:count], sample_weight=weights)
        guess = line.predict(target)
    else:
        hidden = np.where(domain > 0, y, np.nan)                # the labels of the target are not given
        model.fit(both, hidden, sample_domain=domain)
        guess = model.predict(target, sample_domain=domain[count:])
    return float(np.mean((guess - y[count:]) ** 2))

def line():
    return LinearRegression().set_fit_request(sample_weight=True)
found = {"none": error(), "by definition": error(weights=np.exp(source[:, 0])),
         "discriminator": error(DiscriminatorReweight(line())), "Gaussian": error(GaussianReweight(line()))}
print("error on the target by weights:", {name: round(value, 3) for name, value in found.items()})
assert found["by definition"] < found["none"] and found["Gaussian"] < found["none"]
assert found["discriminator"] > 1.5 * found["none"]
PY
