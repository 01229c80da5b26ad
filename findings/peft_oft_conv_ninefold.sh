#!/usr/bin/env bash
# PEFT's OFT, put on a 3 x 3 convolution and not yet trained, makes its output nine times as large.
#
# Guess:    OFT rotates the pretrained weights and starts from no rotation, so a fresh adapter changes nothing
#           (on nn.Linear and on 1 x 1 convolutions it does not); and after training merge_and_unload() gives
#           "a new weight matrix that is equivalent", as the guide to OFT says.
# Happens:  on a constant image the inside comes out ninefold, a 5 x 5 kernel 25-fold; the border less. So the
#           training starts from features that the pretrained network never had. Merging puts R into the
#           weights, which is right: the merged fresh adapter is the original network, and the merged
#           trained one is another network than the one that was trained.
# Why:      peft/tuners/oft/layer.py, OFTRotationModule.forward: it cuts the input into overlapping patches,
#           rotates each, and puts them back by F.fold, which ADDS where patches overlap. Nothing divides
#           by their number, and rotated patches that overlap cannot be put back into one image at all.
#           The rotation belongs on the patches inside the convolution, that is on its weight.
# Versions: peft 0.21.2, transformers 5.24.0, torch 2.13.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     fresh: 1 x 1 times 1.00, 3 x 3 times 9.00, 5 x 5 times 25.00; merged as without, each
#           trained: 1 x 1 error in use 0.00, merged 0.00; 3 x 3 error in use 2.88, merged 0.00
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 peft==0.21.2 transformers==5.24.0
env/bin/python -W ignore - <<'PY'
import copy
import torch
from torch import nn
from torch.nn import functional as F
from peft import OFTConfig, get_peft_model

def adapted(net):
    return get_peft_model(copy.deepcopy(net), OFTConfig(target_modules=["0"], oft_block_size=4)).eval()

torch.manual_seed(0)
flat, picture = torch.ones(1, 4, 20, 20), torch.randn(1, 4, 20, 20)
for size in (1, 3, 5):
    net = nn.Sequential(nn.Conv2d(4, 4, size, padding=size // 2, bias=False)).eval()
    fresh = adapted(net)
    ratio = (fresh(flat) / net(flat))[0, :, 9:11, 9:11].mean().item()
    kept = torch.allclose(fresh(picture), net(picture), atol=1e-5)
    merged = torch.allclose(copy.deepcopy(fresh).merge_and_unload()(picture), net(picture), atol=1e-5)
    print(f"fresh, {size} x {size}: inside times {ratio:.2f}, same as without {kept}, merged same {merged}")
    assert abs(ratio - size**2) < 1e-3 and merged and kept == (size == 1)

for size in (1, 3):                                               # trained: some rotation R
    net = nn.Sequential(nn.Conv2d(4, 4, size, padding=size // 2, bias=False)).eval()
    model = adapted(net)
    layer = model.base_model.model[0]
    with torch.no_grad():
        layer.oft_R["default"].weight.normal_(std=0.03)
    rotation = layer.get_delta_weight("default")
    assert torch.allclose(rotation @ rotation.T, torch.eye(len(rotation)), atol=1e-3)
    weight = (net[0].weight.flatten(1) @ rotation.T).view_as(net[0].weight)       # R on each patch
    right = F.conv2d(picture, weight, padding=size // 2)
    used, merged = model(picture), model.merge_and_unload()(picture)
    error = lambda found: ((found - right).norm() / right.norm()).item()
    print(f"trained, {size} x {size}: error in use {error(used):.2f}, merged {error(merged):.2f}")
    assert error(merged) < 1e-4 and (error(used) < 1e-4 if size == 1 else error(used) > 1)
PY
