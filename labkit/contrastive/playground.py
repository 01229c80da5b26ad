"""Notebook 03's CLIP playground: search by words, name a picture, classify without any label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch

from labkit import data, encoders, evaluate, plots
from labkit.contrastive.zero_shot import UNSEEN, ClipGallery, embed_gallery, hits_of, over_concepts
from labkit.evaluate import Interval
from labkit.tasks import largest_share
from labkit.text import pieces
from labkit.ui.panel import Panel, panel
from labkit.ui.raster import Place

ROWS, CAPTIONS, MISTAKES = 2, 5, 6


# ------------------------------------------------ words to pictures, a picture to captions


class Search(NamedTuple):
    """What the words find in each style, and the captions nearest to one picture."""

    words: str
    unknown: list[str]  # words of no pretraining caption
    nothing_known: bool  # not one piece of the words was ever met
    found: np.ndarray  # (ROWS * styles, 3, 64, 64) uint8: row by row, best first
    found_names: list[str]
    found_concepts: list[int]
    styles: tuple[str, ...]
    picture: np.ndarray  # (3, 64, 64) uint8
    name: str
    captions: list[str]
    cosines: np.ndarray  # (captions,)
    is_own: list[bool]
    rank: int  # of the picture's own name among all candidates
    candidates: int


@torch.no_grad()
def compute_search(gallery: ClipGallery, words: str, emoji: int, style: str) -> Search:
    """Search every style for `words` (empty: for the picture), and name the picture of `emoji`.

    The picture is concept `emoji` in `style`, or in its first style where that has none.
    """
    row = gallery.emoji.row_of(emoji, style)
    encoder, words = gallery.clip.text, words.strip()
    query = gallery.clip.embed_captions([words]) if words else gallery.image[row][None]
    similarity = (gallery.image @ query.T)[:, 0]
    rows = nearest_in_each_style(gallery.emoji, similarity)
    concepts = gallery.emoji.concept[rows].tolist()
    captions = gallery.text @ gallery.image[row]
    order = captions.argsort(descending=True)
    best, names = order[:CAPTIONS].tolist(), [concept.name for concept in data.concepts()]
    return Search(
        words=words,
        unknown=encoder.unknown(words),
        nothing_known=bool(words) and not any(p in encoder.index for p in pieces(words)),
        found=gallery.emoji.images[rows].numpy(),
        found_names=[names[i] for i in concepts],
        found_concepts=concepts,
        styles=data.STYLES,
        picture=gallery.emoji.images[row].numpy(),
        name=names[emoji],
        captions=[names[i] for i in best],
        cosines=captions[best].numpy(),
        is_own=[i == emoji for i in best],
        rank=order.tolist().index(emoji) + 1,
        candidates=len(names),
    )


def nearest_in_each_style(emoji: data.Emoji, similarity: torch.Tensor) -> torch.Tensor:
    """Rows of the ROWS most similar images of every style, rank by rank: (ROWS * styles,)."""
    ranked = []
    for style in range(len(data.STYLES)):
        rows = (emoji.style == style).nonzero()[:, 0]
        ranked.append(rows[similarity[rows].topk(ROWS).indices])
    return torch.stack(ranked, dim=1).flatten()


def describe_search(result: Search) -> str:
    query = f'"{result.words}"' if result.words else f"the picture of {result.name}"
    unknown = ""
    if result.unknown:
        unknown = f" CLIP never met {', '.join(result.unknown)} and reads it by its letters."
    if result.nothing_known:
        unknown = " CLIP knows none of these letters, so the answer is arbitrary."
    first = [
        f"{name} in {style}" for name, style in zip(result.found_names, result.styles, strict=False)
    ]
    return (
        f"Nearest to {query}: {', '.join(first)}.{unknown} Nearest captions to {result.name}: "
        f"{', '.join(result.captions)}; its own name is number {result.rank} of "
        f"{result.candidates}."
    )


def clicked_picture(result: Search, place: Place) -> dict[str, int | str]:
    """The controls that show the picture a click hit, where `plots.draw_search` draws the found."""
    row, column = int(place.y), int(place.x)
    if place.axes != 0 or not (0 <= row < ROWS and 0 <= column < len(result.styles)):
        return {}
    concept = result.found_concepts[row * len(result.styles) + column]
    return {"emoji": concept, "style": result.styles[column]}


def playground(gallery: ClipGallery | None = None) -> Panel:
    """Type words, choose a picture: CLIP finds pictures for the one, captions for the other."""
    gallery = gallery or embed_gallery(encoders.load("clip-conv"))
    shown = {
        f"{concept.emoji} {concept.name}": concept.position
        for concept in sorted(data.concepts(), key=lambda c: c.name)
        if concept.part in UNSEEN
    }
    start = next(c.position for c in data.concepts() if c.name == "sailboat")

    def compute(words: str, emoji: int, style: str) -> Search:
        return compute_search(gallery, words, emoji, style)

    return panel(
        compute,
        plots.draw_search,
        describe_search,
        size=(9, 5.4),
        rows=2,
        title="Ask CLIP: words find pictures, a picture finds words (click one)",
        click=clicked_picture,
        words=ipywidgets.Text("fruit", description="Words"),
        emoji=ipywidgets.Dropdown(options=shown, value=start, description="Picture of"),
        style=ipywidgets.Dropdown(options=data.STYLES, description="Drawn by"),
    )


# ------------------------------------------------ zero-shot classification


class ZeroShot(NamedTuple):
    """Classification by the nearest of twelve prompts, in every style."""

    styles: tuple[str, ...]
    intervals: list[Interval]  # a style's accuracy; one image per concept, so trials are separate
    overall: Interval  # over concepts: the styles of one concept are not independent
    default: np.ndarray  # (styles,) accuracy of the bare class names
    chance: float
    wrong: np.ndarray  # (up to MISTAKES, 3, 64, 64) uint8
    mistakes: list[tuple[str, str]]  # (the concept's name, the class it was given)
    failures: int
    total: int
    unknown: list[str]


def compute_zero_shot(
    gallery: ClipGallery, prompts: Sequence[str], part: str, bare: torch.Tensor | None = None
) -> ZeroShot:
    """Classify every image of `part` by `prompts`, and collect the first mistakes of each class.

    bare: (images,) what the bare class names say, where that is known already.
    """
    rows, guess = hits_of(gallery, prompts, part)
    labels, style = gallery.labels[rows], gallery.emoji.style[rows]
    right = guess == labels
    if bare is None:
        bare = hits_of(gallery, data.class_names(), part)[1]
    in_style = [style == i for i in range(len(data.STYLES))]
    wrong = first_mistakes(rows[~right], gallery)
    names = {
        row: data.class_names()[g] for row, g in zip(rows.tolist(), guess.tolist(), strict=True)
    }
    return ZeroShot(
        styles=data.STYLES,
        intervals=[evaluate.share_interval(int(right[m].sum()), int(m.sum())) for m in in_style],
        overall=over_concepts(right, gallery.emoji.concept[rows]),
        default=np.array([(bare == labels)[m].float().mean().item() for m in in_style]),
        chance=largest_share(labels),
        wrong=gallery.emoji.images[wrong].numpy(),
        mistakes=[
            (data.concepts()[int(gallery.emoji.concept[row])].name, names[row]) for row in wrong
        ],
        failures=int((~right).sum()),
        total=len(rows),
        unknown=list(dict.fromkeys(w for p in prompts for w in gallery.clip.text.unknown(p))),
    )


def first_mistakes(rows: torch.Tensor, gallery: ClipGallery) -> list[int]:
    """One wrong row of each class in turn, each of another concept, up to MISTAKES."""
    found: dict[int, int] = {}
    for row in rows.tolist():
        found.setdefault(int(gallery.labels[row]), row)
    return [found[label] for label in sorted(found)][:MISTAKES]


def describe_zero_shot(result: ZeroShot) -> str:
    parts = [
        f"{style} {interval.mean:.0%}"
        for style, interval in zip(result.styles, result.intervals, strict=True)
    ]
    unknown = f" Words CLIP never met: {', '.join(result.unknown)}." if result.unknown else ""
    wrong = [f"{name} is taken for {guess}" for name, guess in result.mistakes[:2]]
    return (
        f"Zero-shot accuracy {result.overall.mean:.1%} over all styles (95 % interval "
        f"{result.overall.low:.0%} to {result.overall.high:.0%}): {', '.join(parts)}. Always the "
        f"largest class: {result.chance:.0%}. {'; '.join(wrong)}.{unknown}"
    )


def zero_shot(gallery: ClipGallery | None = None) -> Panel:
    """Twelve prompts that the reader edits; accuracy in every style at every key."""
    gallery = gallery or embed_gallery(encoders.load("clip-conv"))
    keys = {f"class_{i}": name for i, name in enumerate(data.class_names())}
    bare = {part: hits_of(gallery, data.class_names(), part)[1] for part in ("validation", "test")}

    def compute(template: str, part: str, **classes: str) -> ZeroShot:
        words = [classes[key].strip() or name for key, name in keys.items()]
        template = template if "{}" in template else template + " {}"
        prompts = [template.replace("{}", word) for word in words]
        return compute_zero_shot(gallery, prompts, part, bare[part])

    return panel(
        compute,
        plots.draw_zero_shot,
        describe_zero_shot,
        size=(9, 4.8),
        columns=2,
        title="A classifier made of words: edit the prompts",
        part=ipywidgets.Dropdown(
            options={"validation concepts": "validation", "test concepts": "test"},
            description="Tested on",
        ),
        template=ipywidgets.Text("{}", description="Template"),
        **{key: ipywidgets.Text(name, description=name) for key, name in keys.items()},
    )
