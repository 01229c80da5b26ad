#!/usr/bin/env bash
# torch: the divergence of a ContinuousBernoulli and the uniform distribution on [0, 1] is infinite.
#
# Guess:    both live on [0, 1], so that the divergence is finite in either direction: .029 for a parameter of .3.
#           Uniform(0, 1) is the ContinuousBernoulli of .5, and of this one torch does say .029; a Beta, which
#           lives there too, is compared with Uniform(0, 1) rightly.
# Happens:  kl_divergence is inf, in both directions, and a loss with that term is lost. With Uniform(-.01, 1.01)
#           it is finite and right; and U(0, .9), which lies inside, is infinitely far from a
#           ContinuousBernoulli, while U(.1, .9) is not.
# Why:      torch/distributions/kl.py, _kl_continuous_bernoulli_uniform and _kl_uniform_continuous_bernoulli, make it
#           infinite where q.low >= 0 or q.high <= 1 (p.high >= 1 or p.low <= 0): with equality, which the
#           functions for Beta beside them leave out.
# Versions: torch 2.13.0, CPU build, Python 3.11; run on 2026-11-30.
# Seen:     KL(CB(.3), U(0, 1)) inf, by sampling .029; KL(U(0, 1), CB(.3)) inf, by sampling .029; KL(CB(.3), CB(.5))
#           .029; KL(Beta(2, 3), U(0, 1)) .235, by sampling .235
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.3.5
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import math
import torch
from torch.distributions import Beta, ContinuousBernoulli, Uniform, kl_divergence

torch.manual_seed(0)
unit, bernoulli, beta = Uniform(0.0, 1.0), ContinuousBernoulli(0.3), Beta(2.0, 3.0)

def both(p, q):
    """By torch, and as the mean of log p - log q over 200,000 draws."""
    draws = p.sample((200_000,))
    sampled = (p.log_prob(draws) - q.log_prob(draws)).mean().item()
    return kl_divergence(p, q).item(), sampled

half = ContinuousBernoulli(torch.tensor(0.5))
wide, left, inner = Uniform(-0.01, 1.01), Uniform(0.0, 0.9), Uniform(0.1, 0.9)
odd = [both(bernoulli, unit), both(unit, bernoulli), both(left, bernoulli)]
fine = [both(bernoulli, half), both(bernoulli, wide), both(inner, bernoulli), both(beta, unit)]
print("odd:", [(a, round(b, 3)) for a, b in odd], "fine:", [(round(a, 3), round(b, 3)) for a, b in fine])
assert all(math.isinf(a) and 0 < b < 0.2 for a, b in odd)
assert all(abs(a - b) < 0.01 for a, b in fine)
PY
