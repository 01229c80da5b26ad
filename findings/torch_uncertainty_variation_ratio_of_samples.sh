#!/usr/bin/env bash
# torch-uncertainty: the variation ratio of unanimous networks is .5: it compares the images, not the networks.
#
# Guess:    VariationRatio takes probabilities of the shape (images, networks, classes), as documented, and says for each
#           image which part of the networks does not vote for the class that most vote for. Networks that
#           all agree, on cat for the first image and on dog for the second, have 0. Its neighbours in the
#           package, Disagreement and MutualInformation, take the same shape and say so.
# Happens:  with reduction="none" there is one value for each NETWORK: whether the images agree in the eyes of this
#           network. Of ten unanimous networks and two images of two classes, all ten values are .5. One image shown twice
#           has 0, however much the networks disagree on it. The output in the documentation's example, .45, is
#           this number; by its own definition it is .35. Given (networks, images, classes), it is right.
# Why:      torch_uncertainty/metrics/classification/variation_ratio.py, update: probs.transpose(0, 1), for "(example,
#           estimator, class)", which the documented shape is without it. VariationRatioCriterion turns it back before.
# Versions: torch-uncertainty 0.13.0, torch 2.13.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-29.
# Seen:     unanimous: .5 ten times, by definition 0 0; split: 0 four times, by definition .5 .5; by Disagreement
#           and MutualInformation 0 0 and .67 .67, 0 0 and .37 .37; the documentation's example .45, by definition .35
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 torchvision==0.28.0 'torch-uncertainty[cpu]==0.13.0' numpy==2.4.6
env/bin/python -W ignore - <<'PY' 2> log || { cat log; exit 1; }
import torch
try:
    import torchvision
except RuntimeError:       # PyPI's torchvision beside a CPU build of torch: two operators, unused here
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from torch_uncertainty.metrics import Disagreement, MutualInformation, VariationRatio
from torch_uncertainty.ood_criteria import VariationRatioCriterion

def theirs(probabilities, metric=VariationRatio, **options):
    metric = metric(reduction="none", **options)
    metric.update(probabilities)
    return metric.compute()

def right(probabilities, probabilistic):
    """(images, networks, classes): for each image, the share of networks, or of probability, not for its class."""
    most = probabilities.mean(dim=1).argmax(dim=1)
    rows = torch.arange(len(most))
    if probabilistic:
        return 1 - probabilities.mean(dim=1)[rows, most]
    return (probabilities.argmax(dim=2) != most[:, None]).float().mean(dim=1)

cat, dog = torch.tensor([0.9, 0.1]), torch.tensor([0.1, 0.9])
unanimous = torch.stack([cat.expand(10, 2), dog.expand(10, 2)])             # two images, ten networks
split = torch.stack([cat, dog, cat, dog])[None].expand(2, 4, 2)             # one image twice, four networks, half and half
for name, probabilities in (("unanimous", unanimous), ("split", split)):
    found, expected = theirs(probabilities, probabilistic=False), right(probabilities, False)
    print(f"{name}: {found.tolist()}, by definition {expected.tolist()}")
    turned = theirs(probabilities.transpose(0, 1), probabilistic=False)
    assert len(expected) == len(turned) == 2 and torch.allclose(turned, expected)
    assert torch.allclose(VariationRatioCriterion()(probabilities), expected)
    others = [theirs(probabilities, metric) for metric in (Disagreement, MutualInformation)]
    assert all(len(values) == 2 for values in others)                       # one value an image
    print("    Disagreement and MutualInformation:", [values.round(decimals=2).tolist() for values in others])
    if name == "unanimous":
        assert found.tolist() == [0.5] * 10 and not expected.any() and all(values.max() < 1e-6 for values in others)
    else:
        assert found.tolist() == [0.0] * 4 and (expected == 0.5).all() and all(values.min() > 0.3 for values in others)

example = torch.tensor([[[0.7, 0.3], [0.6, 0.4], [0.8, 0.2]], [[0.4, 0.6], [0.5, 0.5], [0.3, 0.7]]])
found, expected = theirs(example, probabilistic=True), right(example, True)
print(f"the documentation's example: {found.mean():.2f}, by definition {expected.mean():.2f}")
assert abs(found.mean() - 0.45) < 1e-4 and abs(expected.mean() - 0.35) < 1e-4
PY
