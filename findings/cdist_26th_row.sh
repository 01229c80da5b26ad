#!/usr/bin/env bash
# torch.cdist: two points' distance changes when a 26th point joins, and equal points are 1.0 apart.
#
# Guess:    cdist(x, x)[i, j] depends on x[i] and x[j] only, and is 0 on the diagonal; rounding is a
#           matter of the last digits.
# Happens:  up to 25 rows it subtracts; from 26 on it takes |a|^2 + |b|^2 - 2ab by a matrix product, in
#           float32. With features around 1000 (a sensor, pixels times a weight) distances
#           of 1 to 6 are off by more than 1, and the nearest class mean of some points is another.
#           Growing a few-shot task from 5 ways 5 shots by one image is enough. float64, centring, or
#           compute_mode="donot_use_mm_for_euclid_dist" are exact.
# Why:      aten/src/ATen/native/Distance.cpp, cdist_impl: mode 0 uses the product if either side has more
#           than 25 rows. The documentation names that mode as the default, and says nothing of its error.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     25 rows: diagonal 0.0, error 0.000; 26 rows: diagonal up to 1.0, error up to 1.18
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch

torch.manual_seed(0)
x = 1000 + torch.randn(26, 8)

def errors(found, points):
    exact = (points[:, None].double() - points[None].double()).norm(dim=-1)
    return round(found.diagonal().max().item(), 3), round((found - exact).abs().max().item(), 3)

few, more = errors(torch.cdist(x[:25], x[:25]), x[:25]), errors(torch.cdist(x, x), x)
print("25 rows: diagonal, error", *few, " 26 rows:", *more)
assert few == (0, 0) and more[0] >= 0.5 and more[1] > 1
exact = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
assert errors(exact, x) == errors(torch.cdist(x.double(), x.double()), x) == (0, 0)
centred = x - x.mean(dim=0)
assert errors(torch.cdist(centred, centred), centred)[1] < 0.01

means = x[:5]
alone = torch.cdist(x[5:25], means).argmin(dim=1)      # 20 queries: exact
batch = torch.cdist(x, means).argmin(dim=1)[5:25]      # the same 20 among 26
print("another nearest mean:", (alone != batch).sum().item(), "of 20")
assert (alone != batch).any()
PY
