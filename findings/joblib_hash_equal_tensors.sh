#!/usr/bin/env bash
# joblib.Memory never finds a result again for a torch tensor with the same content.
#
# Guess:    joblib.hash "identifies uniquely Python objects" by content; what holds for NumPy arrays
#           holds for every picklable object: equal bytes, equal hash, one evaluation.
# Happens:  two equal tensors hash differently, as do a network and its deep copy. A cached function
#           runs anew for each, and the cache grows by one entry a call, without any warning.
#           Reusing the very same tensor object does hit, so a quick check looks fine.
# Why:      joblib/hashing.py hashes the pickle. A tensor's storage pickles itself through
#           torch.save in the old format (torch/storage.py, TypedStorage.__reduce__), which names
#           each storage by its address (torch/serialization.py, _legacy_save).
# Versions: joblib 1.6.0, torch 2.13.0, NumPy 2.4.6, Python 3.11; run on 2026-11-28.
# Seen:     array: 1 call of 4; tensor: 4 calls of 4; same object: 1 call of 4; hashes of copies differ
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check joblib==1.6.0 torch==2.13.0 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import copy
import joblib, numpy, torch

calls = []

def total(values):
    calls.append(1)
    return float(values.sum())

cached = joblib.Memory("cache", verbose=0).cache(total)

def count(inputs):
    calls.clear()
    assert {cached(values) for values in inputs} == {6.0}
    return len(calls)

arrays = [numpy.arange(4.0) for _ in range(4)]
tensors = [torch.arange(4.0) for _ in range(4)]      # all alive: four addresses
one = torch.arange(4.0)
seen = count(arrays), count(tensors), count([one] * 4)
print("calls for arrays, tensors, one tensor:", seen)
assert seen == (1, 4, 1)

net = torch.nn.Linear(2, 2)
assert joblib.hash(net) == joblib.hash(net) != joblib.hash(copy.deepcopy(net))
assert joblib.hash(tensors[0].numpy()) == joblib.hash(tensors[1].numpy())
print("a network's copy hashes differently; .numpy() hashes alike")
PY
