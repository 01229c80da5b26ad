"""The linear probe: features once, then logistic regression, its strength chosen on validation."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from labkit.inputs import above_0
from labkit.tasks import Task
from labkit.threads import one_blas_thread
from labkit.training import Classifier, Fit, check_task, features

PROBE_STRENGTHS = tuple(10.0**k for k in range(-3, 3))  # scikit-learn's C; smaller is simpler


def linear_probe(
    encoder: nn.Module, task: Task, strengths: Sequence[float] = PROBE_STRENGTHS
) -> Fit:
    """Freeze the encoder, compute features once, and fit logistic regression on them.

    The strength is chosen on ID validation. As Kumar et al. (2022, appendix) do, features are
    shifted and scaled by one scalar each, which is folded back into the head.
    """
    check_task(task)
    if not strengths:
        raise ValueError("strengths: got none, accepted: one or more")
    strengths = [above_0("strengths", strength) for strength in strengths]
    train, validation = (
        features(encoder, part.images).cpu() for part in (task.train, task.validation)
    )
    labels, expected = task.train.labels.cpu(), task.validation.labels.cpu()
    mean, std = train.mean().item(), max(train.std().item(), 1e-12)
    regression = LogisticRegression(tol=1e-5, max_iter=1000, warm_start=True)
    best: tuple[float, float, nn.Linear] | None = None
    scaled = ((train - mean) / std).double().numpy()
    with one_blas_thread():
        for strength in sorted(strengths):
            regression.C = strength
            if not _converges(regression, scaled, labels):
                break  # a weaker penalty converges later still
            head = _as_linear(regression, mean, std, len(task.classes))
            right = (head(validation).argmax(dim=1) == expected).float().mean().item()
            if best is None or right > best[0]:
                best = right, strength, head
    if best is None:
        raise ValueError(f"strengths: the probe converges for none of {tuple(strengths)}")
    right, strength, head = best
    model = Classifier(copy.deepcopy(encoder), head.to(task.train.images.device)).eval()
    return Fit(model, right, chosen=strength)


def _converges(regression: LogisticRegression, x: np.ndarray, labels: Tensor) -> bool:
    """Fit; an unconverged probe is no probe."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            regression.fit(x, labels.numpy())
        except ConvergenceWarning:
            return False
    return True


@torch.no_grad()
def _as_linear(regression: LogisticRegression, mean: float, std: float, classes: int) -> nn.Linear:
    """scikit-learn's coefficients as a head on raw features; absent classes are never predicted."""
    weight, bias = (torch.from_numpy(x).float() for x in (regression.coef_, regression.intercept_))
    if len(weight) == 1:  # two classes: scikit-learn keeps one row, for the second of them
        weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
    head = nn.Linear(weight.shape[1], classes)
    head.weight.zero_()
    head.bias.fill_(-1e9)
    seen = torch.from_numpy(regression.classes_)
    head.weight[seen] = weight / std
    head.bias[seen] = bias - (weight * mean / std).sum(dim=1)
    return head
