"""Notebook 05: switch an augmentation of pretraining off, and see what the encoder sees again."""

from __future__ import annotations

from typing import NamedTuple

import ipywidgets
import numpy as np
import torch

from labkit import data, encoders, evaluate, plots, results, transfer
from labkit.failure import invariance
from labkit.ui.panel import Panel, panel

NEAREST = 8


class Seen(NamedTuple):
    """What one encoder takes a trap for, and what its probe can read."""

    encoder: tuple[bool, bool]  # pretrained to ignore colour, flips
    query: np.ndarray  # (3, 64, 64) uint8
    name: str
    images: np.ndarray  # (NEAREST, 3, 64, 64), nearest first
    names: list[str]
    trait: str  # "colour" or "direction": what only one augmentation destroys
    same: list[bool]  # has the query's trait
    scores: dict[str, dict[tuple, evaluate.Interval]]  # question -> encoder -> probe accuracy
    chance: dict[str, float]


class TrapGallery(NamedTuple):
    """The traps in the colourful styles, seen by the four encoders."""

    emoji: data.Emoji  # at 64 px
    features: dict[tuple[bool, bool], torch.Tensor]  # each (n, dim)


def make_trap_gallery() -> TrapGallery:
    """Embed every trap by the four encoders."""
    small = invariance.drawings().images
    features = {
        key: transfer.features(encoders.load(name).image, small)
        for key, name in invariance.WEIGHTS.items()
    }
    return TrapGallery(data.load(invariance.TRAP_STYLES, parts="trap", size=64), features)


def trap_scores(rows: results.Rows, method: str = "probe") -> dict[str, dict[tuple, np.ndarray]]:
    """question -> encoder -> test accuracy over seeds, from data/sweeps/traps.csv."""
    return {
        question: {
            key: results.column(rows, "id", weights=name, question=question, method=method)
            for key, name in invariance.WEIGHTS.items()
        }
        for question in invariance.QUESTIONS
    }


def gain_without(found: dict[tuple, np.ndarray], switch: int) -> evaluate.Interval:
    """Accuracy without an augmentation (switch 0: colour, 1: flips) less that with it, by seed.

    found: encoder -> accuracy over seeds; encoders that differ only in the other one are averaged.
    """
    off, on = (
        np.mean([scores for key, scores in found.items() if key[switch] == state], axis=0)
        for state in (False, True)
    )
    return evaluate.paired_difference(off, on)


def trap_chance(rows: results.Rows) -> dict[str, float]:
    """question -> the accuracy of always giving the most frequent answer."""
    name = invariance.WEIGHTS[False, False]
    return {
        question: float(
            results.column(rows, "chance", weights=name, question=question, method="probe").mean()
        )
        for question in invariance.QUESTIONS
    }


def compute_seen(
    gallery: TrapGallery,
    scores: dict[str, dict[tuple, evaluate.Interval]],
    chance: dict[str, float],
    encoder: tuple[bool, bool],
    emoji: int,
    style: str,
) -> Seen:
    """The nearest other traps of the same kind and style (its first style, if not drawn in it)."""
    trap = data.traps()[emoji]
    row = gallery.emoji.row_of(emoji, style)
    alike = torch.tensor(
        [data.traps()[place].kind == trap.kind for place in gallery.emoji.concept.tolist()]
    )
    alike &= gallery.emoji.style == gallery.emoji.style[row]
    alike[row] = False
    candidates = alike.nonzero()[:, 0]
    features = gallery.features[encoder]
    near = candidates[evaluate.nearest(features[row][None], features[candidates], NEAREST)[0]]
    places = gallery.emoji.concept[near].tolist()
    return Seen(
        encoder, gallery.emoji.images[row].numpy(), data.concepts()[emoji].name,
        gallery.emoji.images[near].numpy(), [data.concepts()[place].name for place in places],
        trap.kind,
        [getattr(data.traps()[place], trap.kind) == getattr(trap, trap.kind) for place in places],
        scores, chance,
    )  # fmt: skip


def describe_seen(result: Seen) -> str:
    color, flip = result.encoder
    ignored = " and ".join(["colour"] * color + ["flips"] * flip) or "neither colour nor flips"
    names = ", ".join(
        name + " ✓" * own for name, own in zip(result.names, result.same, strict=True)
    )
    read = ", ".join(f"{q} {found[result.encoder].mean:.0%}" for q, found in result.scores.items())
    return (
        f"Pretrained to ignore {ignored}, the encoder finds nearest to {result.name}: {names}. A "
        f"tick, and a frame, mean the same {result.trait}. A probe on it reads {read}."
    )


def invariances(rows: results.Rows | None = None) -> Panel:
    """Two switches of pretraining; the neighbours of a trap; what a probe can read."""
    rows = rows or data.read_table("sweeps/traps.csv")
    gallery = make_trap_gallery()
    scores = {q: plots.intervals_of(found) for q, found in trap_scores(rows).items()}
    chance = trap_chance(rows)
    shown = {
        f"{data.concepts()[place].emoji} {data.concepts()[place].name}": place
        for place in data.traps()
    }

    def compute(ignore_colour: bool, ignore_flips: bool, emoji: int, style: str) -> Seen:
        encoder = (ignore_colour, ignore_flips)
        return compute_seen(gallery, scores, chance, encoder, emoji, style)

    return panel(
        compute,
        plots.draw_seen,
        describe_seen,
        size=(9, 4),
        columns=2,
        title="What was the encoder told to ignore?",
        ignore_colour=ipywidgets.Checkbox(True, description="Colour augmentation"),
        ignore_flips=ipywidgets.Checkbox(True, description="Flips"),
        emoji=ipywidgets.Dropdown(
            options=shown, value=shown["💚 green heart"], description="Emoji"
        ),
        style=ipywidgets.Dropdown(options=invariance.TRAP_STYLES, description="Style"),
    )
