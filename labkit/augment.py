"""Random changes to a batch of images: each image draws its own, and all of them move at once.

Images come in as `(n, 3, h, w)`, uint8 in [0, 255] or floating in [0, 1], and leave as float32 in
[0, 1]. All randomness comes from an explicit `torch.Generator`. There is no loop over images: crop,
rotation, zoom, shift and flip are one `grid_sample`; blur is two matrix products; colour jitter is
one 3 x 3 matrix and an offset per image.

What an augmentation destroys, the encoder learns to ignore. Flips erase "left arrow", colour jitter
erases "red heart": each field of `Augmentation` is a statement about what does not matter.
"""

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from labkit.inputs import in_range, real, refused

LARGEST = {"rotate": 180, "zoom": 10, "hue": 0.5, "blur": 100}  # of a field; 1 of all others
BLOCK = 256  # images at once on a CPU: 32-pixel ones then stay in its cache, 1.5 times as fast


@dataclass(frozen=True)
class Augmentation:
    """Which changes to draw, and how strongly. Everything is off at 0, so `Augmentation()` is none.

    `augmentation(images, generator)` gives float32 `(n, 3, h, w)` in [0, 1]; ValueError names a
    field or an input it cannot take.
    """

    crop: float = 0.0  # keep a box of about 1 - crop of the area or more: parts stand for the whole
    rotate: float = 0.0  # degrees either way: small tilts keep arrows and clock hands readable
    zoom: float = 0.0  # up to 1 + zoom times larger or smaller: styles fill their tile differently
    shift: float = 0.0  # share of the side: styles sit differently in their tile
    fill: float | None = 1.0  # outside is white, as behind every emoji; None repeats the edge
    flip: float = 0.0  # probability of a left-right mirror image
    color: float = 0.0  # brightness, contrast, saturation are scaled by 1 - color to 1 + color
    hue: float = 0.0  # turns of the colour wheel either way, at most half a turn
    color_probability: float = 0.8  # SimCLR's: a fifth of the images keep their colours
    gray: float = 0.0  # probability of losing colour altogether: forbids the colour shortcut
    tint: float = 0.0  # probability that what is drawn in black and white gets a colour: icons are
    blur: float = 0.0  # largest standard deviation in pixels: soft edges
    blur_probability: float = 0.5  # SimCLR's: half of the images stay sharp

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name != "fill" or value is not None:
                real(name, value, LARGEST.get(name, 1))

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        on_cpu = isinstance(images, Tensor) and images.device.type == "cpu"
        if not on_cpu or len(images) <= BLOCK:
            return self._augment(images, generator)
        return torch.cat([self._augment(block, generator) for block in images.split(BLOCK)])

    def _augment(self, images: Tensor, generator: Generator) -> Tensor:
        given, images = images, self._tint(as_float(images, check_range=True), generator)
        images = self._recolor(self._move(images, generator), generator)
        images = self._soften(images, generator)
        return images.clone() if images is given else images  # never the caller's own

    def _tint(self, images: Tensor, generator: Generator) -> Tensor:
        """Draw black-and-white images in one colour each; white stays white.

        The colour's red, green and blue are uniform from 0 to .9. Images with any colour of their
        own are left as they are.
        """
        if self.tint == 0:
            return images
        colourless = (images.amax(dim=1) - images.amin(dim=1)).flatten(1).amax(dim=1) < 0.02  # (n,)
        chosen = colourless & (_uniform(images, generator, 0, 1) < self.tint)
        colour = torch.stack([_uniform(images, generator, 0, 0.9) for _ in range(3)], dim=1)
        tinted = 1 - (1 - images) * (1 - colour)[:, :, None, None]
        return torch.where(chosen[:, None, None, None], tinted, images)

    def _move(self, images: Tensor, generator: Generator) -> Tensor:
        """Crop, rotate, zoom, shift and mirror each image in one step.

        The random resized crop differs from torchvision's in two ways: a box that would leave the
        image is clipped to it instead of drawn again, and its width to height, from 3/4 to 4/3, is
        in units of the image's own (which for square images is the same).
        """

        def draw(low: float, high: float) -> Tensor:
            return _uniform(images, generator, low, high)

        inside = self.rotate == self.zoom == self.shift == 0
        if inside and self.crop == 0:  # a mirror image alone needs no interpolation
            if not self.flip:
                return images
            mirrored = draw(0, 1) < self.flip
            return torch.where(mirrored[:, None, None, None], images.flip(3), images)
        area = draw(1 - self.crop, 1)
        # The square root of width / height.
        stretch = draw(-1, 1).mul(math.log(4 / 3) / 2).exp() if self.crop else 1
        width = (area.sqrt() * stretch).clamp(max=1)  # of the box, as a share of the image's
        height = (area.sqrt() / stretch).clamp(max=1)
        center_x = (1 - width) * draw(-1, 1) + 2 * self.shift * draw(-1, 1)  # it spans [-1, 1]
        center_y = (1 - height) * draw(-1, 1) + 2 * self.shift * draw(-1, 1)
        larger = (draw(-1, 1) * math.log1p(self.zoom)).exp()
        angle = draw(-1, 1) * math.radians(self.rotate)
        mirror = 1 - 2 * (draw(0, 1) < self.flip).float()
        aspect = images.shape[3] / images.shape[2]
        width, height = mirror * width / larger, height / larger
        # A crop stays inside the image, so what is outside must not tint its edge.
        fill = None if inside else self.fill
        return warp(images, affine_box(center_x, center_y, width, height, angle, aspect), fill)

    def _recolor(self, images: Tensor, generator: Generator) -> Tensor:
        """Change brightness, contrast, saturation and hue, each image by its own.

        The first three are factors, the last is up to `hue` turns of the colour wheel. Nearly
        torchvision's ColorJitter and RandomGrayscale: `color_matrices` says how nearly. A grey
        image is that of the colours before the hue was turned, torchvision's of those after.
        """
        if self.color == self.hue == self.gray == 0:
            return images
        low, high = 1 - self.color, 1 + self.color
        factors = [_uniform(images, generator, low, high) for _ in range(3)]
        turns = _uniform(images, generator, -self.hue, self.hue)
        changed = _uniform(images, generator, 0, 1) < self.color_probability
        colorful = _uniform(images, generator, 0, 1) >= self.gray
        brightness, contrast, saturation = (factor.where(changed, 1.0) for factor in factors)
        matrices, offsets = color_matrices(
            brightness, contrast, saturation * colorful, turns * changed, mean_luma(images)
        )
        colors = torch.baddbmm(offsets, matrices, images.flatten(2))  # (n, 3, h * w)
        return colors.clamp_(0, 1).view_as(images)

    def _soften(self, images: Tensor, generator: Generator) -> Tensor:
        """Blur images, each by its own standard deviation from 0.1 to `blur` pixels.

        Beyond the border the image is reflected, as in torchvision.
        """
        if self.blur == 0 or self.blur_probability == 0:
            return images
        sigmas = _uniform(images, generator, min(0.1, self.blur), self.blur)
        rows = (_uniform(images, generator, 0, 1) < self.blur_probability).nonzero()[:, 0]
        radius = math.ceil(3 * self.blur)
        return images.index_copy(0, rows, blur(images[rows], sigmas[rows], radius))


