"""Pictures of emoji: grids, and rows of nearest neighbours."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.image import AxesImage
from matplotlib.transforms import IdentityTransform
from PIL import Image

from labkit.ui.style import INK, style

UNIT_SQUARE = np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
OWN = "#9933ff"  # of frames that say "these belong together": no method has it


@style()
def draw_images(
    ax: Axes, images: np.ndarray, titles: Sequence[str] = (), columns: int = 0,
    interpolation: str = "bilinear",
) -> np.ndarray:  # fmt: skip
    """A grid of pictures in one axes, and what stands below each; returns their corners (n, 2).

    images: (n, 3, size, size), NumPy or torch. With "nearest" noisy ones take a third of the bytes.
    """
    n, size = len(images), images.shape[-1]
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    gap, columns = (size // 5 + round(0.27 * size * lines), size // 5), columns or n
    mosaic = tiles(images, columns, gap)
    height, width = mosaic.shape[:2]
    draw_sheet(ax, mosaic, (0, width, height, 0), interpolation)
    corners = [(i % columns * (size + gap[1]), i // columns * (size + gap[0])) for i in range(n)]
    for (left, top), title in zip(corners, titles, strict=False):
        place = left + size / 2, top + 1.04 * size
        ax.text(*place, title, ha="center", va="top", fontsize=11, clip_on=True)
    height, side = height - gap[0] * (not titles), size // 4 if titles else 3
    ax.set(xlim=(-side, width - gap[1] + side), ylim=(height + 3, -3), aspect="equal")
    ax.axis("off")
    return np.array(corners)


class Sheet(AxesImage):
    """A picture (height, width, 4) uint8 that Pillow resizes to the pixels it covers.

    matplotlib's own resampling takes several times as long, and would be most of a panel's frame.
    It fills a box of the axes, which must have linear scales and hold the whole picture.
    """

    def make_image(self, renderer, magnification: float = 1.0, unsampled: bool = False):
        left, end, bottom, top = self.get_extent()
        corners = self.axes.transData.transform([(left, bottom), (end, top)]) * magnification
        (x0, y0), (x1, y1) = corners.round().astype(int)
        picture = Image.fromarray(np.ascontiguousarray(self._A)).convert("RGBa")  # gaps stay clear
        smooth = self.get_interpolation() != "nearest"
        picture = picture.resize(
            (max(abs(x1 - x0), 1), max(abs(y1 - y0), 1)),
            Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST,
        ).convert("RGBA")
        up, right = -1 if y1 > y0 else 1, 1 if x1 > x0 else -1
        rows = np.array(picture)[::up, ::right]  # the renderer counts rows from below
        return rows, min(x0, x1), min(y0, y1), IdentityTransform()


def draw_sheet(
    ax: Axes, picture: np.ndarray, extent: Sequence[float], interpolation: str = "bilinear"
) -> None:
    """Draw (height, width, 4) uint8, its first row at `top`; extent: left, right, bottom, top."""
    sheet = Sheet(ax, extent=extent, interpolation=interpolation)
    sheet.set_data(picture)
    sheet.set_clip_path(ax.patch)
    ax.add_image(sheet)


def tiles(images: np.ndarray, columns: int, gap: tuple[int, int] = (0, 0)) -> np.ndarray:
    """One picture (height, width, 4) uint8 of images (n, 3, size, size), uint8 or in [0, 1].

    `gap` is the transparent room, in pixels, below and to the right of each. Drawing one picture
    of n tiles is nearly n times as fast as n pictures.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        images = (255 * images).round().astype(np.uint8)
    n, _, size = images.shape[:3]
    rows = -(-n // columns)
    high, wide = size + gap[0], size + gap[1]
    grid = np.zeros((rows * columns, high, wide, 4), np.uint8)
    grid[:n, :size, :size, :3] = images.transpose(0, 2, 3, 1)
    grid[:n, :size, :size, 3] = 255
    grid = grid.reshape(rows, columns, high, wide, 4).transpose(0, 2, 1, 3, 4)
    return grid.reshape(rows * high, columns * wide, 4)


def url(image: np.ndarray) -> str:
    """A picture (3, height, width) uint8 as a URL that holds it."""
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(image).transpose(1, 2, 0)).save(buffer, "png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


@style()
def draw_answers(
    ax: Axes, query: np.ndarray, images: np.ndarray, framed: Sequence[bool], columns: int,
    interpolation: str = "nearest",
) -> None:  # fmt: skip
    """A picture (3, size, size) that asks, and n that answer, some of them in frames of colour."""
    images, size = np.concatenate([query[None], images]), query.shape[-1]
    corners = draw_images(ax, images, (), columns, interpolation)[1:]
    frames = [UNIT_SQUARE * size + c for c in corners[np.array(framed, dtype=bool)]]
    ax.add_collection(PolyCollection(frames, facecolor="none", edgecolor=OWN, linewidth=4))
    ax.plot(np.array([0, 1, 1, 0, 0]) * size, np.array([0, 0, 1, 1, 0]) * size, color=INK, lw=3)


@style()
def label_grid(ax: Axes, rows: Sequence[str], columns: Sequence[str], size: int) -> None:
    """Name the rows and columns of a `draw_images` grid of untitled pictures."""
    step = size + size // 5
    for i, name in enumerate(rows):
        ax.text(-size * 0.15, i * step + size / 2, name, ha="right", va="center", fontsize=13)
    for j, name in enumerate(columns):
        ax.text(j * step + size / 2, -size * 0.1, name, rotation=30, fontsize=11, va="bottom")
