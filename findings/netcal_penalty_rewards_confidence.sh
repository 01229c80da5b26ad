#!/usr/bin/env bash
# netcal: adding ConfidencePenalty to the loss makes the network surer, and DCAPenalty's weight does nothing.
#
# Guess:    "Confidence penalty regularization ... This penalty term can be applied to any loss function as a
#           regularizer", after Pereyra et al.: the loss becomes cross-entropy minus weight times entropy, so that
#           confident answers cost. The same module's function for NumPy, confidence_penalty, returns that.
# Happens:  the class for PyTorch returns PLUS the entropy: the sure answer costs nothing, the even one
#           log(classes). A classifier of noisy labels trained with it is surer than one without, .90 where .75
#           is right, and worse on new data; with the sign turned it is less sure, .62. Its threshold raises
#           a TypeError. DCAPenalty(weight=0) and DCAPenalty(weight=10) are the same.
# Why:      netcal/regularization/ConfidencePenalty.py, ConfidencePenalty.forward: -weight * p * log p; with
#           threshold > 0, torch.maximum of a number and a tensor. DCAPenalty.py, forward: returns dca alone.
# Versions: netcal 1.4.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     three even classes 1.10, NumPy -1.10; nearly one class .08, NumPy -.08
#           mean confidence on new data (right: .75), loss: without .74, .57; with .90, .70; sign turned .62, .60
#           DCAPenalty, weight 0, 1, 10: .38 .38 .38
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 netcal==1.4.0 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import numpy as np
import torch
from netcal.regularization import ConfidencePenalty, DCAPenalty, confidence_penalty
from torch import nn
from torch.nn import functional as F

penalty = ConfidencePenalty(weight=1.0, reduction="batchmean")
for top in (0.0, 5.0):
    logits = torch.tensor([[top, 0.0, 0.0]])
    found, other = penalty(logits).item(), confidence_penalty(logits.softmax(dim=1).numpy(), weight=1.0)
    print("logit %.0f before the others: class %.2f, function %.2f" % (top, found, other))
    assert np.isclose(found, -other, atol=1e-5) and found > 0

torch.manual_seed(0)
def draw(count):
    """The sign of x, wrong once in four."""
    x = torch.randn(count, 1)
    return x, ((x[:, 0] > 0) ^ (torch.rand(count) < 0.25)).long()
(x, y), (new_x, new_y) = draw(2000), draw(2000)

def train(weight):
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(400):
        loss = F.cross_entropy(network(x), y) + weight * penalty(network(x))
        optimizer.zero_grad(); loss.backward(); optimizer.step()
    with torch.no_grad():
        logits = network(new_x)
    confidence, loss = logits.softmax(dim=1).amax(dim=1).mean().item(), F.cross_entropy(logits, new_y).item()
    print("weight %4.1f: confidence on new data %.2f, loss %.2f" % (weight, confidence, loss))
    return confidence, loss

plain, penalized, turned = train(0.0), train(1.0), train(-1.0)
assert abs(plain[0] - 0.75) < 0.03 and turned[0] < 0.7 < 0.85 < penalized[0] and penalized[1] > plain[1] + 0.05
try:
    ConfidencePenalty(threshold=0.5)(logits)
except TypeError as error:
    print("threshold:", str(error)[:60])
else:
    raise SystemExit("the threshold works")
answers, labels = torch.tensor([[2.0, 0.0]] * 4), torch.tensor([0, 1, 0, 1])
found = [DCAPenalty(weight=weight)(answers, labels).item() for weight in (0.0, 1.0, 10.0)]
print("DCAPenalty by weight 0, 1, 10:", found)
assert found[0] == found[1] == found[2] > 0.3
PY