# ---------------------------------------------------------------- where pixels come from


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
    x = (torch.arange(w, **_like(images)) * 2 + 1) / w - 1  # pixel centres between -1 and 1
    y = (torch.arange(h, **_like(images)) * 2 + 1) / h - 1
    # The same as F.affine_grid, 30 times faster: a point is one complex number, x + iy.
    across, down, center = torch.complex(box[:, 0], box[:, 1])[..., None, None].unbind(1)
    grid = torch.view_as_real(across * x + (down * y[:, None] + center))  # (n, h, w, 2)
    if fill is None:
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False).clamp_(0, 1)
    # grid_sample puts 0 outside, so make `fill` the zero for as long as it looks.
    return F.grid_sample(images - fill, grid, align_corners=False).add_(fill).clamp_(0, 1)


def blur(images: Tensor, sigmas: Tensor, radius: int) -> Tensor:
    """Blur float images (n, 3, h, w) by `sigmas` (n,) pixels.

    Kernels reach `radius` pixels, and no farther than the image. A blur along a row is a matrix
    product, and so is one along a column.
    """
    sides = images.shape[2:]
    matrices = {n: _blur_matrices(sigmas, min(radius, n - 1), n)[:, None] for n in set(sides)}
    rows, columns = (matrices[n] for n in sides)  # of a square image the same
    return (rows @ images @ columns.mT).clamp_(0, 1)


