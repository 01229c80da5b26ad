"""Notebook 03: whom the temperature hears, and the geometry that training leaves."""

from __future__ import annotations

from typing import NamedTuple

import ipywidgets
import numpy as np
import torch

from labkit import augment, data, encoders, plots
from labkit.contrastive import clip_loss, geometry, projections
from labkit.contrastive.simclr import view_similarity
from labkit.ui.panel import Panel, panel

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
    fallen = projections.project(pairs, projections.attraction_only, steps=600, lr=0.01, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    unseen = data.load("noto", parts="test")
    shown = unseen[torch.randperm(len(unseen), generator=generator)]
    with torch.no_grad():
        image, text = clip.embed_images(shown.images), clip.embed_captions(shown.captions)
    rows = torch.randperm(len(emoji), generator=generator)[: len(shown)]
    return Crowd(
        {"clip": shown, "simclr": shown, "collapsed": emoji[rows]},
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
    emoji = crowd.emoji[encoder][rows]
    names = [data.concepts()[i].name for i in emoji.concept.tolist()]
    return Push(
        cosines.numpy(), shares.numpy(), emoji.images.numpy(), names, anchor,
        order.numpy(), [names[i] for i in order.tolist()],
        geometry.half_of_push(shares).float().mean().item(), temperature,
    )  # fmt: skip


def describe_push(result: Push) -> str:
    parts = [
        f"{name} {result.shares[result.anchor][i]:.0%}"
        for name, i in zip(result.names, result.order, strict=True)
    ]
    return (
        f"At temperature {result.temperature:.2g} half of a row's push comes from "
        f"{result.half:.1f} of {CROWD - 1} negatives on average. {result.names_of[result.anchor]} "
        f"is pushed away from {', '.join(parts)}."
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
        size=(9, 4.4),
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
            10**-1.3,  # .05, on the slider's grid: the browser would move it there
            base=10, min=-2, max=0, step=0.05, description="Temperature",
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
