#!/usr/bin/env bash
# F.normalize and F.cosine_similarity divide zero by zero in float16: their eps is zero there.
#
# Guess:    both document eps as a "small value to avoid division by zero"; a feature vector that
#           ReLU set to zero gives zeros, in every number format that is accepted.
# Happens:  so it is in float32 and bfloat16. In float16 the defaults 1e-12 and 1e-8 lie below the
#           smallest number of the format (6e-8), the clamp is one against 0, and the result is NaN;
#           one dead row makes the whole batch's gradient NaN. F.layer_norm and F.rms_norm with the
#           same eps of 1e-12 return zeros, since they compute in float32 inside.
# Why:      torch/nn/functional.py, normalize: clamp_min(eps) works in the input's type;
#           aten/src/ATen/native/Distance.cpp, cosine_similarity: the same clamp.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     float32 0 0; bfloat16 0 0; float16 nan nan; float16 with eps=1e-7: 0 0; layer, rms norm: 0 0
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
from math import isnan
import torch
from torch.nn import functional as F

def both(dtype, **eps):
    features = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=dtype)   # the first row is dead
    unit = F.normalize(features, **eps)
    cosine = F.cosine_similarity(features, features.flip(0), **eps)
    print(dtype, eps, unit.tolist(), cosine.tolist())
    return unit[0, 0].item(), cosine[0].item()

assert both(torch.float32) == both(torch.bfloat16) == (0, 0)
assert all(isnan(value) for value in both(torch.float16))
assert both(torch.float16, eps=1e-7) == (0, 0)

scale = torch.ones(1, dtype=torch.float16, requires_grad=True)       # shared by all rows
F.normalize(scale * torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float16)).sum().backward()
assert scale.grad.isnan()

zero = torch.zeros(1, 2, dtype=torch.float16)
assert F.layer_norm(zero, (2,), eps=1e-12).eq(0).all() and F.rms_norm(zero, (2,), eps=1e-12).eq(0).all()
PY
