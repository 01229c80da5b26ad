#!/usr/bin/env bash
# skada: KLIEPReweight makes no step of the optimization it is named after; its weights can be worse than none.
#
# Guess:    KLIEP makes the weights w(x) = sum of alpha_l k(x, c_l) by maximizing the mean of log w over the target,
#           while the mean of w over the source stays 1 (Sugiyama et al., 2007). The start is improved step by step
#           until nothing changes any more (tol=1e-6, max_iter=1000). No weights at all, w = 1, have the mean 0.
# Happens:  alpha stays where the first step onto the constraint has put it, which looks at the source alone;
#           the target only lends its points as centers. The objective is below the maximum, and can be below 0.
#           Of two groups of 350 and 50 sources, where the target has 200 and 200, the rare one should weigh
#           7 times as much as the other: it gets 61 times. Cross-validation of gamma compares such starts.
# Why:      skada/_reweight.py, KLIEPReweightAdapter._weights_optimization: the step along the gradient has
#           the length EPS, which is np.finfo(float).eps = 2e-16 there, and not the paper's small epsilon.
# Versions: skada 0.6.0, scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     mean log weight on the target, maximum: gamma .3 .36 .41; gamma 1 -.11 .42; gamma 10 .29 .44
#           rare to common, right 7: found 10.1 60.8 13.4, at the maximum 6.7 6.9 7.0; way from the start 1e-14
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    skada==0.6.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import numpy as np
from skada import KLIEPReweightAdapter
from sklearn.metrics.pairwise import rbf_kernel

draw = np.random.default_rng(3)
source = np.concatenate([draw.normal(0, 0.3, 350), draw.normal(3, 0.3, 50)])[:, None]
target = np.concatenate([draw.normal(0, 0.3, 200), draw.normal(3, 0.3, 200)])[:, None]
both, domain = np.vstack([source, target]), np.repeat([1, -2], 400)         # a negative number: a target

def fit(gamma, **options):
    return KLIEPReweightAdapter(gamma=gamma, random_state=0, **options).fit(both, sample_domain=domain)

def maximum(on_target, on_source):
    """The best alpha >= 0 with on_source @ alpha = 1, by a fixed point that climbs (EM for a mixture)."""
    alpha = np.full(len(on_source), 1 / on_source.sum())
    for _ in range(20000):
        alpha *= (on_target / (on_target @ alpha)[:, None]).mean(axis=0) / on_source
    return alpha

for gamma in (0.3, 1.0, 10.0):
    adapter = fit(gamma)
    on_target, on_source = rbf_kernel(target, adapter.centers_, gamma), rbf_kernel(source, adapter.centers_, gamma)
    mean = on_source.mean(axis=0)
    best = maximum(on_target, mean)
    for name, alpha in (("found", adapter.alpha_), ("maximum", best)):
        weight = on_source @ alpha
        assert abs(weight.mean() - 1) < 1e-6 and (alpha >= 0).all()          # both keep the constraint
        objective, ratio = np.log(on_target @ alpha).mean(), weight[350:].mean() / weight[:350].mean()
        print(f"gamma {gamma}, {name}: mean log weight on the target {objective:.2f}, rare to common {ratio:.1f}")
        if name == "found":
            first, wrong = objective, ratio
    assert first < objective - 0.03 and objective > 0.4 and abs(ratio - 7) < 0.5 and wrong > 9
    # where it stands: the start of ones, moved onto the constraint by the source's kernels alone
    start = np.ones(len(mean))
    start = np.maximum(start + (1 - mean @ start) * mean / (mean @ mean), 0)
    start /= mean @ start
    moved = np.abs(adapter.alpha_ - start).max() / np.abs(best - start).max()
    print(f"    moved from the start by {moved:.0e} of the way")
    assert moved < 1e-6
    if gamma == 1.0:
        assert first < -0.05                                                 # no weights at all have 0
        with np.errstate(all="ignore"):
            assert np.allclose(fit(gamma, max_iter=1).alpha_, adapter.alpha_, rtol=1e-6, atol=1e-9)
PY
