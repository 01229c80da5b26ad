"""Notebook 03: two views of an emoji, and what an augmentation erases."""

from __future__ import annotations

from typing import NamedTuple

import ipywidgets
import numpy as np
import torch
import torch.nn.functional as F

from labkit import augment, data, encoders, plots
from labkit.contrastive import cosine_similarities
from labkit.ui.panel import Panel, panel

VIEW_STYLES = ("twemoji", "noto", "fluent", "fluent-mono")
VIEW_SETS = {
    "six kinds of things": ("elephant", "bicycle", "cherries", "sunglasses", "trumpet", "sailboat"),
    "hearts, told apart by colour": tuple(
        f"{colour} heart" for colour in ("orange", "yellow", "green", "blue", "purple", "brown")
    ),
    "squares, told apart by colour": tuple(
        f"{colour} square" for colour in ("red", "orange", "yellow", "green", "blue", "purple")
    ),
    "hands and arrows, told apart by direction": (
        "left arrow",
        "right arrow",
        "backhand index pointing left",
        "backhand index pointing right",
        "leftwards hand",
        "rightwards hand",
    ),
}


class Views(NamedTuple):
    """Emoji, two random views of each, and what the encoder recognises in the first view."""

    originals: np.ndarray  # (n, 3, 64, 64) uint8
    views: tuple[np.ndarray, np.ndarray]  # each (n, 3, 32, 32) float in [0, 1]
    names: list[str]
    cosines: np.ndarray  # (n,) between the two views, where SimCLR's loss is taken
    others: float  # mean cosine between views of different emoji
    neighbours: np.ndarray  # (n, 3, 64, 64) uint8: the gallery image nearest to view 1
    neighbour_names: list[str]
    found: list[bool]  # the neighbour is the emoji itself


class ViewGallery(NamedTuple):
    """Emoji that SimCLR has not seen, in a few styles, with its features."""

    model: encoders.SimCLR
    emoji: data.Emoji  # at 64 px
    features: torch.Tensor  # (images, dim) unit vectors of the encoder, without the projector


@torch.no_grad()
def make_view_gallery(model: encoders.SimCLR) -> ViewGallery:
    """Embed the test emoji and the traps in four styles."""
    emoji = data.load(VIEW_STYLES, parts=("train", "test", "trap"), size=64)
    small = data.load(VIEW_STYLES, parts=("train", "test", "trap")).images
    features = torch.cat([model.image(part) for part in small.split(256)])
    return ViewGallery(model, emoji, F.normalize(features, dim=1))


@torch.no_grad()
def compute_views(
    gallery: ViewGallery, names: tuple[str, ...], style: str, augmentation, seed: int
) -> Views:
    """Draw two views of each named emoji; look up the first among all emoji of the same style."""
    rows = [row for name in names if (row := _row_of(gallery.emoji, name, style)) is not None]
    originals = gallery.emoji.images[rows]
    generator = torch.Generator().manual_seed(seed)
    small = F.avg_pool2d(originals.float() / 255, 2)
    views = [augmentation(small, generator) for _ in range(2)]
    features = [gallery.model.image(view) for view in views]
    one, two = (gallery.model.projector(x) for x in features)
    cosines = cosine_similarities(one, two).numpy()
    candidates = (gallery.emoji.style == data.STYLES.index(style)).nonzero()[:, 0]
    similarity = F.normalize(features[0], dim=1) @ gallery.features[candidates].T
    nearest = candidates[similarity.argmax(dim=1)]
    return Views(
        originals.numpy(),
        tuple(view.numpy() for view in views),
        _names(gallery.emoji, rows),
        np.diag(cosines),
        float(cosines[~np.eye(len(rows), dtype=bool)].mean()),
        gallery.emoji.images[nearest].numpy(),
        _names(gallery.emoji, nearest.tolist()),
        (nearest == torch.tensor(rows)).tolist(),
    )


def _row_of(emoji: data.Emoji, name: str, style: str) -> int | None:
    """The row of the concept called `name` in `style`, None where that style has no drawing."""
    position = next(c.position for c in data.concepts() if c.name == name)
    here = (emoji.concept == position) & (emoji.style == data.STYLES.index(style))
    return int(here.nonzero()[0]) if here.any() else None


def _names(emoji: data.Emoji, rows: list[int]) -> list[str]:
    return [data.concepts()[i].name for i in emoji.concept[rows].tolist()]


def describe_views(result: Views) -> str:
    parts = [
        f"{name} ({cosine:.2f}, nearest {found})"
        for name, cosine, found in zip(
            result.names, result.cosines, result.neighbour_names, strict=True
        )
    ]
    return (
        f"Cosine of the two views, and the emoji nearest to view 1: {', '.join(parts)}. "
        f"{sum(result.found)} of {len(result.names)} are recognised. Views of different emoji have "
        f"cosine {result.others:.2f} on average."
    )


def augmentations(model: encoders.SimCLR | None = None) -> Panel:
    """Switches and strengths; two views; what the trained encoder makes of them."""
    gallery = make_view_gallery(model or encoders.load("simclr-conv"))

    def compute(emoji, style, crop, color, hue, rotate, blur, flip, gray, seed) -> Views:
        augmentation = augment.Augmentation(
            crop=crop, color=color, hue=hue, color_probability=1.0, rotate=rotate, blur=blur,
            flip=0.5 * flip, gray=float(gray),
        )  # fmt: skip
        return compute_views(gallery, emoji, style, augmentation, seed)

    slider = ipywidgets.FloatSlider
    return panel(
        compute,
        plots.draw_views,
        describe_views,
        size=(9, 5.8),
        title="What do two views still have in common?",
        emoji=ipywidgets.Dropdown(options=VIEW_SETS, description="Emoji"),
        style=ipywidgets.Dropdown(options=VIEW_STYLES, description="Style"),
        crop=slider(0.8, min=0, max=0.9, step=0.1, description="Crop away up to"),
        color=slider(0.4, min=0, max=1, step=0.1, description="Colour jitter"),
        hue=slider(0.1, min=0, max=0.5, step=0.05, description="Hue turns"),
        rotate=ipywidgets.IntSlider(0, 0, 180, 15, description="Rotate up to °"),
        blur=slider(0, min=0, max=3, step=0.5, description="Blur, pixels"),
        flip=ipywidgets.Checkbox(True, description="Flip half of them"),
        gray=ipywidgets.Checkbox(False, description="Remove all colour"),
        seed=ipywidgets.IntSlider(0, 0, 20, description="Draw again"),
    )
