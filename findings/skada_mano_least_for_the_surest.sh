#!/usr/bin/env bash
# skada: MaNoScorer scores a network lower the surer it is, and gives the class it is surest of probability 0.
#
# Guess:    MaNo (Xie et al., 2024) estimates a network's accuracy without labels from how sure its logits are: the
#           p-norm of their "softrun" probabilities, 1 + z + z^2 / 2 in place of exp(z) as long as the logits
#           are not too certain. A network whose logits are multiplied by 2, 4 and 6 scores higher each time.
# Happens:  it scores lower: .52, .37, .35, .34, until at 8 the certainty passes the threshold of 5 and it jumps to
#           .65. Computing the certainty has moved the logits, so that the greatest of each row is 0 and all others
#           are negative; there 1 + z + z^2 / 2 rises the further z is below -1, and the least likely
#           class wins: of logits 4, 0, 0 the first gets 0 and the others .5 each. threshold=0, always exp, is right.
# Why:      skada/metrics.py, MaNoScorer._stable_softmax: logits -= np.max(...) changes the caller's array; _score
#           calls it by way of _get_criterion before it hands the same array to _softrun.
# Versions: skada 0.6.0, torch 2.13.0, skorch 1.4.0, NumPy 2.4.6, scikit-learn 1.9.1, Python 3.11, CPU; run on 2026-11-29.
# Seen:     logits times 1 2 4 6 8: .522 .365 .354 .337 .650, with untouched logits .435 .482 .530 .540 .650,
#           threshold=0 .279 .425 .585 .634 .650; logits 4 0 0: 0 .5 .5, with untouched ones 1 0 0
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 skada==0.6.0 skorch==1.4.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import numpy as np
import torch
from skada.deep import SourceOnly
from skada.metrics import MaNoScorer
from torch import nn

class Network(nn.Module):
    """Its logits are its input, times a constant."""
    def __init__(self, factor):
        super().__init__()
        self.features, self.factor = nn.Identity(), nn.Parameter(torch.tensor(factor))

    def forward(self, x, sample_weight=None):
        return self.factor * self.features(x)

draw = np.random.default_rng(0)
x = draw.normal(0, 0.3, (200, 5)).astype(np.float32)
label = draw.integers(0, 5, 200)
x[np.arange(200), label] += 1
domain = np.repeat([1, -2], 100)                                             # a negative number: a target
y = np.where(domain > 0, label, -1)

def exponentials(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)

def taylor(logits):
    """1 + z + z^2 / 2, from its smallest value on, as in the package."""
    terms = 1 + logits + logits ** 2 / 2
    terms = terms - terms.min(axis=1, keepdims=True)
    return terms / terms.sum(axis=1, keepdims=True)

def right(logits):
    certainty = -np.log(exponentials(logits)).mean()
    return np.mean((exponentials if certainty > 5 else taylor)(logits) ** 4) ** 0.25

table = []
for factor in (1.0, 2.0, 4.0, 6.0, 8.0):
    model = SourceOnly(Network(factor), layer_name="features", lr=0.0, max_epochs=1, train_split=None, verbose=0)
    model.fit(x, y, sample_domain=domain)
    assert (model.predict(x[100:], sample_domain=domain[100:]) == x[100:].argmax(axis=1)).all()
    scorer, plain = MaNoScorer(), MaNoScorer(threshold=0)
    table.append((scorer(model, x, y, sample_domain=domain), right(factor * x[100:]),
                  plain(model, x, y, sample_domain=domain)))
    print(f"logits times {factor:.0f}, {scorer.chosen_normalization}: found %.3f, untouched logits %.3f, "
          "threshold=0 %.3f" % table[-1])
found, expected, plain = np.array(table).T
assert (np.diff(expected) > 0).all() and (np.diff(plain) > 0).all()
assert (np.diff(found[:4]) < 0).all() and np.isclose(found[4], expected[4])

logits, scorer = np.array([[4.0, 0.0, 0.0]]), MaNoScorer()
untouched = scorer._taylor_softmax(logits.copy())
certainty = scorer._get_criterion(logits)                                    # the two steps of its score
moved = scorer._softrun(logits, certainty, scorer.threshold)
print("logits 4, 0, 0:", moved.round(2), "with untouched ones", untouched.round(2))
assert np.allclose(moved, [0, 0.5, 0.5]) and np.allclose(untouched, [1, 0, 0]) and np.allclose(untouched, taylor(
    np.array([[4.0, 0.0, 0.0]])))
PY
