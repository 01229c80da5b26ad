#!/usr/bin/env bash
# safetensors.numpy writes a transposed or sliced array with other values, without a word.
#
# Guess:    a format whose point is safety stores what the array says, or refuses, as its own
#           safetensors.torch.save does for a transposed tensor (ValueError, "non contiguous").
# Happens:  0.8.0 stores the memory in its order under the array's shape: weight.T comes back with
#           its entries shuffled, and so do a Fortran array, a column slice and a big-endian copy of
#           a transposed one. 0.7.0 stored all of them rightly. The docstring asks for "contiguous"
#           arrays, which NumPy calls Fortran ones, too.
# Why:      safetensors/numpy.py, _flatten: it hands on ctypes.data and nbytes and asks no flags;
#           0.7.0 used tobytes(). Reported upstream as safetensors issue 825 (August 2026).
# Versions: safetensors 0.8.0 and 0.7.0, NumPy 2.4.6, Python 3.11; run on 2026-11-28.
# Seen:     0.8.0: plain True, transposed False, Fortran False, sliced False, big-endian False
#           0.7.0: True for all of them
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat > check.py <<'PY'
import sys
import numpy as np, safetensors
from safetensors.numpy import load, save

weight = np.arange(6.0, dtype=np.float32).reshape(2, 3)
arrays = {
    "plain": weight,
    "transposed": weight.T,
    "Fortran": np.asfortranarray(weight),
    "sliced": weight[:, ::2],
    "big-endian": weight.T.astype(">f4"),
}
right = {name: np.array_equal(load(save({"x": a}))["x"], a) for name, a in arrays.items()}
print(safetensors.__version__, right)
assert right == {name: name == "plain" or sys.argv[1] == "right" for name in arrays}
PY
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check numpy==2.4.6 safetensors==0.8.0
env/bin/python check.py wrong
env/bin/pip install --quiet --disable-pip-version-check safetensors==0.7.0
env/bin/python check.py right
