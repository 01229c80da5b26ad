#!/usr/bin/env bash
# torchmetrics.BootStrapper: the interval of each class reaches from the worst class to the best.
#
# Guess:    for a metric with one value a class (average="none") BootStrapper(quantile=[.025, .975]) returns
#           an interval for each class, as it returns a mean and a std for each; its page says that it
#           automates "getting confidence intervals for metric values".
# Happens:  mean and std are by class, the quantiles are of all classes thrown together: [.36, .93] where the
#           intervals are [.89, .93] and [.35, .41]. With two classes and two quantiles even the
#           shape is that of one number a class. Also: sampling_strategy="multinomial" draws within each
#           batch, so of batches of one it draws the same data again and again, and std is exactly 0; of
#           batches of two it is too small by 1 / sqrt 2. The default, "poisson", is not.
# Why:      torchmetrics/wrappers/bootstrapping.py, compute: torch.quantile(computed_vals, self.quantile) without
#           dim=0, which the mean and std beside it have. Of "multinomial" the docstring says that it
#           is "true bootstrapping at the batch level to approximate bootstrapping over the hole dataset".
# Versions: torchmetrics 1.9.0, torch 2.13.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     quantile [.358, .926]; by class [.894, .928] and [.354, .409] (formula [.893, .929], [.350, .410])
#           std with batches of 1, 2, 400: poisson .0249 .0261 .0246, multinomial .0000 .0174 .0255
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 torchmetrics==1.9.0
env/bin/python -W ignore - <<'PY'
import torch
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.wrappers import BootStrapper

torch.manual_seed(0)
target = torch.randperm(2000) % 2                                # 9 in 10 of class 0 are found, 4 of class 1
found = torch.where(torch.rand(2000) < torch.tensor([0.9, 0.4])[target], target, 1 - target)
hit = (found == target).float()
ends = torch.tensor([0.025, 0.975])

by_class = BootStrapper(MulticlassAccuracy(num_classes=2, average="none"), num_bootstraps=200,
                        quantile=ends, raw=True)
by_class.update(found, target)
result = by_class.compute()
print("mean %s, std %s" % (result["mean"].tolist(), result["std"].tolist()))
print("quantile", result["quantile"].tolist())
assert result["mean"].shape == result["std"].shape == result["quantile"].shape == (2,)
own = [torch.quantile(result["raw"][:, label], ends) for label in (0, 1)]
for label, interval in enumerate(own):
    share = hit[target == label].mean()
    error = 1.96 * (share * (1 - share) / 1000).sqrt()            # the normal approximation, for comparison
    formula = torch.stack([share - error, share + error])
    print("class", label, "own quantiles", interval.tolist(), "by formula", formula.tolist())
    assert (interval - formula).abs().max() < 0.012
low, high = result["quantile"].tolist()
assert own[1][0] <= low < own[1][1] < own[0][0] < high <= own[0][1]

few = hit[:400]
exact = (few.var(unbiased=False) / len(few)).sqrt().item()        # a bootstrap's std of a mean
for strategy in ("poisson", "multinomial"):
    stds = []
    for size in (1, 2, 400):
        metric = BootStrapper(MulticlassAccuracy(num_classes=2, average="micro"), num_bootstraps=200,
                              sampling_strategy=strategy)
        for start in range(0, 400, size):
            metric.update(found[start : min(start + size, 400)], target[start : min(start + size, 400)])
        stds.append(metric.compute()["std"].item())
    print(strategy, "batches of 1, 2, 400: std %.4f %.4f %.4f" % tuple(stds), "by formula %.4f" % exact)
    assert abs(stds[2] / exact - 1) < 0.2
    if strategy == "multinomial":             # of the variance (n - 1) / n lies within batches of n
        assert stds[0] == 0 and abs(stds[1] / exact - 0.5**0.5) < 0.15
    else:
        assert abs(stds[0] / exact - 1) < 0.2 and abs(stds[1] / exact - 1) < 0.2
PY
