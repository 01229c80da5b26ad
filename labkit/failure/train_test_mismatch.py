"""Training and test images that were prepared differently: strength of augmentation, resolution."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from labkit.augment import Augmentation, as_float
from labkit.inputs import at_least_0, whole

SIZES = (16, 24, 32, 48, 64)
STRENGTHS = (0.0, 1.0, 2.0, 4.0)


def strength(amount: float) -> Augmentation:
    """Turns, zoom, shift and colour jitter, `amount` times those of CLIP's pretraining here.

    Raises ValueError when a field leaves its range.
    """
    amount, color = at_least_0("amount", amount), min(0.2 * amount, 1.0)
    return Augmentation(rotate=10 * amount, zoom=0.2 * amount, shift=0.1 * amount, color=color)


def resize(images: Tensor, size: int) -> Tensor:
    """Scale images (n, 3, h, w) to (n, 3, size, size), float in [0, 1], antialiased to shrink.

    Raises ValueError when `size` is less than 1.
    """
    size, images = whole("size", size, 1), as_float(images, check_range=True)
    return F.interpolate(images, (size, size), mode="bilinear", antialias=True).clamp(0, 1)
