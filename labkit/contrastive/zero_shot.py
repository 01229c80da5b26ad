"""Classification without a single label: the nearest of a few captions, by CLIP (section 3.1).

Radford et al. 2021 (arXiv:2103.00020). Images are embedded once; a new set of prompts then costs
one pass of the text encoder and one matrix product.
"""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
import torch

from labkit import data, encoders
from labkit.contrastive.geometry import information
from labkit.inputs import check_choice, refused
from labkit.statistics import Interval, mean_interval
from labkit.tasks import largest_share

BATCHES = (2, 4, 8, 16, 32, 64, 128)
UNSEEN = ("train", "validation", "test", "trap")  # the parts no encoder was pretrained on


class ClipGallery(NamedTuple):
    """Emoji CLIP has never seen, and every caption of the data set, embedded once."""

    clip: encoders.Clip
    emoji: data.Emoji  # at 64 px
    image: torch.Tensor  # (images, dim) unit vectors
    text: torch.Tensor  # (concepts, dim) unit vectors of all names, seen and unseen
    labels: torch.Tensor  # (images,) downstream classes, -1 for none

    @property
    def chance(self) -> float:
        """Always answering the test concepts' largest class."""
        tested = [concept.position for concept in data.concepts() if concept.part == "test"]
        return largest_share(data.labels_of(torch.tensor(tested)))


@torch.no_grad()
def embed_gallery(clip: encoders.Clip) -> ClipGallery:
    """Embed all unseen emoji in all styles, and all 1,644 names: seconds, once."""
    emoji = data.load(parts=UNSEEN, size=64)
    image = torch.cat([clip.embed_images(data.half_size(part)) for part in emoji.images.split(256)])
    text = clip.embed_captions([concept.name for concept in data.concepts()])
    return ClipGallery(clip, emoji, image, text, data.labels_of(emoji.concept))


@torch.no_grad()
def embed_pairs(
    clip: encoders.Clip, emoji: data.Emoji, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and their names in random order, (n, dim) unit vectors each."""
    emoji = emoji[torch.randperm(len(emoji), generator=generator)]
    image = torch.cat([clip.embed_images(part) for part in emoji.images.split(256)])
    return image, clip.embed_captions(emoji.captions)


@torch.no_grad()
def hits_of(
    gallery: ClipGallery, prompts: Sequence[str], part: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of the images of `part`, and the class whose prompt is nearest to each: (n,), (n,).

    prompts: one for each of `data.class_names()`. Raises ValueError for another number of them, or
    a part without classes.
    """
    check_choice("part", (part,), ("train", "validation", "test"))
    if len(prompts) != len(data.class_names()):
        raise refused("prompts", len(prompts), len(data.class_names()))
    inside = torch.tensor([concept.part == part for concept in data.concepts()])
    rows = (inside[gallery.emoji.concept] & (gallery.labels >= 0)).nonzero()[:, 0]
    text = gallery.clip.embed_captions(list(prompts))  # (classes, dim)
    return rows, (gallery.image[rows] @ text.T).argmax(dim=1)


def accuracy(gallery: ClipGallery, prompts: Sequence[str], part: str) -> Interval:
    """Mean accuracy over concepts, each in all its styles, with the interval over concepts."""
    rows, guess = hits_of(gallery, prompts, part)
    return over_concepts(guess == gallery.labels[rows], gallery.emoji.concept[rows])


def scoreboard(gallery: ClipGallery, guess: float) -> pd.DataFrame:
    """Zero-shot by the bare class names, with its interval, beside chance and a reader's guess."""
    rows = {
        "your guess": [guess, None, None],
        "always the largest class": [gallery.chance, None, None],
        "CLIP, without any label": accuracy(gallery, data.class_names(), "test"),
    }
    return pd.DataFrame.from_dict(rows, orient="index", columns=["accuracy", "from", "to"])


def information_curves(clip: encoders.Clip, seed: int = 0) -> dict[str, pd.DataFrame]:
    """The bound on image and caption's information by batch size, for seen and unseen concepts.

    The gentler scale of the second curve is the best on validation concepts in batches of 64.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = {
        part: embed_pairs(clip, data.load("noto", parts=part), generator)
        for part in ("upstream", "validation", "test")
    }
    learned = clip.logit_scale.item()
    scales = (1, 2, 4, 8, 16, learned)
    best = max(scales, key=lambda scale: information(*drawn["validation"], scale, 64))
    settings = {
        "seen concepts": ("upstream", learned),
        f"unseen, scale {best:.3g}": ("test", best),
        "unseen, learned scale": ("test", learned),
    }
    curves = {}
    for name, (part, scale) in settings.items():
        bounds = [information(*drawn[part], scale, size) for size in BATCHES]
        curves[name] = pd.DataFrame({"mean": bounds}, index=BATCHES)
    return curves


def over_concepts(hits: torch.Tensor, concept: torch.Tensor) -> Interval:
    """hits, concept: (n,). A concept's score is the share of its styles that are right."""
    _, place, count = concept.unique(return_inverse=True, return_counts=True)
    right = count.new_zeros(len(count), dtype=torch.float32).index_add_(0, place, hits.float())
    return mean_interval((right / count).numpy(), overlap=0)
