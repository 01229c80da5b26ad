#!/usr/bin/env bash
# ckatorch: the similarity of two networks over a data set is that of its last batch.
#
# Guess:    CKA(first, second, layers)(loader) is the minibatch CKA of Nguyen et al. (2021), as its README has it:
#           the average of HSIC over all batches, divided by the roots of the averages of both networks' own. So
#           more data makes it surer, and with epochs=10, as by default, it goes through the data ten times.
# Happens:  each batch's value replaces the one before. Two networks that agree on nine batches and not on the
#           tenth have nothing in common, -.03; two that agree on the tenth alone are the same, 1.00. The last batch
#           is also the smallest, as drop_last=True is refused: of 41 sequences in batches of 8 it is one sequence.
# Why:      ckatorch/cka.py, CKA.__call__: cka_epoch[i, j] = cka_batch(x, y) in the loop over the batches; nothing is
#           added up, and HSIC's three sums do not leave core.py, cka_batch.
# Versions: ckatorch 1.0.3, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     only the last tenth differs: -.03, by definition .94; only the last tenth agrees: 1.00, by definition .27;
#           41 sequences in batches of 8: 1.00, by definition .65; all in one batch: as by definition
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 ckatorch==1.0.3 numpy==2.4.6
env/bin/python -W ignore - <<'PY' 2> log || { cat log; exit 1; }
from collections import OrderedDict
import torch
from ckatorch import CKA
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

class Layer(nn.Module):
    """A linear map of every token; the second network can be made to differ where the first feature is negative."""
    def __init__(self, differs):
        super().__init__()
        torch.manual_seed(0)
        self.one, self.other = (nn.Parameter(torch.randn(6, 6)) for _ in range(2))
        self.differs = differs

    def forward(self, x):
        same = x @ self.one
        return torch.where(x[..., :1] < 0, torch.sin(9 * x @ self.other), same) if self.differs else same

def hsic(k, l):
    """The unbiased estimate of Song et al. (2012), on Gram matrices with an empty diagonal."""
    n = len(k)
    return ((k * l).sum() + k.sum() * l.sum() / (n - 1) / (n - 2) - 2 / (n - 2) * k.sum(0) @ l.sum(0)) / (n * (n - 3))

def by_definition(nets, x):
    """Minibatch CKA; as in the package, each sequence of tokens is one sample of n points."""
    sums = torch.zeros(3)
    for sequence in x:
        with torch.no_grad():
            k, l = [(out @ out.T).fill_diagonal_(0) for out in (net(sequence[None])[0] for net in nets)]
        sums += torch.stack([hsic(k, l), hsic(k, k), hsic(l, l)])
    return (sums[0] / (sums[1] * sums[2]).sqrt()).item()

def theirs(nets, x, batch):
    compare = CKA(*nets, layers=["layer"], first_name="first", second_name="second")
    return compare(DataLoader(TensorDataset(x), batch_size=batch), epochs=1).item()

nets = [nn.Sequential(OrderedDict(layer=Layer(differs))) for differs in (False, True)]
agree, differ = torch.randn(2, 80, 12, 6)
agree[..., 0], differ[..., 0] = agree[..., 0].abs(), -differ[..., 0].abs()
for name, x in (("only the last tenth differs", torch.cat([agree[:72], differ[:8]])),
                ("only the last tenth agrees", torch.cat([differ[:72], agree[:8]]))):
    found, right, last = theirs(nets, x, 8), by_definition(nets, x), by_definition(nets, x[-8:])
    print(f"{name}: {found:.2f}, by definition {right:.2f}, the last batch alone {last:.2f}")
    assert abs(found - last) < 1e-4 and abs(found - right) > 0.3
    whole = theirs(nets, x, len(x))
    assert abs(whole - right) < 1e-4                                   # one batch with all is right

mixed = torch.cat([agree[:20], differ[:20], agree[20:21]])             # 41: five batches of 8, and one sequence
found, right = theirs(nets, mixed, 8), by_definition(nets, mixed)
print(f"41 sequences in batches of 8: {found:.2f}, by definition {right:.2f}, the last alone "
      f"{by_definition(nets, mixed[-1:]):.2f}")
assert abs(found - by_definition(nets, mixed[-1:])) < 1e-4 and abs(found - right) > 0.1
PY
