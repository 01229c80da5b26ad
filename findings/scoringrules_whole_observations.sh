#!/usr/bin/env bash
# scoringrules: observations that are whole numbers get whole scores: .45 becomes 0, and so may the mean.
#
# Guess:    counts (cases, goals, votes) are observed as whole numbers. [1, 2, 3] and [1., 2., 3.] are the same
#           observations and get the same scores, as crps_ensemble and the NumPy backend have it.
# Happens:  with backend="numba", 9 of 10 scores come out as integers, cut off towards 0: whatever is below 1
#           is 0, a perfect score. crps_quantile and weighted_interval_score do so by themselves where numba
#           is installed. es_ensemble fails instead ("Cannot cast ufunc output"). Nothing is said.
# Why:      scoringrules/core/utils.py, lazy_gufunc_wrapper_uv and _mv: the array for the answers is
#           np.empty_like(args[0]), of the observations' dtype, and numba stores floats in it by truncation.
# Versions: scoringrules 0.10.0, numba 0.68.1, NumPy 2.4.6, Python 3.11; run on 2026-11-30.
# Seen:     owcrps_ensemble 0 0 0 1 in place of .89 .80 .55 1.71, crps_quantile 0 1 0 1 of .80 1.87 .40 1.00,
#           gksuv_ensemble 0 0 0 0 of .20 .25 .21 .68, vs_ensemble 0 4 0 0 of 1.68 6.99 .19 1.49 (cut off at
#           each addition), weighted_interval_score 0 0 0 0 of .9 .5 .5 .5; crps_ensemble is right
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    scoringrules==0.10.0 numba==0.68.1 numpy==2.4.6 scipy==1.17.1
env/bin/python -W ignore - <<'PY'
import numpy as np
import scoringrules as sr

draw = np.random.default_rng(0)
members = draw.poisson(3, (4, 7)).astype(float)
observed = np.array([1, 2, 3, 5])
levels = np.array([0.1, 0.5, 0.9])
bounds = {"lower": np.tile([1.0, 2.0], (4, 1)), "upper": np.tile([6.0, 5.0], (4, 1)), "alpha": np.array([0.1, 0.5])}
many, seen = draw.poisson(3, (4, 7, 3)).astype(float), draw.poisson(3, (4, 3))

SCORES = {
    "crps_ensemble": lambda y, **b: sr.crps_ensemble(y(observed), members, **b),
    "crps_quantile": lambda y, **b: sr.crps_quantile(y(observed), np.sort(members[:, :3]), levels, **b),
    "owcrps_ensemble": lambda y, **b: sr.owcrps_ensemble(y(observed), members, a=1, b=9, **b),
    "vrcrps_ensemble": lambda y, **b: sr.vrcrps_ensemble(y(observed), members, a=1, b=9, **b),
    "gksuv_ensemble": lambda y, **b: sr.gksuv_ensemble(y(observed), members, **b),
    "dssuv_ensemble": lambda y, **b: sr.dssuv_ensemble(y(observed), members, **b),
    "error_spread_score": lambda y, **b: sr.error_spread_score(y(observed), members, **b),
    "vs_ensemble": lambda y, **b: sr.vs_ensemble(y(seen), many, **b),
    "dssmv_ensemble": lambda y, **b: sr.dssmv_ensemble(y(seen), many, **b),
    # np.float64 makes floats of the median too, so that only the observations differ
    "weighted_interval_score": lambda y, **b: sr.weighted_interval_score(y(observed), observed + 0.5, **bounds, **b),
}
cut = []
for name, score in SCORES.items():
    whole, real = score(np.asarray, backend="numba"), score(np.float64, backend="numba")
    print(f"{name}: whole {np.round(whole, 2)}, real {np.round(real, 2)}")
    if name != "weighted_interval_score":                                    # it is wrong in another way there
        assert np.allclose(score(np.asarray, backend="numpy"), score(np.float64, backend="numpy"))
    if np.asarray(whole).dtype.kind == "i":
        assert (whole == np.trunc(real)).all() or name == "vs_ensemble"      # that one at each addition
        assert (whole <= real).all() and (whole < real - 0.1).any()
        cut.append(name)
default = [name for name in cut if np.asarray(SCORES[name](np.asarray)).dtype.kind == "i"]
print("cut off without naming a backend:", default)
print(len(cut), "of", len(SCORES), "cut off")
assert len(cut) == 9 and "crps_ensemble" not in cut and default == ["crps_quantile", "weighted_interval_score"]
try:
    sr.es_ensemble(seen, many, backend="numba")
    raise SystemExit("es_ensemble takes whole numbers")
except TypeError as error:
    print(error)
PY
