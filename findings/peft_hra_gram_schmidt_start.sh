#!/usr/bin/env bash
# PEFT's HRA with apply_GS=True starts from a random reflection that nobody drew: from rounding errors.
#
# Guess:    apply_GS: "Whether to apply Gram-Schmidt orthogonalization", an option of how the adapter is
#           trained. The default initialization makes a fresh adapter change nothing: its vectors come in
#           equal pairs, and reflecting twice is not reflecting. An odd r, where that fails, gets a warning.
# Happens:  with apply_GS=True the fresh adapter changes the layer's output by a tenth to all of it, at every
#           even r, without a word, and the first gradient is ten million times as large as without it, or
#           more: one step of SGD throws the adapter anywhere, and clipping leaves the direction of noise. In
#           small layers all is NaN at times. With init_weights=False, random vectors, gradients are ordinary.
# Why:      peft/tuners/hra/layer.py, get_delta_weight: Gram-Schmidt takes the second of an equal pair minus its
#           part along the first, which leaves rounding errors of 1e-8, and divides by their length.
#           reset_hra_parameters, which makes the pairs, does not look at apply_GS.
# Versions: peft 0.21.2, transformers 5.24.0, torch 2.13.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     64, r 8: moved .000, gradient .024; apply_GS moved .78 to 1.10, 4.2e6; random start .022
#           768, r 2: .000, .00024; apply_GS .087 to .150, 4.3e3; random start .00038
#           768, r 8: .000, .00047; apply_GS .231 to .325, 2.6e4; random start .00081
#           8, r 2, apply_GS: NaN in 4 of 20
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 peft==0.21.2 transformers==5.24.0
env/bin/python - <<'PY'
import copy
import warnings
import torch
from torch import nn
from peft import HRAConfig, get_peft_model

def fresh(dim, seed, **options):
    """How far a fresh adapter moves the output, and the largest entry of its first gradient."""
    torch.manual_seed(seed)
    net, x = nn.Sequential(nn.Linear(dim, dim, bias=False)), torch.randn(8, dim)
    before = net(x)
    model = get_peft_model(copy.deepcopy(net), HRAConfig(target_modules=["0"], **options))
    after = model(x)
    after.square().mean().backward()
    (gradient,) = [p.grad for p in model.parameters() if p.grad is not None]
    return ((after - before).norm() / before.norm()).item(), gradient.abs().max().item()

with warnings.catch_warnings():
    warnings.simplefilter("error")                               # nothing warns
    for dim, rank in ((64, 8), (768, 2), (768, 8)):
        largest = []
        for options in ({}, {"apply_GS": True}, {"apply_GS": True, "init_weights": False}):
            moved, gradients = zip(*(fresh(dim, seed, r=rank, **options) for seed in range(5)))
            largest.append(max(gradients))
            print(dim, "r", rank, options, "moved %.3f to %.3f, gradient up to %.2g"
                  % (min(moved), max(moved), largest[-1]))
            if not options:                                      # the promise of the default start
                assert max(moved) < 1e-5
            elif "init_weights" not in options:
                assert not max(moved) < 0.05                     # NaN would do as well
        assert not largest[1] < 1e5 * largest[0] and largest[2] < 10 * largest[0]
    starts = [fresh(8, seed, r=2, apply_GS=True)[0] for seed in range(20)]
    print("8 r 2, apply_GS: NaN in", sum(moved != moved for moved in starts), "of 20")
PY
