"""Random changes to a batch of images: each image draws its own, and all of them move at once.

Images come in as `(n, 3, h, w)`, uint8 in [0, 255] or floating in [0, 1], and leave as float32 in
[0, 1]. All randomness comes from an explicit `torch.Generator`. There is no loop over images: crop,
rotation, zoom, shift and flip are one `grid_sample`; blur is two matrix products; colour jitter is
either exactly torchvision's, applied together to the images that drew the same order of steps, or
(`exact_color=False`) one 3 x 3 matrix and an offset per image.

What an augmentation destroys, the encoder learns to ignore. Flips erase "left arrow", colour jitter
erases "red heart": each field of `Augmentation` is a statement about what does not matter.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from labkit.color import adjust_in_order, color_matrices, luma, mean_luma

BLOCK = 256  # images at once on a CPU: 32-pixel ones then stay in its cache, 1.5 times as fast


@dataclass(frozen=True)
class Augmentation:
    """Which changes to draw, and how strongly. Everything is off at 0, so `Augmentation()` is none.

    `augmentation(images, generator)` gives float32 `(n, 3, h, w)` in [0, 1]; ValueError names a
    field or an input it cannot take.
    """

    crop: float = 0.0  # keep a box of at least 1 - crop of the area: parts stand for the whole
    rotate: float = 0.0  # degrees either way: small tilts keep arrows and clock hands readable
    zoom: float = 0.0  # up to 1 + zoom times larger or smaller: styles fill their tile differently
    shift: float = 0.0  # share of the side: styles sit differently in their tile
    fill: float | None = 1.0  # outside is white, as behind every emoji; None repeats the edge
    flip: float = 0.0  # probability of a left-right mirror image
    color: float = 0.0  # brightness, contrast, saturation are scaled by 1 - color to 1 + color
    hue: float = 0.0  # turns of the colour wheel either way, at most half a turn
    color_probability: float = 0.8  # SimCLR's: a fifth of the images keep their colours
    gray: float = 0.0  # probability of losing colour altogether: forbids the colour shortcut
    blur: float = 0.0  # largest standard deviation in pixels: soft edges
    blur_probability: float = 0.5  # SimCLR's: half of the images stay sharp
    exact_color: bool = True  # torchvision's jitter; False: nearly the same, several times faster

    def __post_init__(self) -> None:
        fields = asdict(self)
        if not isinstance(fields.pop("exact_color"), bool):
            raise ValueError(f"exact_color must be True or False, got {self.exact_color!r}")
        _check(**fields)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        on_cpu = isinstance(images, Tensor) and images.device.type == "cpu"
        if not on_cpu or len(images) <= BLOCK:
            return self._augment(images, generator)
        return torch.cat([self._augment(block, generator) for block in images.split(BLOCK)])

    def _augment(self, images: Tensor, generator: Generator) -> Tensor:
        images = as_float(images, check_range=True)
        images = random_affine(
            images, generator, self.crop, self.rotate, self.zoom, self.shift, self.flip, self.fill
        )
        colors = (images, generator, self.color, self.hue, self.color_probability)
        if self.exact_color:
            images = grayscale(color_jitter(*colors), generator, self.gray)
        else:
            images = approximate_color(*colors, self.gray)
        return gaussian_blur(images, generator, self.blur, self.blur_probability)


# ---------------------------------------------------------------- where pixels come from


def horizontal_flip(images: Tensor, generator: Generator, probability: float = 0.5) -> Tensor:
    """Mirror each image left to right with `probability`: (n, 3, h, w) -> the same shape."""
    _check(probability=probability)
    images = as_float(images)
    chosen = _uniform(images, generator, 0, 1) < probability  # (n,)
    return torch.where(_per_image(chosen), images.flip(3), images)


def random_affine(
    images: Tensor,
    generator: Generator,
    crop: float = 0.0,
    rotate: float = 0.0,
    zoom: float = 0.0,
    shift: float = 0.0,
    flip: float = 0.0,
    fill: float | None = 1.0,
) -> Tensor:
    """Crop, rotate, zoom, shift and mirror each image in one step: (n, 3, h, w) -> the same shape.

    The arguments are `Augmentation`'s fields. The random resized crop differs from torchvision's in
    one way: a box that would leave the image is clipped to it instead of drawn again.
    """
    _check(crop=crop, rotate=rotate, zoom=zoom, shift=shift, flip=flip, fill=fill)
    images = as_float(images)
    if crop == rotate == zoom == shift == 0:  # a mirror image alone needs no interpolation
        return horizontal_flip(images, generator, flip) if flip else images

    def draw(low: float, high: float) -> Tensor:
        return _uniform(images, generator, low, high)

    area = draw(1 - crop, 1)
    stretch = draw(-1, 1).mul(math.log(4 / 3) / 2).exp() if crop else 1  # sqrt(width / height)
    width = (area.sqrt() * stretch).clamp(max=1)  # of the box, as a share of the image's
    height = (area.sqrt() / stretch).clamp(max=1)
    center_x = (1 - width) * draw(-1, 1) + 2 * shift * draw(-1, 1)  # the image spans [-1, 1]
    center_y = (1 - height) * draw(-1, 1) + 2 * shift * draw(-1, 1)
    larger = (draw(-1, 1) * math.log1p(zoom)).exp()
    angle = draw(-1, 1) * math.radians(rotate)
    mirror = torch.where(draw(0, 1) < flip, -1.0, 1.0)
    aspect = images.shape[3] / images.shape[2]
    width, height = mirror * width / larger, height / larger
    if rotate == zoom == shift == 0:
        fill = None  # a crop stays inside the image, so what is outside must not tint its edge
    return warp(images, affine_box(center_x, center_y, width, height, angle, aspect), fill)


def affine_box(
    center_x: Tensor, center_y: Tensor, width: Tensor, height: Tensor, angle: Tensor, aspect: float
) -> Tensor:
    """Return (n, 2, 3) matrices from output to input coordinates, both in [-1, 1].

    The arguments but the last are (n,): they place the box of the input that becomes the output.
    Centre and size are in half image sides, a negative width mirrors, `angle` (radians) turns the
    box clockwise. `aspect` is the image's width / height: a rotation is only one in pixels.
    """
    cos, sin = angle.cos(), angle.sin()
    row_x = torch.stack([cos * width, -sin * height / aspect, center_x], dim=1)  # (n, 3)
    row_y = torch.stack([sin * width * aspect, cos * height, center_y], dim=1)
    return torch.stack([row_x, row_y], dim=1)


def warp(images: Tensor, box: Tensor, fill: float | None = 1.0) -> Tensor:
    """Sample float images (n, 3, h, w) bilinearly at `box` (n, 2, 3).

    Outside the images lies `fill`, or if that is None, their nearest pixel.
    """
    h, w = images.shape[2:]
    x = (torch.arange(w, device=images.device) * 2 + 1) / w - 1  # pixel centres between -1 and 1
    y = (torch.arange(h, device=images.device) * 2 + 1) / h - 1
    # The same as F.affine_grid, 30 times faster: a point is one complex number, x + iy.
    across, down, center = torch.complex(box[:, 0], box[:, 1])[..., None, None].unbind(1)
    grid = torch.view_as_real(across * x + (down * y[:, None] + center))  # (n, h, w, 2)
    if fill is None:
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False).clamp_(0, 1)
    # grid_sample puts 0 outside, so make `fill` the zero for as long as it looks.
    return F.grid_sample(images - fill, grid, align_corners=False).add_(fill).clamp_(0, 1)


def gaussian_blur(
    images: Tensor, generator: Generator, sigma: float, probability: float = 1.0
) -> Tensor:
    """Blur each image with `probability`, by its own standard deviation from 0.1 to `sigma` pixels.

    (n, 3, h, w) -> the same shape. Beyond the border the image is reflected, as in torchvision.
    """
    _check(sigma=sigma, probability=probability)
    images = as_float(images)
    if sigma == 0 or probability == 0:
        return images
    sigmas = _uniform(images, generator, min(0.1, sigma), sigma)
    rows = _chosen(images, generator, probability)
    radius = min(math.ceil(3 * sigma), min(images.shape[2:]) - 1)
    return images.index_copy(0, rows, blur(images[rows], sigmas[rows], radius))


def blur(images: Tensor, sigmas: Tensor, radius: int) -> Tensor:
    """Blur float images (n, 3, h, w) by `sigmas` (n,) pixels; kernels reach `radius` pixels.

    A blur along a row is a matrix product, and so is one along a column.
    """
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    kernels = (-0.5 * (offsets / sigmas.clamp(min=1e-6)[:, None]) ** 2).exp()  # (n, 2 radius + 1)
    kernels = kernels / kernels.sum(dim=1, keepdim=True)
    rows, columns = (_blur_matrices(kernels, side)[:, None] for side in images.shape[2:])
    return (rows @ images @ columns.mT).clamp_(0, 1)


def _blur_matrices(kernels: Tensor, side: int) -> Tensor:
    """Spread kernels (n, 2 radius + 1) over a side of the image: (n, side, side), rows sum to 1."""
    radius = kernels.shape[1] // 2
    eye = torch.eye(side, device=kernels.device)[None]  # (1, from, to)
    reflected = F.pad(eye, (radius, radius), mode="reflect")[0]  # (from, side + 2 radius)
    windows = reflected.unfold(1, kernels.shape[1], 1)  # (from, to, 2 radius + 1)
    return torch.einsum("nk,ftk->ntf", kernels, windows)


# ---------------------------------------------------------------- what colour they have


def color_jitter(
    images: Tensor,
    generator: Generator,
    strength: float = 0.4,
    hue: float = 0.1,
    probability: float = 1.0,
) -> Tensor:
    """Change brightness, contrast, saturation and hue with `probability`, each image by its own.

    (n, 3, h, w) -> the same shape. The first three are factors from 1 - strength to 1 + strength,
    the last is up to `hue` turns of the colour wheel. As in torchvision's ColorJitter, each image
    takes the four steps in an order of its own and is clipped to [0, 1] after each.
    """
    _check(strength=strength, hue=hue, probability=probability)
    images = as_float(images)
    if strength == hue == 0:
        return images
    amounts = draw_colors(images, generator, strength, hue)
    orders = _uniform(images, generator, 0, 24).long()  # which of the 4! orders
    changed = _uniform(images, generator, 0, 1) < probability
    return adjust_in_order(images, amounts, orders.where(changed, -1))


def approximate_color(
    images: Tensor,
    generator: Generator,
    strength: float = 0.4,
    hue: float = 0.1,
    probability: float = 1.0,
    gray: float = 0.0,
) -> Tensor:
    """Do nearly what `color_jitter` and then `grayscale` do, by one matrix per image, and faster.

    (n, 3, h, w) -> the same shape. `labkit.color.color_matrices` says what is approximated.
    """
    _check(strength=strength, hue=hue, probability=probability, gray=gray)
    images = as_float(images)
    if strength == hue == gray == 0:
        return images
    *factors, turns = draw_colors(images, generator, strength, hue)
    changed = _uniform(images, generator, 0, 1) < probability
    colorful = _uniform(images, generator, 0, 1) >= gray
    brightness, contrast, saturation = (factor.where(changed, 1.0) for factor in factors)
    matrices, offsets = color_matrices(
        brightness, contrast, saturation * colorful, turns * changed, mean_luma(images)
    )
    colors = torch.baddbmm(offsets, matrices, images.flatten(2))  # (n, 3, h * w)
    return colors.clamp_(0, 1).view_as(images)


def draw_colors(images: Tensor, generator: Generator, strength: float, hue: float) -> list[Tensor]:
    """Draw each image's brightness, contrast and saturation factors and turns of hue: four (n,)."""
    factors = [_uniform(images, generator, 1 - strength, 1 + strength) for _ in range(3)]
    return [*factors, _uniform(images, generator, -hue, hue)]


