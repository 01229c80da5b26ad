#!/usr/bin/env bash
# torch: nn.init.sparse_(generator=...) takes the places of its zeros from torch's own generator all the same.
#
# Guess:    with a generator the weights depend on it alone, and torch's own generator is left as it was: so
#           it is with the seven other initialisers that take one.
# Happens:  the values come from the generator, the zeros do not: two calls with equal generators give other
#           matrices, and each moves torch's own generator, so that whatever is drawn next is another draw.
# Why:      torch/nn/init.py, sparse_: tensor.normal_(0, std, generator=generator), but torch.randperm(rows) for
#           each column. The documentation: "the torch Generator to sample from (default: None)".
# Versions: torch 2.13.0, CPU build, Python 3.11; run on 2026-11-30.
# Seen:     reproducible, own generator untouched: sparse_ False False; uniform_, normal_, trunc_normal_,
#           xavier_normal_, kaiming_normal_, orthogonal_ True True
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 numpy==2.3.5
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY'
import torch
from torch.nn import init

def drawn(initialise, seed):
    """A matrix from an equal generator, while torch's own has this seed; is that one as it was?"""
    torch.manual_seed(seed)
    before = torch.get_rng_state()
    matrix = torch.empty(6, 5)
    initialise(matrix, generator=torch.Generator().manual_seed(0))
    return matrix, torch.equal(before, torch.get_rng_state())

def honest(initialise):
    (one, untouched), (two, _) = drawn(initialise, 1), drawn(initialise, 2)
    return torch.equal(one, two), untouched

def sparse(matrix, generator):
    return init.sparse_(matrix, sparsity=0.4, generator=generator)

others = [
    honest(f) for f in (init.uniform_, init.normal_, init.trunc_normal_, init.xavier_normal_,
                        init.kaiming_normal_, init.orthogonal_)
]
print("sparse_:", honest(sparse), "others:", set(others))
assert honest(sparse) == (False, False) and set(others) == {(True, True)}
PY
