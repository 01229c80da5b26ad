#!/usr/bin/env bash
# easyfsl: what Finetune answers about an image depends on how many images were asked about before it.
#
# Guess:    a classifier learns its support set in process_support_set; forward then answers, and an inductive
#           method ("This is an inductive method", is_transductive() is False) answers each image by itself.
#           So one image gets one answer, alone, in a batch, first or last, as with PrototypicalNetworks.
# Happens:  each call trains another 200 steps from where the last call ended. A test set asked in batches of 1
#           trains 75 times as long as one asked at once; the same image, asked again, may change its class.
#           Also in eval() and torch.no_grad(). It is reset by process_support_set alone.
# Why:      easyfsl/methods/finetune.py, Finetune.forward: the loop that fine-tunes runs there and writes to
#           self.prototypes, which the next call takes for its start. So do TIM and TransductiveFinetuning, and
#           without gradients BDCSPN, LaplacianShot and PTMAP: a second task's queries meet the first's traces.
# Versions: easyfsl 1.5.0, torch 2.13.0, torchvision 0.28.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-30.
# Seen:     Finetune, 75 images one by one in place of at once: 6 of them change their class. Asked ten times more,
#           a probability moves by .035 Finetune, .094 TIM, .011 TransductiveFinetuning, .38 PTMAP, .008 BDCSPN,
#           .15 LaplacianShot, and by 0 PrototypicalNetworks and SimpleShot
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    easyfsl==1.5.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
OMP_NUM_THREADS=1 env/bin/python -W ignore - <<'PY' 2> log || { cat log; exit 1; }
import torch
try:
    import torchvision
except RuntimeError:       # PyPI's torchvision beside a CPU build of torch: two operators, unused here
    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from easyfsl.methods import (BDCSPN, PTMAP, TIM, Finetune, LaplacianShot, PrototypicalNetworks, SimpleShot,
                             TransductiveFinetuning)

torch.manual_seed(0)
centers = torch.rand(5, 16)
labels, truth = torch.arange(5).repeat_interleave(5), torch.arange(5).repeat_interleave(15)
support = centers[labels] + 0.4 * torch.randn(25, 16)
queries = centers[truth] + 0.4 * torch.randn(75, 16)

def fresh(kind, **options):
    model = kind(use_softmax=True, **options).eval()
    model.process_support_set(support, labels)
    return model

@torch.no_grad()
def apart(kind, **options):
    """The farthest that a probability moves when the same 75 images are asked about again, ten times."""
    model = fresh(kind, **options)
    first = model(queries)
    for _ in range(10):
        again = model(queries)
    return (again - first).abs().max().item()

with torch.no_grad():
    at_once = fresh(Finetune)(queries)
    alone = torch.cat([fresh(Finetune)(image[None]) for image in queries])
    one_model = fresh(Finetune)
    one_by_one = torch.cat([one_model(image[None]) for image in queries])
    longer = fresh(Finetune, fine_tuning_steps=75 * 200)(queries[-1:])
assert not Finetune.is_transductive() and torch.allclose(at_once, alone, atol=1e-6)   # inductive indeed
assert torch.allclose(one_by_one[-1], longer[0], atol=1e-4)                # the 75th image: 15000 steps
changed = (one_by_one.argmax(1) != at_once.argmax(1)).sum().item()
moved = (one_by_one - at_once).abs().max().item()
print(f"Finetune, 75 images one by one: {changed} change their class, a probability moves by {moved:.2f}")
again = {kind.__name__: apart(kind) for kind in (Finetune, TIM, TransductiveFinetuning, PTMAP, BDCSPN, LaplacianShot,
                                                 PrototypicalNetworks, SimpleShot)}
print("asked ten times more:", {name: round(value, 4) for name, value in again.items()})
assert changed >= 2 and moved > 0.05
assert again.pop("PrototypicalNetworks") == again.pop("SimpleShot") == 0 and min(again.values()) > 1e-4
PY
