"""Images unlike the training images: graded damage, other augmentation, other resolution.

Noise and blur are two of ImageNet-C's kinds (Hendrycks & Dietterich 2019), with amounts for small
images; rotation and inversion are ours. Severity is 1 (barely seen) to 5 (hard for people too).
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from labkit.augment import Augmentation, affine_box, as_float, blur, warp
from labkit.inputs import at_least_0, check_choice, whole
from labkit.tasks import Examples, Task, checked

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
    x, amount = as_float(images), AMOUNTS[kind][severity - 1]
    n, _, height, width = x.shape
    if kind == "rotation":
        draws = torch.rand(n, generator=generator, dtype=x.dtype)
        zero, one = torch.zeros_like(draws), torch.ones_like(draws)
        angle = torch.where(draws < 0.5, -one, one).mul(amount).deg2rad()
        x = warp(x, affine_box(zero, zero, one, one, angle, aspect=width / height))
    elif kind == "noise":
        x = x + amount * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    elif kind == "blur":
        x = blur(x, x.new_full((n,), amount), int(3 * amount + 1))
    else:
        x = (1 - amount) * x + amount * (1 - x)
    return x.clamp(0, 1).mul(255).round().to(torch.uint8)


def with_corruptions(
    task: Task, kind: str, generator: Generator, severities: Sequence[int] = range(1, 6)
) -> Task:
    """The task with its ID test images, damaged more and more, as OOD tests."""
    test = checked("task.test", task.test, len(task.classes))
    damaged = {s: corrupt(test.images, kind, s, generator) for s in severities}
    ood = {f"{kind} {s}": Examples(images, test.labels) for s, images in damaged.items()}
    return replace(task, name=f"{task.name}, {kind}", ood=ood)


def strength(amount: float) -> Augmentation:
    """Turns, zoom, shift and colour jitter, `amount` times those of CLIP's pretraining here."""
    amount, color = at_least_0("amount", amount), min(0.2 * amount, 1.0)
    return Augmentation(rotate=10 * amount, zoom=0.2 * amount, shift=0.1 * amount, color=color)


def resize(images: Tensor, size: int) -> Tensor:
    """Scale images (n, 3, h, w) to (n, 3, size, size), float in [0, 1], antialiased to shrink."""
    size, images = whole("size", size, 1), as_float(images, check_range=True)
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True).clamp(0, 1)
