#!/usr/bin/env bash
# torch: CyclicLR.load_state_dict takes an entry out of the state it is given, so that it loads only once.
#
# Guess:    load_state_dict reads. A state kept of the best epoch can be loaded as often as one likes, for
#           each fold or each restart, and a checkpoint that was loaded can be saved again.
# Happens:  the second load of the same state raises KeyError: '_scale_fn_custom', and so does a run that
#           resumes from a checkpoint which was loaded and then written again. A SequentialLR or a
#           ChainedScheduler with a CyclicLR among its parts does the same. LambdaLR, MultiplicativeLR and
#           SequentialLR themselves, which also take an entry out, put it back.
# Why:      torch/optim/lr_scheduler.py, CyclicLR.load_state_dict: `fn = state_dict.pop("_scale_fn_custom")`.
#           The others restore "state_dict keys in order to prevent side effects". Not documented.
# Versions: torch 2.13.0, CPU build, Python 3.11; run on 2026-11-30.
# Seen:     LambdaLR, MultiplicativeLR, StepLR, OneCycleLR: loaded twice; CyclicLR and SequentialLR with it:
#           KeyError: '_scale_fn_custom'
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.3.5
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch
from torch.optim import lr_scheduler as schedulers

def cyclic(optimizer):
    return schedulers.CyclicLR(optimizer, base_lr=0.01, max_lr=0.1, step_size_up=4)

def sequential(optimizer):
    return schedulers.SequentialLR(
        optimizer, [schedulers.ConstantLR(optimizer), cyclic(optimizer)], milestones=[3]
    )

def loads(make):
    """What happens to one state that is loaded twice."""
    def new():
        return make(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9))

    state = new().state_dict()
    try:
        for _ in range(2):
            new().load_state_dict(state)
    except KeyError as error:
        return f"KeyError: {error}"
    return "twice"

fine = [
    loads(lambda o: schedulers.LambdaLR(o, lambda epoch: 0.9**epoch)),
    loads(lambda o: schedulers.MultiplicativeLR(o, lambda epoch: 0.9)),
    loads(lambda o: schedulers.StepLR(o, 3)),
    loads(lambda o: schedulers.OneCycleLR(o, 0.1, total_steps=9)),
]
odd = [loads(cyclic), loads(sequential)]
print(fine, odd)
assert fine == ["twice"] * 4 and odd == ["KeyError: '_scale_fn_custom'"] * 2
PY
