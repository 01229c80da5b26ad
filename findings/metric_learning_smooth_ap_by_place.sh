#!/usr/bin/env bash
# pytorch-metric-learning: SmoothAPLoss is content with a bad ranking, and punishes a perfect one.
#
# Guess:    1 minus a smoothed average precision: 0 where each image's class stands before all others in its
#           ranking. The batch needs as many images of each class, and "the number of classes is not important,
#           nor their order", says the comment in it; a batch of classes and images a class that differ is let in.
# Happens:  only with as many classes as images a class, sorted, as in the comment's example of 3 times 3, is
#           it that. Of 2 classes with 8 images each, perfectly apart, the loss is .67; of 4 times 4
#           in another order .69. Minimized to 0.00 from a random start, it leaves a mean average precision of .70
#           or .47, where the same loss by definition reaches 1.00.
# Why:      pytorch_metric_learning/losses/smooth_ap.py, compute_loss: num_classes_batch = batch_size //
#           torch.unique(labels).size(0) is the number of images a class. The batch is then cut into that many
#           pieces, by place; labels are not looked at again. Each piece is taken for a class.
# Versions: pytorch-metric-learning 2.9.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     classes x images: loss of a perfect ranking, loss and precision when trained; by definition
#           2 x 8: .67, .00 .70; .00, .00 1.00     4 x 4: .00, .00 1.00; .00, .00 1.00
#           8 x 2: .32, .00 .74; .00, .00 1.00     4 x 4 in turn: .69, .00 .47; .00, .00 1.00
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 pytorch-metric-learning==2.9.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import torch
from pytorch_metric_learning.losses import SmoothAPLoss
from torch.nn import functional as F

temperature = 0.05

def by_definition(z, y):
    """Each query's ranks, among its class and among all, by how many soft steps stand before an image."""
    z = F.normalize(z)
    cosines = z @ z.T
    before = torch.sigmoid((cosines[:, None, :] - cosines[:, :, None]) / temperature) * (1 - torch.eye(len(y)))
    same = (y[:, None] == y).float()
    precision = (1 + (before * same[:, None, :]).sum(2)) / (1 + before.sum(2))
    return 1 - ((precision * same).sum(1) / same.sum(1)).mean()

def mean_average_precision(z, y):
    hits = (y[(F.normalize(z) @ F.normalize(z).T).argsort(dim=1, descending=True)] == y[:, None]).float()
    precision = hits.cumsum(1) / torch.arange(1, len(y) + 1)
    return ((precision * hits).sum(1) / hits.sum(1)).mean().item()

def train(loss, y):
    torch.manual_seed(0)
    z = torch.randn(len(y), 8, requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad(); value = loss(z, y); value.backward(); optimizer.step()
    return value.item(), mean_average_precision(z.detach(), y)

theirs = SmoothAPLoss(temperature=temperature)
batches = {"2 x 8": torch.arange(2).repeat_interleave(8), "4 x 4": torch.arange(4).repeat_interleave(4),
           "8 x 2": torch.arange(8).repeat_interleave(2), "4 x 4 in turn": torch.arange(4).repeat(4)}
for name, y in batches.items():
    apart = F.one_hot(y).float()
    found, right = ((loss(apart, y).item(), *train(loss, y)) for loss in (theirs, by_definition))
    print(name, "perfect %.2f, trained %.2f, precision %.2f;" % found, "by definition %.2f, %.2f, %.2f" % right)
    assert max(right[:2]) < 0.01 and right[2] == 1 and found[1] < 0.01
    if name == "4 x 4":
        assert found[0] < 0.01 and found[2] == 1
    else:
        assert found[0] > 0.3 and found[2] < 0.8
PY
