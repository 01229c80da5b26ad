"""Notebook 03: SimCLR while it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from IPython.display import display
from tqdm.auto import tqdm

from labkit import augment, data, encoders, plots
from labkit.contrastive import cosine_similarities, pretrain

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

    The same steps as `python -m labkit.contrastive.pretrain simclr`, without its checkpoints.
    """
    model, _ = pretrain.make_model(config)
    optimizer = pretrain.make_optimizer(model, config)
    batches = pretrain.Batches(emoji)
    watched = batches.draw(WATCHED, pretrain.step_generator(config.seed, 0)).images
    losses: list[float] = []
    for step in range(config.steps):
        losses.append(pretrain.take_step(model.train(), optimizer, batches, config, step))
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
