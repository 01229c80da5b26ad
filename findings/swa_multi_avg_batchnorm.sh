#!/usr/bin/env bash
# torch: averaging weights with get_swa_multi_avg_fn and use_buffers=True fails for every BatchNorm network.
#
# Guess:    AveragedModel(use_buffers=True) exists for BatchNorm's running statistics, and
#           get_swa_multi_avg_fn is the faster form of the default average.
# Happens:  the second update raises "RuntimeError: Integer division with addcdiv is no longer supported":
#           BatchNorm also counts its batches, in whole numbers. By the default (on a CPU) and by
#           get_swa_avg_fn nothing is raised, but the count stays at 1 for good, since 1 + (2 - 1) / 2 is cut
#           to 1; layers with momentum=None, which weigh by that count, then restart their averages.
# Why:      torch/optim/swa_utils.py, get_swa_multi_avg_fn: a branch for tensors that are not floating does
#           exist, and calls _foreach_addcdiv_, which refuses whole numbers. (By the source the default takes
#           this function on devices with foreach kernels, so on GPUs; not run here.) Not documented.
# Versions: torch 2.13.0, CPU build, Python 3.11; run on 2026-11-30.
# Seen:     counts after 6 batches: without use_buffers 6, default 1, get_swa_avg_fn 1;
#           get_swa_multi_avg_fn: RuntimeError at the second update, with LayerNorm in place of BatchNorm none
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.3.5
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_swa_avg_fn, get_swa_multi_avg_fn

def average(norm, **options):
    """The averaged network after 6 batches, or the update that failed and why."""
    network = nn.Sequential(nn.Linear(3, 4), norm(4))
    averaged = AveragedModel(network, **options)
    for update in range(1, 7):
        network(torch.randn(8, 3))
        try:
            averaged.update_parameters(network)
        except RuntimeError as error:
            return update, str(error)[:29]
    return averaged.module[1]

counts = [
    average(nn.BatchNorm1d, **options).num_batches_tracked.item()
    for options in ({}, {"use_buffers": True}, {"use_buffers": True, "avg_fn": get_swa_avg_fn()})
]
multi = {"use_buffers": True, "multi_avg_fn": get_swa_multi_avg_fn()}
failed, fine = average(nn.BatchNorm1d, **multi), average(nn.LayerNorm, **multi)
print("counts:", counts, "multi:", failed, fine)
assert counts == [6, 1, 1] and failed == (2, "Integer division with addcdiv")
assert isinstance(fine, nn.LayerNorm)
PY
