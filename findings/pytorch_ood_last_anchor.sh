#!/usr/bin/env bash
# pytorch-ood: CACLoss keeps no image away from the last class; which class is last, changes the loss.
#
# Guess:    as documented, alpha d_y + log(1 + sum over the classes c other than y of exp(d_y - d_c)): near one's
#           own anchor, far from all others. On its own anchor, with the others far off, an image has loss 0;
#           and the order in which the classes are numbered does not matter.
# Happens:  for images of all but the last class, the sum runs over all but the last class, their own included.
#           The last anchor's distance has no gradient at all: nothing pushes an image away from it.
#           exp(d_y - d_y) = 1 is always in the sum, so that a perfect image has loss log 2 = .69. With
#           two classes, class 0 has no rival left. Renumbering the classes changes the loss.
# Why:      pytorch_ood/loss/cac.py, CACLoss.forward: non_target is 0 to n - 2 in every row, and is mended where
#           target == n_classes, which is never so: it means that column `target` is to be replaced by n - 1,
#           in each row.
# Versions: pytorch-ood 0.4.0, torch 2.13.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     loss on one's own anchor, by class: .69 .69 .69 .00, by definition .00; gradient of the last distance,
#           classes 0 to 2: 0, by definition up to -1; largest change by renumbering .51, by definition 0;
#           two classes, an image of class 0 moving to anchor 1, alpha 0: .69 .69 .69, by definition 0 .69 200
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 torchvision==0.28.0 pytorch-ood==0.4.0 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import itertools
import torch
try:
    import torchvision
except RuntimeError:       # PyPI's torchvision beside a CPU build of torch: two operators, unused here
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from pytorch_ood.loss import CACLoss

def by_definition(distances, y, alpha):
    own = distances.gather(1, y[:, None])
    return (alpha * own[:, 0] + (own - distances).logsumexp(dim=1)).mean()      # own - own = 0 is the "1 +"

classes, alpha, anchor = 4, 0.1, 10.0
theirs = CACLoss(classes, magnitude=anchor, alpha=alpha)
place = anchor * torch.eye(classes)
on_anchor = [theirs(theirs.distance(place[k:k + 1]), torch.tensor([k])).item() for k in range(classes)]
right = [by_definition(theirs.distance(place[k:k + 1]), torch.tensor([k]), alpha).item() for k in range(classes)]
print("on its own anchor: %.2f %.2f %.2f %.2f;" % tuple(on_anchor), "%.2f %.2f %.2f %.2f" % tuple(right))
assert max(right) < 1e-3 and on_anchor[-1] < 1e-3 and all(abs(value - 0.6931) < 1e-3 for value in on_anchor[:-1])

torch.manual_seed(0)
z, y = torch.randn(40, classes), torch.arange(40) % classes
near = CACLoss(classes, magnitude=2.0, alpha=alpha)
def last_gradient(loss):
    distances = near.distance(z).detach().requires_grad_()
    loss(distances, y).backward()
    return (40 * distances.grad[y < classes - 1, -1]).abs().max().item()
found, expected = last_gradient(near), last_gradient(lambda d, y: by_definition(d, y, alpha))
print(f"largest gradient of the last distance, classes 0 to 2: {found}, by definition {expected:.2f}")
assert found == 0 and expected > 0.5

def renumber(loss):
    """All losses of one batch, by how its classes are numbered."""
    losses = [loss(near.distance(z)[:, list(order)], torch.tensor(order).argsort()[y]).item()
              for order in itertools.permutations(range(classes))]
    return max(losses) - min(losses)
found, expected = renumber(near), renumber(lambda d, y: by_definition(d, y, alpha))
print(f"renumbering changes the loss by {found:.3f}, by definition {expected:.3f}")
assert found > 0.01 and expected < 1e-4

two = CACLoss(2, magnitude=anchor, alpha=0.0)
way = [two.distance(anchor * torch.tensor([[1 - t, t]])) for t in (0.0, 0.5, 1.0)]
found = [two(distances, torch.tensor([0])).item() for distances in way]
right = [by_definition(distances, torch.tensor([0]), 0.0).item() for distances in way]
print("two classes, from anchor 0 to 1: %.2f %.2f %.2f;" % tuple(found), "%.2f %.2f %.2f" % tuple(right))
assert max(found) - min(found) < 1e-6
PY
