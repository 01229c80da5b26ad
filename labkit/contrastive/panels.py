"""Notebook 03: SimCLR while it trains, what its views erase, and whom the temperature hears."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import display

from labkit import augment, data, encoders, training
from labkit.contrastive import geometry, pretrain, projections
from labkit.contrastive.figures import draw_matrix, draw_push, draw_training, draw_views
from labkit.contrastive.losses import cosine_similarities, unit
from labkit.contrastive.upstream import Upstream
from labkit.ui.controls import Dice
from labkit.ui.panel import Panel, panel
from labkit.ui.style import Picture, figure

WATCHED = 10  # images whose similarity matrix is drawn while SimCLR trains


# ------------------------------------------------ SimCLR while it trains


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
    """Pretrain on `emoji`; yield the network and a snapshot after step 1 and every `every`.

    The same steps as `python -m labkit.contrastive.pretrain simclr`, without its checkpoints.
    """
    model, _ = pretrain.make_model(config)
    optimizer, upstream = pretrain.make_optimizer(model, config), Upstream(emoji)
    watched, _ = upstream.draw(WATCHED, pretrain.step_generator(config.seed, 0))
    losses: list[float] = []
    for step in range(config.steps):
        losses.append(pretrain.take_step(model.train(), optimizer, upstream, config, step))
        if step == 0 or (step + 1) % every == 0 or step + 1 == config.steps:
            similarity = view_similarity(model, watched, augment.SIMCLR, config.seed)
            chance = math.log(2 * config.batch - 1)
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


def partners_found(models: Mapping[str, encoders.SimCLR], seed: int = 0) -> Picture:
    """The squares of networks on ten unseen emoji; above, how many of all find their own view."""
    images = data.load("noto", parts="test").images
    few = slice(0, len(images) - len(images) % WATCHED, len(images) // WATCHED)
    fig, axes = figure(1, len(models), size=(5 * len(models), 5))
    said = []
    for ax, (name, model) in zip(axes, models.items(), strict=True):
        similarity = view_similarity(model, images, augment.SIMCLR, seed)
        found = np.mean(similarity.argmax(axis=1) == np.arange(len(images)))
        said.append(f"{name}: {found:.0%} find their own")
        draw_matrix(ax, similarity[few, few], images[few].numpy(), said[-1])
    return Picture(fig, f"Views of {len(images)} unseen emoji. {'; '.join(said)}.")


def watch_simclr(
    steps: int = 80, batch: int = 128, width: int = 16, seed: int = 0, show: Callable = display
) -> tuple[encoders.SimCLR, Snapshot]:
    """Pretrain a small SimCLR before the reader's eyes; return the network and its last snapshot.

    `show(picture, display_id="...", update=...)` shows it, or puts it in the place of the last one.
    """
    short = {"steps": steps, "lr": 3e-3, "icons": 0}  # so few steps want a larger rate
    config = pretrain.Config("simclr", options={"width": width}, batch=batch, seed=seed, **short)
    with training.progress_bar("SimCLR") as bar:
        for trained, snapshot in train_simclr(config, data.load(parts="upstream")):
            model = trained
            bar(len(snapshot.losses) / steps, "")
            fig, axes = figure(1, 2, size=(11, 4.6))
            draw_training(axes, snapshot)
            picture, later = Picture(fig, describe_snapshot(snapshot)), len(snapshot.losses) > 1
            show(picture, display_id="SimCLR", update=later)
    return model.eval(), snapshot


def describe_snapshot(snapshot: Snapshot) -> str:
    pairs = np.diag(snapshot.similarity).mean()
    others = snapshot.similarity[~np.eye(WATCHED, dtype=bool)].mean()
    return (
        "A bright diagonal means that two views of one emoji attract. "
        f"After {len(snapshot.losses)} of {snapshot.steps} steps the loss is "
        f"{snapshot.losses[-1]:.2f} (guessing: {snapshot.chance:.2f}); two views of one emoji have "
        f"cosine {pairs:.2f}, of two emoji {others:.2f}."
    )


# ------------------------------------------------ two views, and what an augmentation erases

VIEW_STYLES = ("twemoji", "noto", "fluent", "fluent-mono")
COLOURS = ("orange", "yellow", "green", "blue", "purple")
VIEW_SETS = {  # of concepts that SimCLR has not seen and all of these styles draw
    "six kinds of things": ("elephant", "bicycle", "cherries", "sunglasses", "trumpet", "sailboat"),
    "hearts, told apart by colour": tuple(f"{c} heart" for c in (*COLOURS, "brown")),
    "squares, told apart by colour": tuple(f"{c} square" for c in ("red", *COLOURS)),
    "hands and arrows, told apart by direction": (
        *("left arrow", "right arrow", "leftwards hand"),
        *("backhand index pointing left", "backhand index pointing right"),
    ),
}


class Views(NamedTuple):
    """Emoji, two random views of each, and what the encoder recognises in the first view."""

    emoji: data.Emoji  # n of them, at 64 px
    views: tuple[np.ndarray, np.ndarray]  # each (n, 3, 32, 32) float in [0, 1]
    cosines: np.ndarray  # (n,) between the two views, where SimCLR's loss is taken
    others: float  # mean cosine between views of different emoji
    neighbours: data.Emoji  # at 64 px: of all in the style, the nearest to view 1
    found: np.ndarray  # (n,) bool: the neighbour is the emoji itself


class ViewGallery(NamedTuple):
    """Emoji that SimCLR has not seen, in a few styles, with its features."""

    model: encoders.SimCLR
    emoji: data.Emoji  # at 64 px
    features: torch.Tensor  # (images, dim) unit vectors of the encoder, without the projector


def make_view_gallery(model: encoders.SimCLR) -> ViewGallery:
    """Embed the test emoji and the traps in four styles."""
    emoji = data.load(VIEW_STYLES, parts=("train", "test", "trap"), size=64)
    features = training.features(model.image, data.half_size(emoji.images))
    return ViewGallery(model, emoji, unit(features))


@torch.no_grad()
def compute_views(
    gallery: ViewGallery, names: tuple[str, ...], style: str, augmentation: augment.Augmentation,
    seed: int,
) -> Views:  # fmt: skip
    """Draw two views of each named emoji; look up the first among all emoji of the same style."""
    position = {concept.name: concept.position for concept in data.concepts()}
    rows = torch.tensor([gallery.emoji.row_of(position[name], style) for name in names])
    emoji, generator = gallery.emoji[rows], torch.Generator().manual_seed(seed)
    small = F.avg_pool2d(emoji.images.float() / 255, 2)
    views = [augmentation(small, generator) for _ in range(2)]
    features = [gallery.model.image(view) for view in views]
    cosines = cosine_similarities(*map(gallery.model.projector, features)).numpy()
    candidates = (gallery.emoji.style == data.STYLES.index(style)).nonzero()[:, 0]
    similarity = cosine_similarities(features[0], gallery.features[candidates])
    nearest = candidates[similarity.argmax(dim=1)]
    return Views(
        emoji,
        tuple(view.numpy() for view in views),
        np.diag(cosines),
        float(cosines[~np.eye(len(rows), dtype=bool)].mean()),
        gallery.emoji[nearest],
        (nearest == rows).numpy(),
    )


def describe_views(result: Views) -> str:
    rows = zip(result.emoji.captions, result.cosines, result.neighbours.captions, strict=True)
    parts = [f"{name} ({cosine:.2f}, nearest {found})" for name, cosine, found in rows]
    return (
        "Below two views is their cosine, and below that the emoji nearest to view 1. "
        f"They are: {', '.join(parts)}. {sum(result.found)} of {len(parts)} are recognised. "
        f"Views of different emoji have cosine {result.others:.2f} on average."
    )


def augmentations(model: encoders.SimCLR | None = None) -> Panel:
    """Switches and strengths; two views; what the trained encoder makes of them."""
    gallery = make_view_gallery(model or encoders.load("simclr-conv"))

    def compute(emoji, style, flip: bool, gray: bool, seed: int, **strengths: float) -> Views:
        switches = {"flip": 0.5 * flip, "gray": float(gray), "color_probability": 1.0}
        augmentation = augment.Augmentation(**strengths, **switches)
        return compute_views(gallery, emoji, style, augmentation, seed)

    slider = ipywidgets.FloatSlider
    return panel(
        compute,
        draw_views,
        describe_views,
        size=(9, 5.8),
        title="What do two views still have in common?",
        emoji=VIEW_SETS,
        style=list(VIEW_STYLES),
        crop=slider(0.8, min=0, max=0.9, step=0.1, description="Crop away up to"),
        color=slider(0.4, min=0, max=1, step=0.1, description="Colour jitter"),
        hue=slider(0.1, min=0, max=0.5, step=0.05, description="Hue turns"),
        rotate=ipywidgets.IntSlider(0, 0, 180, 15, description="Rotate up to °"),
        blur=slider(0, min=0, max=3, step=0.5, description="Blur, pixels"),
        flip=ipywidgets.Checkbox(True, description="Flip half of them"),
        gray=ipywidgets.Checkbox(False, description="Remove all colour"),
        seed=Dice(max=20),
    )


# ------------------------------------------------ to which negatives the gradient listens

CROWD, HARDEST = 16, 5


class Push(NamedTuple):
    """How the loss divides its push among the negatives of a small batch."""

    cosines: np.ndarray  # (CROWD, CROWD), the positive on the diagonal
    shares: np.ndarray  # (CROWD, CROWD), each row sums to 1, the diagonal is 0
    emoji: data.Emoji  # CROWD of them
    anchor: int
    order: np.ndarray  # (HARDEST,) the anchor's negatives, hardest first
    half: float  # how many negatives make up half of the push, mean over rows
    temperature: float


class Crowd(NamedTuple):
    """For each encoder its images, and the cosines (n, n) whose diagonal holds the positives."""

    emoji: dict[str, data.Emoji]
    cosines: dict[str, torch.Tensor]


def make_crowd(clip: encoders.Clip, simclr: encoders.SimCLR, seed: int = 0) -> Crowd:
    """Compare Noto emoji with captions by CLIP, with views by SimCLR, and after a collapse.

    The collapsed one are projections of CLIP's frozen features that were only ever attracted, of
    the upstream emoji that they were trained on.
    """
    emoji = data.load("noto", parts="upstream")
    pairs = projections.caption_pairs(clip, emoji)
    fall = projections.attraction_only
    image, text = projections.project(pairs, fall, steps=600, lr=0.01, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    unseen = data.load("noto", parts="test")
    shown = unseen[torch.randperm(len(unseen), generator=generator)]
    rows = torch.randperm(len(emoji), generator=generator)[: len(shown)]
    with torch.no_grad():
        own = clip.embed_images(shown.images) @ clip.embed_captions(shown.captions).T
    views = torch.from_numpy(view_similarity(simclr, shown.images, augment.SIMCLR, seed))
    return Crowd(
        {"clip": shown, "simclr": shown, "collapsed": emoji[rows]},
        {"clip": own, "simclr": views, "collapsed": image[rows] @ text[rows].T},
    )


def compute_push(crowd: Crowd, encoder: str, temperature: float, batch: int, anchor: int) -> Push:
    """Batch number `batch` of the crowd, its row `anchor` in detail."""
    rows = slice(CROWD * batch, CROWD * (batch + 1))
    cosines = crowd.cosines[encoder][rows, rows]
    shares = geometry.negative_shares(cosines, temperature)
    order = shares[anchor].argsort(descending=True)[:HARDEST].numpy()
    half = geometry.half_of_push(shares).float().mean().item()
    emoji = crowd.emoji[encoder][rows]
    return Push(cosines.numpy(), shares.numpy(), emoji, anchor, order, half, temperature)


def describe_push(result: Push) -> str:
    names, shares = result.emoji.captions, result.shares[result.anchor]
    parts = [f"{names[i]} {shares[i]:.0%}" for i in result.order]
    return (
        f"Bright negatives push hardest at temperature {result.temperature:.2g}. Half of a row's "
        f"push comes from {result.half:.1f} of {CROWD - 1} on average. {names[result.anchor]} "
        f"is pushed away from {', '.join(parts)}."
    )


def temperature(clip: encoders.Clip | None = None, simclr: encoders.SimCLR | None = None) -> Panel:
    """To which negatives does the gradient listen?"""
    clip, simclr = clip or encoders.load("clip-words-conv"), simclr or encoders.load("simclr-conv")
    crowd = make_crowd(clip, simclr)
    return panel(
        partial(compute_push, crowd),
        draw_push,
        describe_push,
        size=(9, 4.4),
        columns=2,
        title="Which negatives does the gradient listen to?",
        encoder={
            "CLIP: picture and caption": "clip", "SimCLR: two views": "simclr",
            "a collapsed encoder": "collapsed",
        },
        temperature=ipywidgets.FloatLogSlider(
            10**-1.3,  # .05, on the slider's grid: the browser would move it there
            base=10, min=-2, max=0, step=0.05, description="Temperature",
            readout_format=".3f",
        ),
        anchor=ipywidgets.IntSlider(0, 0, CROWD - 1, description="Row in detail"),
        batch=ipywidgets.IntSlider(0, 0, 7, description="Another batch"),
    )  # fmt: skip
