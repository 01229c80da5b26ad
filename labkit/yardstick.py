"""What a sweep writes down of every network: accuracies, and how far features have moved."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from labkit.evaluate import movement
from labkit.tasks import Task
from labkit.training import Fit, features


class Yardstick:
    """Measures networks that were trained on one task from one encoder."""

    def __init__(self, encoder: nn.Module, task: Task) -> None:
        self.tests = {"id": task.test, **task.ood}
        self.start = self.features(encoder)

    def features(self, encoder: nn.Module) -> dict[str, Tensor]:
        """Test -> features (n, dim) of its images."""
        return {name: features(encoder, test.images) for name, test in self.tests.items()}

    @torch.no_grad()
    def __call__(self, fit: Fit) -> dict[str, str]:
        """Accuracies and movement of the test images' features; OOD is the mean over its tests."""
        found = self.features(fit.model.encoder)
        right = {
            name: (fit.model.head(x).argmax(dim=1) == self.tests[name].labels).float().mean().item()
            for name, x in found.items()
        }
        moved = {name: movement(self.start[name], x).mean for name, x in found.items()}
        return {
            "validation": f"{fit.validation:.4f}",
            "id": f"{right.pop('id'):.4f}",
            "ood": f"{np.mean(list(right.values())):.4f}",
            "moved_id": f"{moved.pop('id'):.4g}",
            "moved_ood": f"{np.mean(list(moved.values())):.4g}",
        }
