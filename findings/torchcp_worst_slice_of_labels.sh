#!/usr/bin/env bash
# torchcp: the worst slice, where prediction sets fail most, is sought by the class numbers, not by the failures.
#
# Guess:    WSC (Cauchois et al., 2021; Romano et al., 2020) looks, on a part of the data, for the slab between two
#           parallel planes, with a tenth of the points at least, that the sets cover least, and returns the coverage
#           in this slab on the rest. Of sets that fail for the outer eighth of the inputs and nowhere else, it is
#           near 0. How the classes are numbered does not matter.
# Happens:  it looks for the slab where the class numbers are lowest, which is anywhere, and finds the
#           coverage .92, about the average. Sets that fail exactly where class 0 is have the coverage 0; number the classes
#           backwards, and the same sets on the same data have 1. calWSC itself, called with
#           its arguments in their order, is right.
# Why:      torchcp/classification/utils/metrics.py, WSC calls calWSC(X_train, covered_train, y_train, ...), whose
#           parameters are X, y, covered.
# Versions: torchcp 1.2.1, torch 2.13.0, scikit-learn 1.9.1, NumPy 2.4.6, tqdm 4.70.1, Python 3.11, CPU; run on 2026-11-29.
# Seen:     sets that fail for the outer 12 %: worst slice .92, by definition .05; sets that fail where class 0 is: .01,
#           by definition .01; classes numbered backwards 1.00, by definition .01
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6 scikit-learn==1.9.1 tqdm==4.70.1
env/bin/pip install --quiet --no-compile --disable-pip-version-check --no-deps torchcp==1.2.1
env/bin/python -W ignore - <<'PY'
import importlib.util, os, sys, types
import numpy as np
import torch
folder = importlib.util.find_spec("torchcp").submodule_search_locations[0]
for name in ("torchcp", "torchcp.classification"):       # its metrics alone: the rest needs packages that are compiled
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [os.path.join(folder, *name.split(".")[1:])]
from sklearn.model_selection import train_test_split
from torchcp.classification.utils.metrics import WSC, calWSC, wsc_vab

torch.manual_seed(0)
x, classes = torch.randn(1000, 2), 3

def sets_that_fail(rows, labels):
    """Each set holds the true class, but for these rows, where it holds the next one."""
    return torch.nn.functional.one_hot(torch.where(rows, (labels + 1) % classes, labels), classes).bool()

def both(labels, rows):
    sets = sets_that_fail(rows, labels)
    found = WSC(x, sets, labels, M=100)
    covered = sets[torch.arange(1000), labels].numpy()
    assert np.array_equal(covered, ~rows.numpy())
    train, test, y_train, y_test, covered_train, covered_test = train_test_split(
        x.numpy(), labels.numpy(), covered, test_size=0.75, random_state=2020)
    _, direction, low, high = calWSC(train, y_train, covered_train, delta=0.1, M=100, verbose=False)
    right = wsc_vab(test, y_test, covered_test, direction, low, high)
    # what is done in its place: the classes' numbers stand for "covered"
    _, direction, low, high = calWSC(train, covered_train, y_train, delta=0.1, M=100, verbose=False)
    assert found == wsc_vab(test, y_test, covered_test, direction, low, high)
    return found, right

outer = x[:, 0] > x[:, 0].quantile(0.88)
found, right = both(torch.randint(classes, (1000,)), outer)
print(f"sets that fail for the outer 12 %: worst slice {found:.2f}, by definition {right:.2f}")
assert found > 0.75 and right < 0.15

labels = (x[:, 1] * 1.5 + 1.5).floor().clamp(0, 2).long()                   # three stripes
fails = labels == 0
(found, right), (renumbered, still) = both(labels, fails), both(2 - labels, fails)
print(f"sets that fail where class 0 is: {found:.2f}, by definition {right:.2f}; "
      f"classes numbered backwards {renumbered:.2f}, by definition {still:.2f}")
assert found < 0.1 and right == still < 0.1 and renumbered > 0.9
PY
