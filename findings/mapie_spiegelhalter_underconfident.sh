#!/usr/bin/env bash
# MAPIE's Spiegelhalter test gives an underconfident classifier p = 1.0, as if nothing could fit better.
#
# Guess:    spiegelhalter_p_value is small where the scores are not calibrated: of the statistic, "the closer to
#           zero, the better the scores are calibrated", and the p-value "represents the probability of
#           the observed statistic under the null hypothesis of perfect calibration". So z = -19 is as
#           damning as z = +30.
# Happens:  only overconfidence is found. Scores drawn towards one half, as by too high a temperature, label
#           smoothing, mixup or an averaged ensemble, make z negative and p 1.0; calibrated scores give p
#           spread evenly over 0 to 1. Sorting candidates by p picks the most underconfident one. MAPIE's own
#           Kolmogorov-Smirnov and Kuiper tests of the same scores say p = 0 on both sides.
# Why:      mapie/metrics/calibration.py, spiegelhalter_p_value: 1 - norm.cdf(z), the upper tail alone; nothing
#           says so. Even the docstring's example, z = -1.03, has p = .8486, where two sides are .30.
# Versions: mapie 1.6.0, scikit-learn 1.9.1, SciPy 1.17.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     overconfident z 30.10 p .0000; calibrated z -.45 p .6721; underconfident z -18.65 p 1.0000
#           two-sided .0000 .6558 .0000, by simulation .0000 .6580 .0000
#           Kolmogorov-Smirnov .0000 .9220 .0000, Kuiper .0000 .9789 .0000; the docstring's .8486, .30
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    mapie==1.6.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import numpy as np
from mapie.metrics import calibration
from scipy import stats
from scipy.special import expit

draw = np.random.default_rng(0)
logit = draw.normal(scale=2, size=5000)
label = (draw.uniform(size=5000) < expit(logit)).astype(int)       # expit(logit) is calibrated

def exact(label, score):
    """The two-sided p by its definition: labels drawn anew from the scores, the Brier score compared."""
    brier = lambda labels: np.mean((labels - score) ** 2, axis=-1)
    null = np.array([brier(draw.uniform(size=len(score)) < score) for _ in range(2000)])
    return np.mean(abs(null - null.mean()) >= abs(brier(label) - null.mean()))

for name, temperature in (("overconfident", 0.5), ("calibrated", 1.0), ("underconfident", 2.0)):
    score = expit(logit / temperature)
    z = calibration.spiegelhalter_statistic(label, score)
    p = calibration.spiegelhalter_p_value(label, score)
    two_sided, drawn = 2 * stats.norm.sf(abs(z)), exact(label, score)
    others = calibration.kolmogorov_smirnov_p_value(label, score), calibration.kuiper_p_value(label, score)
    print("%-14s z %6.2f p %.4f, two-sided %.4f, by simulation %.4f, Kolmogorov-Smirnov %.4f, Kuiper %.4f"
          % (name, z, p, two_sided, drawn, *others))
    assert abs(two_sided - drawn) < 0.05
    if name == "calibrated":
        assert min(p, two_sided, *others) > 0.01
    else:
        assert max(two_sided, *others) < 0.001 and round(p, 4) == (name == "underconfident")

label, score = np.array([1, 0, 1, 0, 1, 0]), np.array([0.8, 0.3, 0.5, 0.5, 0.7, 0.1])
z, p = calibration.spiegelhalter_statistic(label, score), calibration.spiegelhalter_p_value(label, score)
print("the docstring's example: z %.2f, p %.4f, two-sided %.2f" % (z, p, 2 * stats.norm.sf(abs(z))))
assert round(p, 4) == 0.8486 and z < -1
PY
