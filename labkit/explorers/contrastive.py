"""Notebook 03: SimCLR while it trains, what augmentations erase, whom the temperature hears."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import display
from tqdm.auto import tqdm

from labkit import augment, data, encoders, geometry, plots, pretrain, projections
from labkit.contrastive import clip_loss, cosine_similarities
from labkit.panel import Panel, panel

# ------------------------------------------------ SimCLR, live

WATCHED = 10  # images whose similarity matrix is drawn


class Snapshot(NamedTuple):
    """SimCLR at one moment of its training."""

    losses: list[float]  # one per step so far
    steps: int  # in all
    chance: float  # the loss of guessing: log(2N - 1)
    similarity: np.ndarray  # (WATCHED, WATCHED) cosines of view 1 (rows) and view 2 (columns)
    images: np.ndarray  # (WATCHED, 3, 32, 32) uint8


def train_simclr(
    config: pretrain.Config, emoji: data.Emoji, every: int = 10
) -> Iterator[tuple[encoders.SimCLR, Snapshot]]:
    """Pretrain on `emoji`; yield the network and a snapshot before the end of every `every` steps.

    The same steps as `python -m labkit.pretrain simclr`, without its checkpoints.
    """
    model, _ = pretrain.make_model(config)
    optimizer = pretrain.make_optimizer(model, config)
    batches = pretrain.Batches(emoji)
    watched = batches.draw(WATCHED, pretrain.step_generator(config.seed, 0)).images
    losses: list[float] = []
    for step in range(config.steps):
        batch = batches.draw(config.batch, pretrain.step_generator(config.seed, step))
        for group in optimizer.param_groups:
            group["lr"] = pretrain.learning_rate(config, step)
        loss = pretrain.batch_loss(model.train(), batch, config, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % every == 0 or step + 1 == config.steps:
            similarity = view_similarity(model, watched, augment.SIMCLR, config.seed)
            chance = float(np.log(2 * config.batch - 1))
            yield model, Snapshot(losses, config.steps, chance, similarity, watched.numpy())


@torch.no_grad()
def view_similarity(
    model: encoders.SimCLR, images: torch.Tensor, augmentation: augment.Augmentation, seed: int
) -> np.ndarray:
    """Cosines (n, n) of the embeddings of two random views of `images` (n, 3, h, w)."""
    generator = torch.Generator().manual_seed(seed)
    views = [augmentation(images, generator) for _ in range(2)]
    model.eval()
    return cosine_similarities(*(model.embed_images(view) for view in views)).numpy()


def watch_simclr(
    steps: int = 80, batch: int = 128, width: int = 16, seed: int = 0, show: Callable = display
) -> tuple[encoders.SimCLR, Snapshot]:
    """Pretrain a small SimCLR before the reader's eyes; return the network and its last snapshot.

    `show(picture, display_id=True)` must return a handle with an `update(picture)`.
    """
    config = pretrain.Config(
        "simclr", options={"width": width}, steps=steps, batch=batch, seed=seed
    )
    handle = None
    with tqdm(total=steps, desc="SimCLR", bar_format="{l_bar}{bar}| {elapsed}") as bar:
        for trained, snapshot in train_simclr(config, data.load(parts="upstream")):
            model = trained
            bar.update(len(snapshot.losses) - bar.n)
            picture = draw_snapshot(snapshot)
            if handle is None:
                handle = show(picture, display_id=True)
            else:
                handle.update(picture)
    return model.eval(), snapshot


def draw_snapshot(snapshot: Snapshot) -> plots.Picture:
    fig, axes = plots.figure(1, 2, size=(11, 4.6))
    plots.draw_training(axes, snapshot)
    return plots.Picture(fig, describe_snapshot(snapshot))


def describe_snapshot(snapshot: Snapshot) -> str:
    pairs = np.diag(snapshot.similarity).mean()
    others = snapshot.similarity[~np.eye(WATCHED, dtype=bool)].mean()
    return (
        f"After {len(snapshot.losses)} of {snapshot.steps} steps the loss is "
        f"{snapshot.losses[-1]:.2f} (guessing: {snapshot.chance:.2f}); two views of one emoji have "
        f"cosine {pairs:.2f}, of two emoji {others:.2f}."
    )


# ------------------------------------------------ augmentations

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
            flip=0.5 * flip, gray=float(gray), exact_color=False,
        )  # fmt: skip
        return compute_views(gallery, emoji, style, augmentation, seed)

    slider = ipywidgets.FloatSlider
    return panel(
        compute,
        plots.draw_views,
        describe_views,
        size=(11, 7.2),
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


# ------------------------------------------------ the temperature

CROWD, HARDEST = 16, 5


class Push(NamedTuple):
    """How the loss divides its push among the negatives of a small batch."""

    cosines: np.ndarray  # (CROWD, CROWD), the positive on the diagonal
    shares: np.ndarray  # (CROWD, CROWD), each row sums to 1, the diagonal is 0
    images: np.ndarray  # (CROWD, 3, 32, 32) uint8
    names_of: list[str]
    anchor: int
    order: np.ndarray  # (HARDEST,) the anchor's negatives, hardest first
    names: list[str]  # of those
    half: float  # how many negatives make up half of the push, mean over rows
    temperature: float


class Crowd(NamedTuple):
    """Images, and for each encoder the cosines (n, n) whose diagonal holds the positives."""

    emoji: data.Emoji
    cosines: dict[str, torch.Tensor]


def make_crowd(clip: encoders.Clip, simclr: encoders.SimCLR, seed: int = 0) -> Crowd:
    """Compare Noto emoji with captions by CLIP, with views by SimCLR, and after a collapse.

    The collapsed one are projections of CLIP's frozen features that were only ever attracted.
    """
    emoji = data.load("noto", parts="upstream")
    pairs = projections.caption_pairs(clip, emoji)
    fallen = projections.project(pairs, projections.attraction_only, steps=600, lr=0.01, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    unseen = data.load("noto", parts="test")
    shown = unseen[torch.randperm(len(unseen), generator=generator)]
    with torch.no_grad():
        image, text = clip.embed_images(shown.images), clip.embed_captions(shown.captions)
    rows = torch.randperm(len(emoji), generator=generator)[: len(shown)]
    return Crowd(
        shown,
        {
            "clip": image @ text.T,
            "simclr": torch.from_numpy(view_similarity(simclr, shown.images, augment.SIMCLR, seed)),
            "collapsed": fallen[0][rows] @ fallen[1][rows].T,
        },
    )


def compute_push(crowd: Crowd, encoder: str, temperature: float, batch: int, anchor: int) -> Push:
    """Batch number `batch` of the crowd, its row `anchor` in detail."""
    rows = slice(CROWD * batch, CROWD * (batch + 1))
    cosines = crowd.cosines[encoder][rows, rows]
    shares = geometry.negative_shares(cosines, temperature)
    order = shares[anchor].argsort(descending=True)[:HARDEST]
    names = [data.concepts()[i].name for i in crowd.emoji.concept[rows].tolist()]
    return Push(
        cosines.numpy(), shares.numpy(), crowd.emoji.images[rows].numpy(), names, anchor,
        order.numpy(), [names[i] for i in order.tolist()],
        geometry.half_of_push(shares).float().mean().item(), temperature,
    )  # fmt: skip


def describe_push(result: Push) -> str:
    parts = [
        f"{name} {result.shares[result.anchor][i]:.0%}"
        for name, i in zip(result.names, result.order, strict=True)
    ]
    return (
        f"At temperature {result.temperature:.2g} half of the push comes from {result.half:.1f} of "
        f"{CROWD - 1} negatives. {result.names_of[result.anchor]} is pushed away from "
        f"{', '.join(parts)}."
    )


def temperature(clip: encoders.Clip | None = None, simclr: encoders.SimCLR | None = None) -> Panel:
    """To which negatives does the gradient listen?"""
    crowd = make_crowd(clip or encoders.load("clip-conv"), simclr or encoders.load("simclr-conv"))

    def compute(encoder: str, temperature: float, batch: int, anchor: int) -> Push:
        return compute_push(crowd, encoder, temperature, batch, anchor)

    return panel(
        compute,
        plots.draw_push,
        describe_push,
        size=(11, 5.2),
        columns=2,
        title="Which negatives does the gradient listen to?",
        encoder=ipywidgets.Dropdown(
            options={
                "CLIP: picture and caption": "clip",
                "SimCLR: two views": "simclr",
                "a collapsed encoder": "collapsed",
            },
            description="Encoder",
        ),
        temperature=ipywidgets.FloatLogSlider(
            0.05, base=10, min=-2, max=0, step=0.05, description="Temperature",
            readout_format=".3f",
        ),
        anchor=ipywidgets.IntSlider(0, 0, CROWD - 1, description="Row in detail"),
        batch=ipywidgets.IntSlider(0, 0, 7, description="Another batch"),
    )  # fmt: skip


# ------------------------------------------------ geometry after training

TEMPERATURES = (0.01, 0.03, 0.1, 0.3, 1.0)


def geometry_of(pairs: projections.Pairs, loss: projections.Loss, **options) -> dict[str, float]:
    """Train projections by `loss`; measure gap, alignment, uniformity, and right captions."""
    image, text = projections.project(pairs, loss, **options)
    own = torch.arange(len(image))
    return {
        "gap": geometry.modality_gap(image, text),
        "alignment": geometry.alignment(image, text),
        "uniformity": geometry.uniformity(image),
        "own caption first": ((image @ text.T).argmax(dim=1) == own).float().mean().item(),
    }


def at_temperature(temperature: float) -> projections.Loss:
    """CLIP's loss at a fixed temperature, as a function of features alone."""
    return lambda image, text: clip_loss(image, text, 1 / temperature)
