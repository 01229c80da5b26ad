"""Accuracy against the number of labels when a closed form fits the head: many draws, instantly.

Least squares passes through every training label until there are more labels than the features
have rank, and near that number by the wildest of functions: the error peaks and falls again, double
descent (Belkin et al. 2019; in the number of samples, Nakkiran et al. 2021).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from labkit.inputs import whole
from labkit.ridge import ridge, with_one
from labkit.tasks import Task
from labkit.training import checked_task, features

NO_RIDGE = 1e-8


@dataclass(frozen=True, eq=False)
class Embedded:
    """Training and test features, float64, divided by their root mean square."""

    train: Tensor  # (n, dim + 1), the last feature is always one
    train_labels: Tensor
    test: Tensor  # (m, dim + 1)
    test_labels: Tensor

    @cached_property
    def threshold(self) -> int:
        """How many labels least squares can fit exactly, whatever they are: the features' rank.

        Features were computed in float32: what is smaller than its rounding is no direction. (A
        last LayerNorm, as the transformer's, makes features whose weighted sum is constant.)
        """
        rounding = max(self.train.shape) * torch.finfo(torch.float32).eps
        return int(torch.linalg.matrix_rank(self.train, rtol=rounding))


def embed(encoder: nn.Module, task: Task) -> Embedded:
    """Compute the features once. Raises TypeError or ValueError as `training.checked_task` does."""
    task = checked_task(task, ood=False)
    train, test = (features(encoder, part.images).double() for part in (task.train, task.test))
    scale = train.square().mean().sqrt().clamp(min=1e-12)
    train, test = with_one(train / scale), with_one(test / scale)
    return Embedded(train, task.train.labels, test, task.test.labels)


def draw_accuracies(
    data: Embedded, n: int, strength: float, draws: int, generator: Generator
) -> np.ndarray:
    """Test accuracies (draws,) of ridge regression on `n` random training images, drawn anew.

    Raises ValueError when n is not between 1 and the number of training images, or draws < 1.
    """
    n, draws = whole("n", n, 1, len(data.train)), whole("draws", draws, 1)
    rows = torch.rand(draws, len(data.train), generator=generator).topk(n, dim=1).indices
    classes = int(data.train_labels.max()) + 1
    targets = F.one_hot(data.train_labels[rows], classes).double()  # (draws, n, classes)
    weights = ridge(data.train[rows], targets, strength)  # (draws, dim + 1, classes)
    guesses = (data.test @ weights).argmax(dim=2)  # (draws, m)
    return (guesses == data.test_labels).double().mean(dim=1).numpy()
