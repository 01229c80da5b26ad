#!/usr/bin/env bash
# timm: an optimizer made with layer_decay moves every layer at the full rate.
#
# Guess:    create_optimizer_v2(model, "adam", lr=1e-3, layer_decay=0.5), as in its documentation:
#           "learning rates will be scaled by layer_decay^(max_depth - layer_depth)", so that in
#           fine-tuning the first layer hardly moves and the head moves freely.
# Happens:  all groups hold the rate 1e-3, and the first step moves the patch embedding just as far as the
#           head. torch's CosineAnnealingLR keeps it so. Only when one of timm's own schedulers is built
#           on the optimizer, even one never stepped, do the rates differ: by 16 for 3 blocks.
# Why:      timm/optim/_param_groups.py, param_groups_layer_decay leaves "lr" alone and notes an "lr_scale"
#           in each group; only timm/scheduler/scheduler.py, update_groups, reads it. To the optimizers
#           it is an unknown key. Neither docstring says so.
# Versions: timm 1.0.31, torch 2.13.0, torchvision 0.28.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     alone: moved patch_embed 0.0010, blocks.2 0.0010, head 0.0010; rates 0.001 to 0.001
#           torch's CosineAnnealingLR: rates 0.001 to 0.001; timm's constant: rates 6.25e-05 to 0.001
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 torchvision==0.28.0 timm==1.0.31
env/bin/python -W ignore - <<'PY'
import torch
try:
    import torchvision
except RuntimeError:       # PyPI's torchvision beside a CPU build of torch: two operators, unused here
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2

def made():
    torch.manual_seed(0)
    net = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=3, num_classes=5)
    return net, create_optimizer_v2(net, "adam", lr=1e-3, layer_decay=0.5)

def rates(optimizer):
    return sorted({group["lr"] for group in optimizer.param_groups})

net, optimizer = made()
watched = {name: net.get_parameter(name) for name in
           ("patch_embed.proj.weight", "blocks.2.attn.qkv.weight", "head.weight")}
before = {name: weight.detach().clone() for name, weight in watched.items()}
net(torch.randn(8, 3, 32, 32)).square().sum().backward()
optimizer.step()           # Adam's first step is the rate itself, up or down
moved = {name: (weight - before[name]).abs().median().item() for name, weight in watched.items()}
print("alone: moved", moved, "rates", rates(optimizer))
assert all(abs(step - 1e-3) < 1e-6 for step in moved.values()) and rates(optimizer) == [1e-3]

_, optimizer = made()
torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
print("torch's scheduler: rates", rates(optimizer))
assert rates(optimizer) == [1e-3]

_, optimizer = made()
create_scheduler_v2(optimizer, sched="constant", num_epochs=10)
print("timm's scheduler: rates", rates(optimizer))
assert rates(optimizer) == [1e-3 * 0.5**depth for depth in (4, 3, 2, 1, 0)]      # what the docstring says
PY