def grayscale(images: Tensor, generator: Generator, probability: float = 0.2) -> Tensor:
    """Replace all three channels by the luma with `probability`: (n, 3, h, w) -> the same shape."""
    _check(probability=probability)
    images = as_float(images)
    if probability == 0:
        return images
    rows = _chosen(images, generator, probability)
    return images.index_copy(0, rows, luma(images[rows]).expand(-1, 3, -1, -1))


# ---------------------------------------------------------------- inputs and draws


def as_float(images: Tensor, check_range: bool = False) -> Tensor:
    """Return images (n, 3, h, w), uint8 in [0, 255] or floating in [0, 1], as float32 in [0, 1]."""
    fits = isinstance(images, Tensor) and images.dim() == 4 and images.shape[1] == 3
    if not fits or 0 in images.shape[2:]:
        got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise ValueError(f"images must be a tensor of shape (n, 3, height, width), got {got}")
    if images.dtype == torch.uint8:
        return images.to(torch.float32).div_(255)
    if not images.is_floating_point():
        raise ValueError(f"images must be uint8 or floating, got {images.dtype}")
    if check_range and images.numel() and not 0 <= images.min() <= images.max() <= 1:
        raise ValueError(
            f"floating images must lie in [0, 1], got {images.min():.3g} to {images.max():.3g};"
            " give images in [0, 255] as uint8"
        )
    return images.to(torch.float32)


