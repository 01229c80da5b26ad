"""Notebook 03's CLIP playground: search by words, name a picture, classify without any label."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch
from torch import Tensor

from labkit import data, encoders
from labkit.contrastive.figures import draw_search, draw_zero_shot
from labkit.contrastive.zero_shot import UNSEEN, ClipGallery, embed_gallery, hits_of, over_concepts
from labkit.statistics import Interval, share_interval
from labkit.tasks import largest_share
from labkit.ui.controls import menu
from labkit.ui.panel import Panel, panel
from labkit.ui.raster import Place

ROWS, CAPTIONS, MISTAKES = 2, 5, 6
SUGGESTED = (  # "boat" and "lunar" are here because they work; not all do
    "boat", "red boat", "blue boat", "car", "red heart", "blue heart", "a face that laughs",
    "sad face", "angry", "cat", "dog", "horse", "bird", "fish", "insect", "tree", "flower",
    "yellow flower", "fruit", "red fruit", "bread", "something to drink", "house", "clock", "music",
    "ball", "rain", "night", "moon", "lunar", "shoe", "hat", "tool",
)  # fmt: skip
TEMPLATES = ("a photo of {}", "a drawing of {}", "a black and white {}", "a kind of {}", "red {}")


# ------------------------------------------------ words to pictures, a picture to captions


class Search(NamedTuple):
    """What the words find in each style, and the captions nearest to one picture."""

    words: str
    unknown: list[str]  # words that the text encoder reads by their letters
    nothing_known: bool  # not one piece of the words was ever met
    found: data.Emoji  # ROWS * STYLES of them at 64 px: row by row, best first
    picture: data.Emoji  # one, at 64 px
    captions: list[str]
    cosines: np.ndarray  # (captions,)
    rank: int  # of the picture's own name among those of all concepts


@torch.no_grad()
def compute_search(gallery: ClipGallery, words: str, emoji: int, style: str) -> Search:
    """Search every style for `words` (empty: for the picture), and name the picture of `emoji`.

    The picture is concept `emoji` in `style`, or in its first style where that has none.
    """
    row = gallery.emoji.row_of(emoji, style)
    encoder, words = gallery.clip.text, words.strip()
    query = gallery.clip.embed_captions([words]) if words else gallery.image[row][None]
    matches = (gallery.image @ query.T)[:, 0]
    in_style = [(gallery.emoji.style == i).nonzero()[:, 0] for i in range(len(data.STYLES))]
    nearest = [rows[matches[rows].topk(ROWS).indices] for rows in in_style]  # best first
    similarity = gallery.text @ gallery.image[row]
    order = similarity.argsort(descending=True)
    best = order[:CAPTIONS]
    return Search(
        words=words,
        unknown=encoder.unknown(words),
        nothing_known=bool(words) and not encoder.reads(words),
        found=gallery.emoji[torch.stack(nearest, dim=1).flatten()],
        picture=gallery.emoji[row : row + 1],
        captions=[data.concepts()[i].name for i in best.tolist()],
        cosines=similarity[best].numpy(),
        rank=order.tolist().index(emoji) + 1,
    )


def describe_search(result: Search) -> str:
    name, own = result.picture.captions[0], data.STYLES[int(result.picture.style[0])]
    query = f'"{result.words}"' if result.words else f"the picture of {name}"
    note = "Columns are styles, and nearest comes first."
    if result.unknown:
        note = f"CLIP never met {', '.join(result.unknown)} and reads it by its letters."
    if result.nothing_known:
        note = "CLIP knows none of these letters, so the answer is arbitrary."
    found = zip(result.found.captions, data.STYLES, strict=False)  # the first row
    return (
        f"{note} Nearest to {query}: {', '.join(f'{one} in {style}' for one, style in found)}. "
        f"Nearest captions to {name}, drawn by {own}: {', '.join(result.captions)}; its own name "
        f"is number {result.rank} of {len(data.concepts())}."
    )


def clicked_picture(result: Search, place: Place) -> dict[str, int | str]:
    """The controls that show the picture a click hit, where `draw_search` draws the found."""
    row, column = int(place.y), int(place.x)
    if place.axes != 0 or not (0 <= row < ROWS and 0 <= column < len(data.STYLES)):
        return {}
    concept = result.found.concept[row * len(data.STYLES) + column]
    return {"emoji": int(concept), "style": data.STYLES[column]}


def playground(gallery: ClipGallery | None = None) -> Panel:
    """Type words, choose a picture: CLIP finds pictures for the one, captions for the other."""
    gallery = gallery or embed_gallery(encoders.load("clip-words-conv"))
    by_name = sorted(data.concepts(), key=lambda concept: concept.name)
    shown = {f"{c.emoji} {c.name}": c.position for c in by_name if c.part in UNSEEN}
    start = next(c.position for c in by_name if c.name == "smiling face with horns")
    return panel(
        partial(compute_search, gallery),
        draw_search,
        describe_search,
        size=(9, 5.4),
        rows=2,
        title="Ask CLIP: words find pictures, a picture finds words (click one)",
        click=clicked_picture,
        words=ipywidgets.Combobox(value="boat", options=SUGGESTED, description="Words"),
        emoji=menu("Picture of", shown, start),
        style=menu("Drawn by", data.STYLES),
    )


# ------------------------------------------------ zero-shot classification


class ZeroShot(NamedTuple):
    """A classifier made of prompts, in every style, and some of its mistakes."""

    intervals: list[Interval]  # accuracy in each style, over its images
    overall: Interval  # over concepts
    default: np.ndarray  # (styles,) accuracy of the bare class names
    chance: float  # always the largest class
    wrong: data.Emoji  # up to MISTAKES, at 64 px
    guesses: list[str]  # the class that each of them is taken for
    failures: int
    total: int
    unknown: list[str]  # words of the prompts that the text encoder reads by their letters


def compute_zero_shot(
    gallery: ClipGallery, prompts: Sequence[str], part: str, bare: Tensor | None = None
) -> ZeroShot:
    """Classify every image of `part` by `prompts`, and collect the first mistakes of each class.

    bare: (images,) what the bare class names say, where that is known already.
    """
    rows, guess = hits_of(gallery, prompts, part)
    labels, style = gallery.labels[rows], gallery.emoji.style[rows]
    if bare is None:
        bare = hits_of(gallery, data.class_names(), part)[1]
    right, in_style = guess == labels, [style == i for i in range(len(data.STYLES))]
    mistakes = (~right).nonzero()[:, 0]
    _, first = np.unique(labels[mistakes], return_index=True)  # of each class
    wrong = mistakes[first[:MISTAKES]]
    return ZeroShot(
        intervals=[share_interval(int(right[m].sum()), int(m.sum())) for m in in_style],
        overall=over_concepts(right, gallery.emoji.concept[rows]),
        default=np.array([(bare == labels)[m].float().mean().item() for m in in_style]),
        chance=largest_share(labels),
        wrong=gallery.emoji[rows[wrong]],
        guesses=[data.class_names()[i] for i in guess[wrong].tolist()],
        failures=int((~right).sum()),
        total=len(rows),
        unknown=list(dict.fromkeys(w for p in prompts for w in gallery.clip.text.unknown(p))),
    )


def describe_zero_shot(result: ZeroShot) -> str:
    pairs = zip(data.STYLES, result.intervals, strict=True)
    parts = [f"{style} {interval.mean:.0%}" for style, interval in pairs]
    note = "Lines are 95 % intervals for other concepts."
    if result.unknown:
        note = f"CLIP never met {', '.join(result.unknown)}."
    mistakes = zip(result.wrong.captions[:2], result.guesses[:2], strict=True)
    return (
        f"{note} Zero-shot accuracy {result.overall.mean:.1%} over all styles (95 % interval "
        f"{result.overall.low:.0%} to {result.overall.high:.0%}): {', '.join(parts)}. Always the "
        f"largest class: {result.chance:.0%}. "
        f"{'; '.join(f'{name} is taken for {guess}' for name, guess in mistakes)}."
    )


def members(name: str) -> list[str]:
    """Three pretraining concepts of a class: words to try in place of its name."""
    own = [c.name for c in data.concepts() if c.label == name and c.part not in UNSEEN]
    return own[:: max(1, len(own) // 3)][:3]


def zero_shot(gallery: ClipGallery | None = None) -> Panel:
    """Twelve prompts that the reader edits; accuracy in every style at every key."""
    gallery = gallery or embed_gallery(encoders.load("clip-words-conv"))
    keys = {f"class_{i}": name for i, name in enumerate(data.class_names())}
    bare = {part: hits_of(gallery, data.class_names(), part)[1] for part in ("validation", "test")}

    def compute(template: str, part: str, **classes: str) -> ZeroShot:
        words = [classes[key].strip() or name for key, name in keys.items()]
        template = template if "{}" in template else template + " {}"
        prompts = [template.replace("{}", word) for word in words]
        return compute_zero_shot(gallery, prompts, part, bare[part])

    return panel(
        compute,
        draw_zero_shot,
        describe_zero_shot,
        size=(9, 4.8),
        columns=2,
        title="A classifier made of words: edit the prompts",
        part=menu("Tested on", {"validation concepts": "validation", "test concepts": "test"}),
        template=ipywidgets.Combobox(value="{}", options=TEMPLATES, description="Template"),
        **{
            key: ipywidgets.Combobox(value=name, options=members(name), description=name)
            for key, name in keys.items()
        },
    )
