#!/usr/bin/env bash
# skada: following its contrastive domain discrepancy downhill moves each class of the target AWAY from the source's.
#
# Guess:    CDD (Kang et al., 2019) is the kernel distance (MMD) between source and target within each class, minus that
#           between different classes: e1 + e2 - 2 e3 with the mean kernel value of source pairs, of target pairs and
#           of mixed pairs. Where both domains are the same, the first part is 0; descending it joins the classes.
# Happens:  the mixed term is divided twice by the number of pairs: with 20 a class it weighs 1/400 of what it should,
#           and hardly anything attracts the target. The means of pairs within a class run over all samples on one side.
#           What is left is repulsion: 300 steps of gradient descent take the classes' centers from 1.6
#           to 2.1 apart, by definition to .1. The targets to be set aside as too far from their
#           centroid are chosen without looking where they lie: on the centroids, all are "too far".
# Why:      skada/deep/losses.py, cdd_loss: e3 is divided by mask.sum() ** 2, where the mask is a table of pairs;
#           for e1 and e2 it is a row; cosine_similarity compares along its default dim=1, the centroids, not 2.
# Versions: skada 0.6.0, torch 2.13.0, skorch 1.4.0, NumPy 2.4.6, scikit-learn 1.9.1, Python 3.11, CPU; run on 2026-11-29.
# Seen:     source as target 7.97, by definition -4.85; distance of the classes' centers 1.64, after 300 steps 2.11,
#           by definition .10; targets on their centroids, loss with threshold .1 0 (all set aside), .5 7.03
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 skada==0.6.0 skorch==1.4.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import torch
from skada.deep.losses import cdd_loss
from skada.deep.utils import SphericalKMeans

torch.manual_seed(0)
classes, y = 3, torch.arange(60) % 3
source = 4 * torch.eye(classes)[y] + 0.3 * torch.randn(60, classes)
start = source + 1 + 0.5 * torch.randn(60, classes)                  # a target that is shifted
widths = [float(2.0 ** k * torch.cdist(source, source).median()) for k in range(-2, 3)]
clusters = SphericalKMeans(n_clusters=classes, initial_centroids=torch.eye(classes)).fit(start)
assert torch.equal(clusters.predict(start), y)                       # each target sample has its true class

def theirs(target, **options):
    return torch.as_tensor(cdd_loss(y, source, target, clusters, sigmas=widths, **options))

def right(target):
    """By definition, with the package's kernel."""
    def kernel(a, b):
        return sum(torch.exp(-torch.cdist(a, b) / width) for width in widths).mean()
    def mmd(c, d):
        a, b = source[y == c], target[y == d]
        return kernel(a, a) + kernel(b, b) - 2 * kernel(a, b)
    within = [mmd(c, c) for c in range(classes)]
    between = [mmd(c, d) for c in range(classes) for d in range(classes) if c != d]
    return sum(within) / len(within) - sum(between) / len(between)

same = theirs(source.clone()).item(), right(source.clone()).item()
print("source as target: %.2f, by definition %.2f" % same)
assert same[1] < 0 < same[0]                                         # nothing within classes: it cannot be positive

def apart(target):
    return sum((source[y == c].mean(0) - target[y == c].mean(0)).norm().item() for c in range(classes)) / classes

def descend(loss):
    target = start.clone().requires_grad_()
    optimizer, way = torch.optim.SGD([target], lr=1.0), []
    for step in range(301):
        value = loss(target)
        if step % 100 == 0:
            way.append((round(value.item(), 2), round(apart(target.detach()), 2)))
        optimizer.zero_grad(); value.backward(); optimizer.step()
    print("loss and distance of the classes' centers:", *way)
    assert way[-1][0] < way[0][0]                                    # the loss itself goes down
    return way[-1][1]

away, joined = descend(theirs), descend(right)
assert away > apart(start) + 0.2 and joined < 0.2

on_centroids = clusters.cluster_centers_[y]                          # no distance at all: none is set aside
strict, loose = (theirs(on_centroids, distance_threshold=threshold).item() for threshold in (0.1, 0.5))
print(f"targets on the centroids, threshold .1 and .5: {strict:.2f} {loose:.2f}")
assert strict == 0 and loose > 1                                     # 0: all were set aside
PY
