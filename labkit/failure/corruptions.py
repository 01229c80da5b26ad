"""Graded damage to small images: the shifts of ImageNet-C (Hendrycks & Dietterich 2019).

Severity runs from 1 (barely seen) to 5 (hard for people too); 0 changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from labkit.augment import affine_box, as_float, blur, warp
from labkit.inputs import check_choice
from labkit.tasks import Examples, Task

# corruption -> its amount at severities 1 to 5
AMOUNTS = {
    "rotation": (15, 30, 45, 60, 90),  # degrees, clockwise or anticlockwise by chance
    "noise": (0.05, 0.1, 0.2, 0.3, 0.4),  # standard deviation, on a scale from black 0 to white 1
    "blur": (0.5, 1.0, 1.5, 2.0, 3.0),  # standard deviation in pixels
    "inversion": (0.2, 0.4, 0.6, 0.8, 1.0),  # share of the negative mixed in
}


def corrupt(images: Tensor, kind: str, severity: int, generator: Generator) -> Tensor:
    """Damage images (n, 3, h, w) uint8; the result has the same shape and type.

    Raises ValueError for a `kind` not in AMOUNTS or a `severity` not in 0 to 5.
    """
    check_choice("kind", (kind,), tuple(AMOUNTS))
    check_choice("severity", (severity,), range(6))
    if severity == 0:
        return images
    damaged = _APPLY[kind](as_float(images), AMOUNTS[kind][severity - 1], generator)
    return damaged.clamp(0, 1).mul(255).round().to(torch.uint8)


def with_corruptions(
    task: Task, kind: str, generator: Generator, severities: Sequence[int] = range(1, 6)
) -> Task:
    """The task with its ID test images, damaged more and more, as OOD tests."""
    damaged = {
        f"{kind} {severity}": Examples(
            corrupt(task.test.images, kind, severity, generator), task.test.labels
        )
        for severity in severities
    }
    return replace(task, name=f"{task.name}, {kind}", ood=damaged)


def _rotate(images: Tensor, degrees: float, generator: Generator) -> Tensor:
    n = len(images)
    sign = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    zero, one, aspect = torch.zeros(n), torch.ones(n), images.shape[3] / images.shape[2]
    return warp(images, affine_box(zero, zero, one, one, (sign * degrees).deg2rad(), aspect))


def _add_noise(images: Tensor, std: float, generator: Generator) -> Tensor:
    return images + std * torch.randn(images.shape, generator=generator)


def _blur(images: Tensor, sigma: float, generator: Generator) -> Tensor:
    radius = min(int(3 * sigma + 1), images.shape[2] - 1, images.shape[3] - 1)
    return blur(images, torch.full((len(images),), sigma), radius)


def _invert(images: Tensor, share: float, generator: Generator) -> Tensor:
    return (1 - share) * images + share * (1 - images)


_APPLY = {"rotation": _rotate, "noise": _add_noise, "blur": _blur, "inversion": _invert}
