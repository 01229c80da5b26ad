#!/usr/bin/env bash
# safetensors stores a conjugated complex tensor without its conjugation.
#
# Guess:    load(save({"x": x.conj()}))["x"] equals x.conj(), as with torch.save: complex64 is a type of
#           the format, and what is not contiguous is refused with a clear error.
# Happens:  torch's conj() is lazy: a flag on the same memory, and such a tensor calls itself contiguous.
#           The bytes are written, the flag is not: the loaded numbers are x. No error, no warning.
#           With resolve_conj() first, all is well.
# Why:      safetensors/torch.py takes the memory by data_ptr, and asks of strides, not of is_conj.
# Versions: safetensors 0.8.0, torch 2.13.0, Python 3.11; run on 2026-11-28.
# Seen:     given (1-2j), loaded (1+2j); resolved first (1-2j)
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 safetensors==0.8.0 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import torch
from safetensors.torch import load, save

given = torch.tensor([1 + 2j]).conj()
loaded = load(save({"x": given}))["x"]
resolved = load(save({"x": given.resolve_conj()}))["x"]
print("given", given.item(), "contiguous", given.is_contiguous(), "loaded", loaded.item(),
      "resolved first", resolved.item())
assert given.is_contiguous() and given.item() == 1 - 2j
assert loaded.item() == 1 + 2j and resolved.item() == 1 - 2j
PY
