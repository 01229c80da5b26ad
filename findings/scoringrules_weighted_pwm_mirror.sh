#!/usr/bin/env bash
# scoringrules: the CRPS of a weighted ensemble, estimated by "pwm", is another one in the mirror.
#
# Guess:    with probability weighted moments the CRPS of an ensemble is the fair one, computed in another way,
#           equal to estimator="fair" up to rounding; without weights it is. Weights ens_w change nothing in
#           that, and a forecast and an observation with all signs turned have the score that they had.
# Happens:  with weights that are not all equal, "pwm" and "fair" part, and the mirror image has another score: of
#           two forecasts, the better one is often the worse in the mirror. Two members at 0 and 1 with weights
#           of .9 and .1 have the score -.4 for an observation of .5, and mirrored .4; right is 0. With numba
#           as with NumPy.
# Why:      scoringrules/core/crps/_approx_w.py, _crps_ensemble_pwm_w (and _gufuncs_w.py): beta_1, the sum of
#           x w (weights below x), is divided by 1 - sum of w^2, so that no member is paired with itself; beta_0,
#           the sum of x w, is not, and should be the sum of x w (1 - w), divided by the same. Only equal
#           weights make it the same.
# Versions: scoringrules 0.10.0, numba 0.68.1, NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     five members, mean fair score .568: pwm is off by .094 on average, the mirror image by .187, and .197
#           of the pairs of forecasts change their order in the mirror; with equal weights .000 and .000
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    scoringrules==0.10.0 numba==0.68.1 numpy==2.4.6 scipy==1.17.1
env/bin/python -W ignore - <<'PY'
import numpy as np
import scoringrules as sr

draw = np.random.default_rng(0)

def crps(y, x, w, estimator, backend):
    return sr.crps_ensemble(y, x, ens_w=w, estimator=estimator, backend=backend)

def by_hand(y, x, w):
    """E|X - y| - E|X - X'| / 2 with X and X' two members that are not the same one."""
    pairs = w[:, :, None] * w[:, None, :] * (1 - np.eye(x.shape[1]))
    apart = np.abs(x[:, :, None] - x[:, None, :])
    return (w * np.abs(x - y[:, None])).sum(1) - (pairs * apart).sum((1, 2)) / pairs.sum((1, 2)) / 2

x, y = draw.normal(size=(2000, 5)), draw.normal(size=2000)
equal, w = np.full((2000, 5), 0.2), draw.dirichlet(np.ones(5), 2000)
for backend in ("numpy", "numba"):
    for name, weights in (("equal weights", equal), ("weights", w)):
        fair, pwm = (crps(y, x, weights, estimator, backend) for estimator in ("fair", "pwm"))
        mirror = crps(-y, -x, weights, "pwm", backend)
        assert np.allclose(fair, by_hand(y, x, weights))
        assert np.allclose(fair, crps(-y, -x, weights, "fair", backend))
        off, turned = np.abs(pwm - fair).mean(), np.abs(mirror - pwm).mean()
        print(f"{backend}, {name}: mean score {fair.mean():.3f}; pwm off by {off:.3f}, the mirror by {turned:.3f}")
        if name == "weights":
            assert off > 0.05 and turned > 0.1
            # which of two forecasts is better, by the score and by the score in the mirror
            swapped = ((pwm[:1000] < pwm[1000:]) != (mirror[:1000] < mirror[1000:])).mean()
            print(f"    the better of two forecasts is the worse in the mirror: {swapped:.3f} of the pairs")
            assert swapped > 0.04
        else:
            assert off < 1e-12 and turned < 1e-12
    two = [crps(np.array([sign * 0.5]), sign * np.array([[0.0, 1.0]]), np.array([[0.9, 0.1]]), "pwm", backend)[0]
           for sign in (1, -1)]
    print(f"    members 0 and 1 with .9 and .1, observed .5: {two[0]:.2f}, all signs turned: {two[1]:.2f}, right 0.00")
    assert np.allclose(two, [-0.4, 0.4])
PY
