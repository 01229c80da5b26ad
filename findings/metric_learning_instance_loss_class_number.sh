#!/usr/bin/env bash
# pytorch-metric-learning: InstanceLoss takes a class's number for an image's place in the batch.
#
# Guess:    "using cross-entropy loss for every sample if label is not available, else use given label": with
#           labels, an image is drawn to the images of its class and kept from the others. What the classes are
#           called, cats 0 and dogs 1 or the other way, cannot matter.
# Happens:  every image of class k is drawn to the k-th image of the batch, whatever that one shows. If
#           the batch begins cat, dog, ... all is well. If it begins dog, cat, each cat is drawn to the first
#           dog and each dog to the first cat: after training all embeddings are nearly one, and NO image has one
#           of its own class as its neighbour. In a batch sorted by class both classes go to class 0's.
# Why:      pytorch_metric_learning/losses/instance_loss.py, compute_loss: F.cross_entropy(similarities of
#           the batch with itself, class numbers). Its columns are images, the targets are classes. The branch
#           for no labels, in which each image is its own target, is closed by labels_required above it.
# Versions: pytorch-metric-learning 2.9.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     loss of two classes perfectly apart, and after training share of images whose neighbour is
#           of their class: 0 1 0 1 ...: 1.4, 1.0; 1 0 1 0 ...: 65.4, 0.0; 0 0 0 0 1 1 1 1: 33.4, 0.4
#           of one point for everything: 2.1 each time
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 pytorch-metric-learning==2.9.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import torch
from pytorch_metric_learning.losses import InstanceLoss
from torch.nn import functional as F

loss = InstanceLoss()

def ask(y):
    """Loss of classes apart, of all in one place, and who is whose neighbour after training."""
    y = torch.tensor(y)
    apart, one = loss(F.one_hot(y).float(), y).item(), loss(torch.ones(len(y), 2), y).item()
    torch.manual_seed(0)
    z = torch.randn(len(y), 4, requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.05)
    for _ in range(500):
        optimizer.zero_grad(); loss(z, y).backward(); optimizer.step()
    cosines = F.normalize(z.detach()) @ F.normalize(z.detach()).T
    cosines.fill_diagonal_(-2)
    own = (y[cosines.argmax(dim=1)] == y).float().mean().item()
    print(y.tolist(), "apart %.1f, one point %.1f, neighbour of its class %.1f" % (apart, one, own))
    return apart, one, own

named, renamed, in_order = ask([0, 1] * 4), ask([1, 0] * 4), ask([0] * 4 + [1] * 4)
assert named[0] < named[1] and named[2] == 1
assert renamed[0] > 30 * renamed[1] and renamed[2] == 0
assert in_order[0] > 15 * in_order[1] and in_order[2] < 0.5

torch.manual_seed(0)
z, y = torch.randn(8, 4), torch.tensor([1, 0] * 4)
cosines = F.normalize(z) @ F.normalize(z).T
assert torch.allclose(loss(z, y), -(64 * cosines).log_softmax(dim=1)[range(8), y].mean(), atol=1e-4)
PY