def _uniform(images: Tensor, generator: Generator, low: float, high: float) -> Tensor:
    """Draw one number per image in [low, high): on the generator's device, moved to the images'."""
    if not isinstance(generator, Generator):
        raise ValueError(f"generator must be a torch.Generator, got {type(generator).__name__}")
    draws = torch.rand(len(images), generator=generator, device=generator.device)
    return draws.mul_(high - low).add_(low).to(images.device)


def _chosen(images: Tensor, generator: Generator, probability: float) -> Tensor:
    """Draw which images are changed: the row numbers of about `probability` of them."""
    return (_uniform(images, generator, 0, 1) < probability).nonzero()[:, 0]


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]  # (n,) -> (n, 1, 1, 1), beside (n, 3, h, w)


LARGEST = {"rotate": 180, "zoom": 10, "hue": 0.5, "blur": 100, "sigma": 100}  # 1 for all others


def _check(**values: float) -> None:
    """Refuse a value that is not a number from 0 to its largest."""
    for name, value in values.items():
        if name == "fill" and value is None:
            continue
        largest = LARGEST.get(name, 1)
        if not isinstance(value, (int, float)) or not 0 <= value <= largest:
            raise ValueError(f"{name} must be a number from 0 to {largest}, got {value!r}")


# ---------------------------------------------------------------- presets

# Two views of one image, no captions. Crop as in MoCo v1, since a smaller box of an emoji is often
# blank; colours as in SimCLR for CIFAR-10 (strength .5), which also leaves out blur at 32 pixels.
SIMCLR = Augmentation(crop=0.8, flip=0.5, color=0.4, hue=0.1, gray=0.2, exact_color=False)

# Beside a caption: no flip ("left arrow"), no turn of hue ("red heart"), nothing cropped away that
# the caption names.
CLIP = Augmentation(rotate=10, zoom=0.2, shift=0.1, color=0.4, gray=0.1, exact_color=False)
