#!/usr/bin/env bash
# cka-pytorch: a layer with small activations is not similar to itself: .01 instead of 1.
#
# Guess:    centered kernel alignment asks for the form of the activations, not for their size: multiply
#           them by a number, and nothing changes (Kornblith et al., 2019). Of a layer and itself it is 1.
#           epsilon=1e-4 is "a small float value added to the denominator".
# Happens:  it is added under the root, to a product of two HSIC, which is of the EIGHTH power of the activations'
#           size. With activations of the size 1 it does nothing; of the size .1, a layer's similarity to itself is .70;
#           of .03, .01. Freshly initialized, every deeper layer is smaller than the one before, so that a network
#           compared with itself seems to lose itself with depth. Since HSIC is summed over the batches,
#           more batches or a second call on the same data raise the value. epsilon=0 is right.
# Why:      cka_pytorch/cka.py, CKACalculator._compute_final_cka: sqrt(outer(hsic_x, hsic_y) + epsilon), absolute.
# Versions: cka-pytorch 1.1.3, torch 2.13.0, lightning 2.6.6, torchmetrics 1.9.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     a layer and itself, activations of the size 1 .3 .1 .05 .03: 1.00 1.00 .70 .06 .01, with epsilon=0 1.00 each;
#           of 1/30, .01, after 100 epochs .77; six layers: 1.00 1.00 1.00 .93 .36 .03, with epsilon=0 1.00 each
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 torchvision==0.28.0 cka-pytorch==1.1.3 lightning==2.6.6 torchmetrics==1.9.0 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import torch
try:
    import torchvision
except RuntimeError:       # PyPI's torchvision beside a CPU build of torch: two operators, unused here
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from cka_pytorch import CKACalculator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
images = torch.randn(256, 32)
def batches(x, size=64):
    return DataLoader(TensorDataset(x, torch.zeros(len(x))), batch_size=size)

def itself(net, x, epsilon=1e-4, epochs=1):
    """Each linear layer's similarity to itself."""
    calculator = CKACalculator(net, net, [nn.Linear], verbose=False)
    return calculator.calculate_cka_matrix(batches(x), num_epochs=epochs, epsilon=epsilon).diag()

def hsic(k, l):
    """The unbiased estimate of Song et al. (2012), on Gram matrices with an empty diagonal."""
    n = len(k)
    return ((k * l).sum() + k.sum() * l.sum() / (n - 1) / (n - 2) - 2 / (n - 2) * k.sum(0) @ l.sum(0)) / (n * (n - 3))

layer = nn.Sequential(nn.Linear(32, 16, bias=False))
with torch.no_grad():
    layer[0].weight /= layer(images).std()                      # activations of the size 1
size_one = sum(hsic(k, k) for k in ((out @ out.T).fill_diagonal_(0) for out in layer(images).detach().split(64)))
for size in (1.0, 0.3, 0.1, 0.05, 0.03):
    found, right = itself(layer, size * images).item(), itself(layer, size * images, epsilon=0).item()
    formula = (size_one ** 2 * size ** 8 / (size_one ** 2 * size ** 8 + 1e-4)).sqrt().item()
    print(f"size {size:.2f}: {found:.4f}, epsilon 0: {right:.4f}")
    assert abs(right - 1) < 1e-4 and abs(found - formula) < 1e-3

found = itself(layer, images).item(), itself(layer, images / 30).item()
assert found[0] > 0.999 and found[1] < 0.05
more = itself(layer, images / 30, epochs=100).item()
print(f"a thirtieth: {found[1]:.2f}, 100 times through the same data {more:.2f}")
assert more > 10 * found[1]

deep = nn.Sequential(*(nn.Sequential(nn.Linear(32, 32), nn.Tanh()) for _ in range(6)))
found, right = itself(deep, images), itself(deep, images, epsilon=0)
print("six layers, each with itself:", [round(value, 2) for value in found.tolist()])
assert (found[1:] < found[:-1]).all() and found[0] > 0.95 > 0.1 > found[-1]
assert torch.allclose(right, torch.ones(6), atol=1e-4)
PY
