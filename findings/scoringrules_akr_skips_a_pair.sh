#!/usr/bin/env bash
# scoringrules: with numba, the "akr" CRPS compares the first member with the last but one, and never with the last.
#
# Guess:    the approximate kernel representation takes the spread from M pairs, each member and the one before it, the
#           first with the last: a ring. To turn the ring, [x1, x2, x3] to [x3, x1, x2], changes nothing, and
#           backends, chosen for speed, agree.
# Happens:  with backend="numba" the pair of first and last is missing, in its place stands the first and the last
#           but one; of two members that is the first and itself. Turned ensembles score differently, and not as
#           with backend="numpy", which is right. With 2 members the mean score is too high by half the spread's term.
# Why:      scoringrules/core/crps/_gufuncs.py, _crps_ensemble_akr_gufunc: for member 0 it sets i = M - 1 and then
#           takes fct[i - 1], which is fct[M - 2]; fct[-1] would have been the last by itself.
# Versions: scoringrules 0.10.0, numba 0.68.1, NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     2, 3, 10 members: mean score with NumPy .563 .565 .560, with numba .847 .565 .560; a turn of the ring
#           moves a score by 0 with NumPy, with numba by 0 .243 .062 on average
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    scoringrules==0.10.0 numba==0.68.1 numpy==2.4.6 scipy==1.17.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import numpy as np
import scoringrules as sr

draw = np.random.default_rng(0)

def ring(y, x, before_first=-1):
    """The score with the member that stands before the first."""
    before = np.concatenate([x[:, before_first, None], x[:, :-1]], axis=1)
    return np.abs(x - y[:, None]).mean(axis=1) - np.abs(x - before).mean(axis=1) / 2

for members in (2, 3, 10):
    x, y = draw.normal(size=(20000, members)), draw.normal(size=20000)
    turned = np.roll(x, 1, axis=1)
    score = {backend: sr.crps_ensemble(y, x, estimator="akr", backend=backend) for backend in ("numpy", "numba")}
    other = {backend: sr.crps_ensemble(y, turned, estimator="akr", backend=backend) for backend in ("numpy", "numba")}
    print(f"{members} members: mean score", {name: round(float(s.mean()), 3) for name, s in score.items()},
          "a turn of the ring moves it by", {name: round(float(np.abs(other[name] - s).mean()), 3)
                                             for name, s in score.items()})
    assert np.allclose(score["numpy"], ring(y, x)) and np.allclose(other["numpy"], score["numpy"])
    assert np.allclose(score["numba"], ring(y, x, -2))
    assert not np.allclose(score["numba"], score["numpy"])
    if members == 2:
        assert score["numba"].mean() > score["numpy"].mean() + 0.2
    else:
        assert np.abs(other["numba"] - score["numba"]).mean() > 0.02
PY
