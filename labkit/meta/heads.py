"""Algorithms A that leave the features alone: class means, ridge and logistic regression on them.

All but the last are closed forms, differentiable in the encoder's weights theta. A label is a
column: labels are 0 to N-1, each in every task (`labels.unique(return_inverse=True)[1]` makes so).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from labkit.inputs import above_0, refused
from labkit.ridge import finite_or_raise, ridge, with_one
from labkit.threads import one_blas_thread

Function = Callable[[Tensor], Tensor]  # f_i of every task: x (tasks, m, ...) -> (tasks, m, ...)


@dataclass(frozen=True)
class Prototypes:
    """A(D, theta): the class means of the features by `encoder`, whose weights are theta."""

    encoder: nn.Module

    def __call__(self, support_x: Tensor, support_y: Tensor) -> Function:
        one_hot(support_x, support_y)
        support = embed(self.encoder, support_x)
        return lambda x: prototypical_logits(support, support_y, embed(self.encoder, x))


@dataclass(frozen=True)
class RidgeHead:
    """A(D, theta): ridge regression of one-hot labels on features (R2-D2, Bertinetto 2019)."""

    encoder: nn.Module
    strength: float = 1.0

    def __call__(self, support_x: Tensor, support_y: Tensor) -> Function:
        targets = one_hot(support_x, support_y)
        support = embed(self.encoder, support_x)
        weights = ridge(with_one(support), targets.to(support.dtype), self.strength)
        return lambda x: with_one(embed(self.encoder, x)) @ weights  # (tasks, m, classes)


@dataclass(frozen=True)
class LogisticHead:
    """A(D, theta): scikit-learn's logistic regression on frozen features, task by task.

    A task's features are divided by the root mean square of its support's, so that `strength`
    (scikit-learn's C) means the same for every encoder. Not differentiable in theta.
    """

    encoder: nn.Module
    strength: float = 1.0

    def __call__(self, support_x: Tensor, support_y: Tensor) -> Function:
        strength = above_0("strength", self.strength)
        one_hot(support_x, support_y)
        support = embed(self.encoder, support_x).detach()  # (tasks, n, dim)
        scale = support.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=1e-12)
        with one_blas_thread():
            regressions = [
                LogisticRegression(C=strength, max_iter=1000).fit(x.numpy(), y.numpy())
                for x, y in zip(support / scale, support_y, strict=True)
            ]

        def predict(x: Tensor) -> Tensor:
            queries = embed(self.encoder, x).detach() / scale
            pairs = zip(regressions, queries, strict=True)
            scores = torch.tensor(np.stack([r.decision_function(q.numpy()) for r, q in pairs]))
            if scores.dim() == 2:  # two classes: the second's score, the first's being 0
                scores = torch.stack([torch.zeros_like(scores), scores], dim=2)
            return scores.to(queries.dtype)  # (tasks, m, classes)

        return predict


def one_hot(support_x: Tensor, support_y: Tensor) -> Tensor:
    """(tasks, n) -> (tasks, n, classes). Raises ValueError for labels that are not 0 to N-1."""
    if support_y.shape != support_x.shape[:2] or support_y.is_floating_point():
        got = f"{support_y.dtype}, shape {tuple(support_y.shape)}"
        raise refused("support_y", got, "whole numbers, (tasks, n) as support_x")
    labels = support_y.unique().tolist()
    if labels != list(range(len(labels))):
        raise refused("support_y", f"labels {labels}", "0 to N-1, all of them")
    return members("support_y", support_y)


def members(name: str, index: Tensor) -> Tensor:
    """(..., n) -> (..., n, classes). Raises ValueError for a task that lacks a class."""
    found = F.one_hot(index.long())
    if not found.any(dim=-2).all():
        raise ValueError(f"{name}: every task needs an example of every class")
    return found


def embed(encoder: nn.Module, x: Tensor) -> Tensor:
    """(tasks, n, ...) -> features (tasks, n, dim), by the same weights for every task."""
    features = encoder(x.flatten(0, 1)).unflatten(0, x.shape[:2])
    return finite_or_raise(features, "support or query: the encoder's features")


def prototypical_logits(support: Tensor, support_labels: Tensor, query: Tensor) -> Tensor:
    """Minus the squared Euclidean distance of each query to each class mean (Snell et al. 2017).

    support (..., n, dim), support_labels (..., n), query (..., m, dim) -> (..., m, classes), where
    classes are the distinct labels in rising order. Raises ValueError for shapes that do not fit,
    or when a task lacks a class that another one has, FloatingPointError for features not finite.
    """
    fits = support.shape[:-1] == support_labels.shape and support.shape[-1] == query.shape[-1]
    if not fits or support.shape[:-2] != query.shape[:-2] or not support_labels.numel():
        raise ValueError(
            f"support {tuple(support.shape)}, support_labels {tuple(support_labels.shape)}, query "
            f"{tuple(query.shape)}: accepted (..., n, dim), (..., n) and (..., m, dim), n above 0"
        )
    _, index = support_labels.unique(return_inverse=True)
    member = members("support_labels", index).to(support.dtype)
    means = member.mT @ support / member.sum(dim=-2)[..., None]  # (..., classes, dim)
    logits = -(query[..., :, None, :] - means[..., None, :, :]).square().sum(dim=-1)
    return finite_or_raise(logits, "support, query: the distances")
