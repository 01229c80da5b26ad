"""Colour arithmetic for a whole batch: each image has its own amounts, and nothing here is random.

Images are float `(n, 3, h, w)` in [0, 1], and so are results; amounts are `(n,)`, finite, or a
ValueError names them. The `adjust_` functions are torchvision's, one for one, but for every image
at once. `color_matrices` gives up some of that exactness to do all four in a single matrix product.
"""

from __future__ import annotations

import math
from itertools import permutations

import torch
from torch import Tensor

LUMA = (0.2989, 0.587, 0.114)  # how bright red, green and blue look (torchvision's weights)
LARGEST = 1e6  # amount: products of four are finite still


def luma(images: Tensor) -> Tensor:
    """Return how bright each pixel looks: (n, 3, h, w) float -> (n, 1, h, w)."""
    red, green, blue = images.split(1, dim=1)
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def mean_luma(images: Tensor) -> Tensor:
    """Return how bright each image looks on average: (n, 3, h, w) float -> (n,)."""
    return images.mean(dim=(2, 3)) @ torch.tensor(LUMA, device=images.device)


def adjust_in_order(images: Tensor, amounts: list[Tensor], orders: Tensor) -> Tensor:
    """Apply the four adjustments; image i takes them in the `orders[i]`-th of their 24 orders.

    amounts: brightness, contrast, saturation and hue, each (n,); orders: (n,), 0 to 23, or -1 for
    an image that stays as it is.
    """
    steps = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
    images = images.clone()  # the caller's stay as they are
    for number, order in enumerate(permutations(range(4))):
        rows = (orders == number).nonzero()[:, 0]  # images that share an order go together
        group = images.index_select(0, rows)
        for step in order:
            group = steps[step](group, amounts[step][rows])
        images.index_copy_(0, rows, group)
    return images


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each image with black: a factor of 0 is black, 1 the image."""
    _check(images, factor=factor)
    return (images * _per_image(factor)).clamp_(0, 1)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each image with its mean grey: a factor of 0 is that grey, 1 the image."""
    _check(images, factor=factor)
    gray_part = (1 - factor) * mean_luma(images)
    return (images * _per_image(factor)).add_(_per_image(gray_part)).clamp_(0, 1)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend each pixel with its own grey: a factor of 0 is a grey image, 1 the image."""
    _check(images, factor=factor)
    return luma(images).lerp(images, _per_image(factor)).clamp_(0, 1)


def adjust_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn each image's colour wheel (the H of HSV) by `turns`, where 1 is all the way round.

    Six sectors make a turn; red sits at 0, green at 2, blue at -2. A channel's share of the chroma
    is 1 up to one sector away from its own place, 0 from two sectors on, linear in between. Hence
    the sector, without cases: 1 + (green's share + blue's - red's), negative on the blue side.
    """
    _check(images, turns=turns)
    red, green, blue = images.unbind(1)  # (n, h, w) each
    low = red.minimum(green).minimum(blue)
    chroma = red.maximum(green).maximum(blue) - low
    shares = (green + blue - red - low) / chroma.clamp(min=1e-12)  # a grey pixel has no hue to turn
    sector = (shares + 1).copysign(green - blue)  # -3 to 3
    sector += 6 * turns[:, None, None]
    sector -= 6 * (sector / 6).round()  # -3 to 3 again
    place = torch.tensor([0.0, 2.0, -2.0], device=images.device)[:, None, None]
    # Three sectors away is the far side of the wheel, so count from there.
    opposite = (sector[:, None] - place).abs_().sub_(3).abs_()  # (n, 3, h, w), 3 - distance
    share = opposite.sub_(1).clamp_(0, 1)
    return torch.addcmul(low[:, None], chroma[:, None], share).clamp_(0, 1)


def color_matrices(
    brightness: Tensor, contrast: Tensor, saturation: Tensor, turns: Tensor, means: Tensor
) -> tuple[Tensor, Tensor]:
    """Compose all four adjustments into matrices (n, 3, 3) and offsets (n, 3, 1).

    `means` is each image's mean luma. Three things are approximate. Nothing is clipped between the
    steps. Hue comes last (the other three commute, so their order does not matter). And hue turns
    about the grey axis of RGB, which is HSV's turn only at thirds of the wheel: it moves a colour
    along a circle instead of a hexagon. Mean change of an emoji's pixel by the exact jitter, and
    how far this is from it: strength 0.4, 0.117 and 0.006; hue 0.1, 0.024 and 0.018; both, 0.128
    and 0.020.
    """
    _check(means, brightness=brightness, contrast=contrast, saturation=saturation)
    _check(means, turns=turns, means=means)
    eye = torch.eye(3, device=means.device)
    mean = torch.full((3, 3), 1 / 3, device=means.device)  # projects on the grey axis
    cross = eye.roll(1, 0) - eye.roll(-1, 0)  # a quarter turn about it, times the square root of 3
    gray = torch.tensor(LUMA, device=means.device).expand(3, 3)  # every channel becomes the luma
    angle = 2 * math.pi * _per_matrix(turns)
    turn = mean + angle.cos() * (eye - mean) + angle.sin() * cross / math.sqrt(3)
    saturation = _per_matrix(saturation)
    matrices = _per_matrix(brightness * contrast) * (saturation * turn + (1 - saturation) * gray)
    offsets = _per_matrix(brightness * (1 - contrast) * means).expand(-1, 3, 1)
    return matrices, offsets


def _check(images: Tensor, **amounts: Tensor) -> None:
    for name, values in amounts.items():
        if values.shape != images.shape[:1] or not values.abs().le(LARGEST).all():
            raise ValueError(
                f"{name}: got shape {tuple(values.shape)}, accepted: ({len(images)},), a number "
                f"for each image, from -{LARGEST:g} to {LARGEST:g}"
            )


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]  # (n,) -> (n, 1, 1, 1), beside (n, 3, h, w)


def _per_matrix(values: Tensor) -> Tensor:
    return values[:, None, None]  # (n,) -> (n, 1, 1), beside (n, 3, 3)
