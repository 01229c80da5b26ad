#!/usr/bin/env bash
# uncertainty-calibration: its 90 % interval of the calibration error is one of 99.9 %.
#
# Guess:    get_calibration_error_uncertainties(probs, labels, alpha=0.1), alpha as by default, returns "1-alpha
#           confidence intervals produced by bootstrap resampling": 90 %, cut off at the 5th and 95th percentile.
# Happens:  alpha is taken in percent: it is cut at the .05th and 99.95th percentile. Of the 100 resamplings
#           that it draws these are next to the smallest and the largest. The interval is wider by 60 % than
#           asked for, so that a difference between two models passes for noise. alpha=10 gives the 90 %.
# Why:      calibration/utils.py, bootstrap_uncertainty: np.percentile(estimates, 100 - alpha / 2), with
#           alpha=10.0 by default; get_calibration_error_uncertainties hands its alpha=0.1 on as it is.
# Versions: uncertainty-calibration 0.1.4, NumPy 2.4.6, scikit-learn 1.9.1, Python 3.11; run on 2026-11-29.
# Seen:     alpha .1: .022 to .099, by hand .036 to .083; alpha 10: .036 to .083
#           width .076 instead of .047; largest minus smallest of 100 resamplings .077
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    uncertainty-calibration==0.1.4 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python - <<'PY'
import calibration
import numpy as np

draw = np.random.default_rng(0)
score = draw.uniform(0.5, 1, 500)
hit = (draw.uniform(size=500) < 0.5 + 0.8 * (score - 0.5)).astype(int)

def ask(alpha):
    np.random.seed(0)
    found = calibration.get_calibration_error_uncertainties(score, hit, p=1, alpha=alpha)
    print("alpha %5g: %.3f to %.3f" % (alpha, found[0], found[2]))
    return np.array([found[0], found[2]])

def by_hand(alpha):
    """The same resamplings, cut at alpha / 2 on either side."""
    np.random.seed(0)
    def error(rows):
        return calibration.get_calibration_error(score[rows], hit[rows], p=1, debias=False)
    drawn = [error(np.random.choice(500, 500)) for _ in range(100)]
    return 2 * error(np.arange(500)) - np.quantile(drawn, [1 - alpha / 2, alpha / 2]), drawn

found, percent = ask(0.1), ask(10)
expected, drawn = by_hand(0.1)
print("by hand  0.1: %.3f to %.3f" % tuple(expected))
assert np.allclose(percent, expected) and np.allclose(found, by_hand(0.001)[0])
width, right = np.ptp(found), np.ptp(expected)
print("width %.3f instead of %.3f; largest minus smallest resampling %.3f" % (width, right, np.ptp(drawn)))
assert width > 1.3 * right and width > 0.97 * np.ptp(drawn)
PY
