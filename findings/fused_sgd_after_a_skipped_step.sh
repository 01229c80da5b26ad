#!/usr/bin/env bash
# torch: if mixed precision skips the first step, SGD(momentum=..., fused=True) goes on from stray memory.
#
# Guess:    fused=True is the same optimizer, faster. A step that GradScaler skips, because gradients have
#           overflowed, leaves no trace; the first ones usually do, that is how a scale is found.
# Happens:  the first step makes momentum buffers by empty_like, for the kernel to fill. The kernel sees the
#           overflow and rightly does nothing, but the buffers stay, with whatever lay in memory. The second
#           step is no first step any more and takes .9 of that as momentum: weights jump to 1e10 or NaN, or,
#           by luck, all is well. Without fused, and with fused Adam, AdamW, Adagrad, all is well.
# Why:      torch/optim/sgd.py, _fused_sgd: `momentum_buffer_list[i] = torch.empty_like(g)` before the
#           kernel, and SGD.step stores the buffers whether the kernel wrote to them or not.
# Versions: torch 2.13.0, CPU build, Python 3.11; run on 2026-11-30.
# Seen:     after one skipped step: plain SGD has no buffer, fused has one; after the next step of .1 the
#           weight 1.0 is 0.9 with plain SGD, and with fused something else in 197 of 200 tries, as far as inf
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.3.5
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch

def train(fused, size):
    """Weights of 1 after a step that overflows and one with gradient 1; has the first left a buffer?"""
    weight = torch.nn.Parameter(torch.ones(size))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    kept = []
    for gradient in (float("inf"), 1.0):
        optimizer.zero_grad()
        scaler.scale((weight * gradient).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        kept.append(optimizer.state[weight].get("momentum_buffer") is not None)
    return weight.detach(), kept[0]

right = torch.tensor(0.9)
sizes = [3 + 40 * i for i in range(200)]
plain, fused = ([train(kind, size) for size in sizes] for kind in (False, True))
wrong = [w for w, _ in fused if not torch.isclose(w, right).all()]
largest = max((w.abs().max().item() for w in wrong), default=0.9)
print(f"wrong weights: plain 0, fused {len(wrong)} of {len(sizes)}, as far as {largest:.2g}")
assert all(torch.isclose(w, right).all() and not kept for w, kept in plain)
assert all(kept for _, kept in fused) and wrong
PY
