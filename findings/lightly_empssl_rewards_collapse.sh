#!/usr/bin/env bash
# lightly's EMPSSLLoss is smallest when the network maps every image to one vector.
#
# Guess:    EMP-SSL holds collapse off by its second term: the total coding rate, log det(I + c Z'Z) / 2, is
#           to be large, so that the embeddings fill the space. Minimizing the loss therefore keeps
#           the views of one image together and different images apart; lightly's docstring says that
#           this term follows "the implementation in the official repository".
# Happens:  the rate is added, not subtracted. Collapsed embeddings have a lower loss than evenly spread ones
#           with perfectly invariant views, at each inv_coef. A small network trained by it answers
#           all 64 images with the same vector, and the loss, near -200, looks like a success. With the
#           term's sign turned the same run ends with all 16 dimensions in use.
# Why:      lightly/loss/emp_ssl_loss.py, EMPSSLLoss.forward: tcr_loss(z) + inv_coef * ...; tcr_loss returns
#           the rate itself. In the official loss.py TotalCodingRate.forward returns its negative.
# Versions: lightly 1.6.0, torch 2.13.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     inv_coef 0: collapsed 2.20, spread 14.33; 1: 1.20, 13.33; 200: -197.80, -185.67
#           trained: loss -197.8, smallest cosine of two images 1.000, 1 dimension used; sign turned:
#           -214.0, -.515, 16
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 torchvision==0.28.0 lightly==1.6.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn
try:
    import torchvision
except RuntimeError:       # PyPI's torchvision beside a CPU build of torch: two operators, unused here
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from lightly.loss import EMPSSLLoss

views, images, dim, eps = 4, 64, 16, 0.2
one = torch.zeros(images, dim)
one[:, 0] = 1
spread = torch.eye(dim).repeat(images // dim, 1)                  # unit vectors, evenly over all axes
for coefficient in (0.0, 1.0, 200.0):
    loss = EMPSSLLoss(tcr_eps=eps, inv_coef=coefficient)
    low, high = loss([one] * views).item(), loss([spread] * views).item()
    print("inv_coef %5.1f: collapsed %.2f, spread %.2f" % (coefficient, low, high))
    rate = dim * torch.tensor(1 + 1 / eps).log() / 2              # the largest rate unit vectors can have
    assert low < high and abs(high - (rate - coefficient)) < 1e-3

def rate(z):
    """The total coding rate by its eigenvalues."""
    return torch.log1p(torch.linalg.eigvalsh(dim / (images * eps) * z.T @ z)).sum() / 2

torch.manual_seed(0)
x = torch.randn(images, 10)
turned_off = EMPSSLLoss(inv_coef=0.0)
z = nn.functional.normalize(torch.randn(images, dim), dim=1)
assert abs(turned_off([z] * views) - rate(z)) < 1e-3

def train(sign):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, dim))
    optimizer, loss = torch.optim.Adam(net.parameters(), lr=0.01), EMPSSLLoss()
    for _ in range(300):
        z = [nn.functional.normalize(net(x + 0.1 * torch.randn_like(x)), dim=1) for _ in range(views)]
        value = loss(z)
        if sign < 0:
            value = value - 2 * turned_off(z)
        optimizer.zero_grad(); value.backward(); optimizer.step()
    z = nn.functional.normalize(net(x), dim=1)
    singular = torch.linalg.svdvals(z)
    used = (singular > 0.05 * singular[0]).sum().item()
    print("trained, sign %+d: loss %.1f, smallest cosine of two images %.3f, dimensions used %d"
          % (sign, value.item(), (z @ z.T).min().item(), used))
    return (z @ z.T).min().item(), used

cosine, used = train(+1)
assert cosine > 0.99 and used == 1
cosine, used = train(-1)
assert cosine < 0.2 and used >= 12
PY