def _blur_matrices(sigmas: Tensor, radius: int, side: int) -> Tensor:
    """Spread Gaussian kernels over a side of the image: (n, side, side), rows sum to 1."""
    offsets = torch.arange(-radius, radius + 1, **_like(sigmas))
    kernels = (-0.5 * (offsets / sigmas.clamp(min=1e-6)[:, None]) ** 2).exp()  # (n, 2 radius + 1)
    kernels = kernels / kernels.sum(dim=1, keepdim=True)
    eye = torch.eye(side, **_like(kernels))[None]  # (1, from, to)
    reflected = F.pad(eye, (radius, radius), mode="reflect")[0]  # (from, side + 2 radius)
    windows = reflected.unfold(1, kernels.shape[1], 1)  # (from, to, 2 radius + 1)
    return torch.einsum("nk,ftk->ntf", kernels, windows)


# ---------------------------------------------------------------- what colour they have


LUMA = (0.2989, 0.587, 0.114)  # how bright red, green and blue look (torchvision's weights)


def mean_luma(images: Tensor) -> Tensor:
    """How bright each image looks on average: float (n, 3, h, w) -> (n,)."""
    return images.mean(dim=(2, 3)) @ torch.tensor(LUMA, **_like(images))


def color_matrices(
    brightness: Tensor, contrast: Tensor, saturation: Tensor, turns: Tensor, means: Tensor
) -> tuple[Tensor, Tensor]:
    """All four adjustments, each (n,), as matrices (n, 3, 3) and offsets (n, 3, 1).

    `means` is each image's mean luma. Three things differ from torchvision's ColorJitter. Nothing
    is clipped between the steps. Hue comes last, while torchvision draws an order (the other three
    commute). And hue turns about the grey axis of RGB, which is HSV's turn only at thirds of the
    wheel: a colour moves along a circle instead of a hexagon. Mean change of an emoji's pixel by
    torchvision, and how far this is from it: strength 0.4, 0.117 and 0.006; hue 0.1, 0.024 and
    0.018; both, 0.128 and 0.020.
    """
    eye = torch.eye(3, **_like(means))
    mean = torch.full((3, 3), 1 / 3, **_like(means))  # projects on the grey axis
    cross = eye.roll(1, 0) - eye.roll(-1, 0)  # a quarter turn about it, times the square root of 3
    gray = torch.tensor(LUMA, **_like(means)).expand(3, 3)  # every channel becomes the luma
    angle = 2 * math.pi * turns[:, None, None]
    turn = mean + angle.cos() * (eye - mean) + angle.sin() * cross / math.sqrt(3)
    saturation = saturation[:, None, None]
    colors = saturation * turn + (1 - saturation) * gray
    matrices = (brightness * contrast)[:, None, None] * colors
    offsets = (brightness * (1 - contrast) * means)[:, None, None].expand(-1, 3, 1)
    return matrices, offsets


# ---------------------------------------------------------------- inputs and draws


def as_float(images: Tensor, check_range: bool = False) -> Tensor:
    """Return images (n, 3, h, w), uint8 in [0, 255] or floating in [0, 1], as float32 in [0, 1]."""
    fits = isinstance(images, Tensor) and images.dim() == 4 and images.shape[1] == 3
    if not fits or 0 in images.shape[2:]:
        got = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        raise refused("images", got, "a tensor of shape (n, 3, height, width)")
    if images.dtype == torch.uint8:
        return images.to(torch.float32).div_(255)
    if not images.is_floating_point():
        raise refused("images", images.dtype, "uint8 or floating")
    if check_range:
        in_range("images", images)
    return images.to(torch.float32)


def _uniform(images: Tensor, generator: Generator, low: float, high: float) -> Tensor:
    """Draw one number per image in [low, high): on the generator's device, moved to the images'."""
    if not isinstance(generator, Generator):
        raise refused("generator", type(generator).__name__, "a torch.Generator", TypeError)
    draws = torch.rand(
        len(images), generator=generator, device=generator.device, dtype=torch.float32
    )
    return draws.mul_(high - low).add_(low).to(images.device)


def _like(x: Tensor) -> dict:
    return {"device": x.device, "dtype": x.dtype}


# ---------------------------------------------------------------- presets

# Two views of one image, no captions. Crop as in MoCo v1, since a smaller box of an emoji is often
# blank; colours as in SimCLR for CIFAR-10 (strength .5), which also leaves out blur at 32 pixels.
SIMCLR = Augmentation(crop=0.8, flip=0.5, color=0.4, hue=0.1, gray=0.2)

# Beside a caption: no flip ("left arrow"), no turn of hue ("red heart"), nothing cropped away that
# the caption names.
CLIP = Augmentation(rotate=10, zoom=0.2, shift=0.1, color=0.4, gray=0.1)
