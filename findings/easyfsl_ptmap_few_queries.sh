#!/usr/bin/env bash
# easyfsl: with fewer queries than classes, PTMAP answers 0 for every class, that is, class 0 for every image.
#
# Guess:    PT-MAP's transport plan gives each query the mass 1, spread over the classes in equal parts: with w
#           classes and n queries the rows sum to 1 and the columns to n / w (Hu, Gripon & Pateux 2020, eq. 3).
#           That is well defined for every n, and 3 images of 5 classes are no strange task.
# Happens:  3 queries of 5 classes get a matrix of zeros: argmax says class 0. With 9 queries, the columns sum to
#           1 in place of 1.8, and each query's "probabilities" to .56 on average; the rows' share is anything.
#           Only where w divides n are they right. No warning.
# Why:      easyfsl/methods/pt_map.py, PTMAP.compute_optimal_transport: the columns' mass is
#           `cost_matrix.shape[0] // cost_matrix.shape[1]`, a division that drops the remainder, and so 0 below w.
# Versions: easyfsl 1.5.0, torch 2.13.0, torchvision 0.28.0, NumPy 2.4.6, Python 3.11, CPU; run on 2026-11-30.
# Seen:     3 and 4 queries: rows sum to 0, a fifth right, all right with columns of n / w; 5 and 10 queries: rows
#           sum to 1; 9 queries: rows sum to .50 ... 1.00, .56 on average
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
from easyfsl.methods import PTMAP

CLASSES = 5

class Fraction(PTMAP):
    """The same with columns of n / w, and the rows put right last."""
    def compute_optimal_transport(self, cost_matrix, epsilon=1e-6):
        plan = torch.exp(-self.lambda_regularization * cost_matrix)
        for _ in range(1000):
            plan = plan * len(plan) / CLASSES / plan.sum(dim=0)
            plan = plan / plan.sum(dim=1, keepdim=True)
        return plan

torch.manual_seed(0)
centers = 3 * torch.rand(CLASSES, 16)
labels = torch.arange(CLASSES).repeat_interleave(5)
support = (centers[labels] + 0.1 * torch.randn(25, 16)).relu()

def ask(kind, n):
    """The answers for n images, and the share of right ones, in 60 tasks."""
    rows, right = [], 0
    for task in range(60):
        model = kind()
        model.process_support_set(support, labels)
        truth = torch.tensor([(task + i) % CLASSES for i in range(n)])
        answers = model((centers[truth] + 0.1 * torch.randn(n, 16)).relu())
        rows.append(answers.sum(dim=1))
        right += (answers.argmax(dim=1) == truth).sum().item()
    return torch.cat(rows), right / 60 / n

for n in (3, 4, 5, 9, 10):
    (rows, right), (_, hoped) = ask(PTMAP, n), ask(Fraction, n)
    print(f"{n} queries: rows sum to {rows.min():.2f} ... {rows.max():.2f}, mean {rows.mean():.2f}; "
          f"right {right:.2f}, with n / w {hoped:.2f}")
    if n < CLASSES:
        assert (rows == 0).all() and abs(right - 0.2) < 1e-9 and hoped > 0.5
    elif n % CLASSES:
        assert abs(rows.mean() - CLASSES * (n // CLASSES) / n) < 0.01 and rows.min() < 0.6
    else:
        assert (rows - 1).abs().max() < 0.01 and right > 0.95
PY
