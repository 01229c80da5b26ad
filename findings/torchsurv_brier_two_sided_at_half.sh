#!/usr/bin/env bash
# torchsurv: a Brier score twice as high as the null value differs from it with p = 1, if it is below .5.
#
# Guess:    BrierScore.p_value(method="parametric", null_value=b) tests whether the score equals b; "two_sided" is
#           twice the smaller of the two one-sided values, so that p < .05 just where the 95 % confidence interval,
#           from the same standard error, leaves b out. On a null that holds it is below .05 in 5 % of samples.
# Happens:  only that side counts on which the score is from .5, whatever b is. As good scores are below .25, p is 1
#           for every score above b, however far, while alternative="greater" says 0 and the interval excludes b. The
#           same above .5 for a score that is far below b. The test rejects a true null half as often as it should.
# Why:      torchsurv/metrics/brier_score.py, BrierScore._p_value_parametric: mask = self.brier_score >= 0.5, where
#           null_value belongs (it is subtracted a few lines above), and then the product is cut at 1.
# Versions: torchsurv 0.2.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-30.
# Seen:     score .292, interval .283 to .301: null .15 p = 1 (twice the smaller side 0), .25 1 (0), .33 0 (0); score
#           .599, null .9: 1; of 2000 samples of a true null .29 p < .05 in 2.3 % (by the smaller side 4.7 %), p = 1
#           in 49 %
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torchsurv==0.2.0 torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch
from torchsurv.metrics.brier_score import BrierScore

torch.manual_seed(0)
AT = torch.tensor([5.0])

def measured(count, alive):
    """The score at day 5 of a model that gives everyone the chance `alive` of being so; half of them are."""
    time = 10 * torch.rand(count)
    brier = BrierScore()
    brier(torch.full((count, 1), alive), torch.ones(count, dtype=torch.bool), time, new_time=AT)
    return brier

def test(brier, null, alternative="two_sided"):
    return brier.p_value(method="parametric", alternative=alternative, null_value=null).item()

brier = measured(2000, 0.7)                              # in truth .5 * .49 + .5 * .09 = .29
low, high = brier.confidence_interval(method="parametric").flatten().tolist()
print(f"score {brier.brier_score.item():.3f}, interval {low:.3f} to {high:.3f}")
for null in (0.15, 0.25, 0.29, 0.33, 0.45):
    p, less, greater = test(brier, null), test(brier, null, "less"), test(brier, null, "greater")
    print(f"null {null}: two-sided p {p:.3g}, twice the smaller side {2 * min(less, greater):.3g}")
    outside = not low <= null <= high
    assert outside == (2 * min(less, greater) < 0.05)
    assert p == 1 if null < brier.brier_score.item() else abs(p - 2 * less) < 1e-6
assert test(brier, 0.15) == 1 and test(brier, 0.15, "greater") < 1e-6 and high > low > 0.25

worse = BrierScore()                                     # sure, and wrong in six cases of ten
time = 10 * torch.rand(2000)
alive = torch.where((time > 5) == (torch.rand(2000) < 0.4), 0.99, 0.01)
worse(alive[:, None], torch.ones(2000, dtype=torch.bool), time, new_time=AT)
print(f"score {worse.brier_score.item():.3f}, null .9: two-sided p {test(worse, 0.9):.3g}, less "
      f"{test(worse, 0.9, 'less'):.3g}")
assert worse.brier_score > 0.5 and test(worse, 0.9) == 1 and test(worse, 0.9, "less") < 1e-6

many = [measured(400, 0.7) for _ in range(2000)]
p = torch.tensor([test(brier, 0.29) for brier in many])
hoped = torch.tensor([2 * min(test(brier, 0.29, "less"), test(brier, 0.29, "greater")) for brier in many])
print(f"a true null: p < .05 in {(p < 0.05).float().mean():.1%} of 2000 samples, by the smaller side "
      f"{(hoped < 0.05).float().mean():.1%}; p is 1 in {(p == 1).float().mean():.0%}")
assert (p < 0.05).float().mean() < 0.035 < 0.04 < (hoped < 0.05).float().mean() < 0.06
assert (p == 1).float().mean() > 0.4
PY
