"""What pretraining sees: the upstream emoji and the icons, each picture with its caption.

No picture here is of a downstream or trap concept; data/README.md tells how that was made sure.
"""

from collections import Counter
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from labkit import data
from labkit.inputs import refused
from labkit.text import words


class Entry(NamedTuple):
    """A caption, and the pictures that it describes."""

    name: str
    keywords: tuple[str, ...]  # other words for it; an icon has none
    labels: tuple[str, ...]  # for supervised pretraining
    rows: Tensor  # of the images, (pictures,) int64


class Upstream:
    """All pictures that pretraining may see, and draws of batches from them."""

    def __init__(self, emoji: data.Emoji, icons: data.Icons | None = None) -> None:
        self.images = emoji.images if icons is None else torch.cat([emoji.images, icons.images])
        self.emoji = list_emoji(emoji)
        self.icons = [] if icons is None else list_icons(icons, first=len(emoji))

    def draw(
        self, size: int, generator: Generator, icons: float = 0.0
    ) -> tuple[Tensor, list[Entry]]:
        """Images (size, 3, h, w) uint8 and the entry of each; a share of `icons` comes last."""
        count = round(icons * size)
        drawn = draw_entries(self.emoji, size - count, generator)
        if count:
            drawn += draw_entries(self.icons, count, generator)
        return self.images[[row for _, row in drawn]], [entry for entry, _ in drawn]


def list_emoji(emoji: data.Emoji) -> list[Entry]:
    """An entry for each concept, with its drawings in all styles; its label is its subgroup."""
    concepts = [data.concepts()[position] for position in emoji.concept.unique().tolist()]
    rows = [(emoji.concept == concept.position).nonzero()[:, 0] for concept in concepts]
    found = zip(concepts, rows, strict=True)
    return [Entry(c.name, c.keywords, (c.subgroup,), drawings) for c, drawings in found]


def list_icons(icons: data.Icons, first: int, least: int = 20) -> list[Entry]:
    """An entry for each caption; labels are its words that at least `least` captions share.

    Images of icons begin at row `first`. (Words as labels: Joulin et al. 2016.)
    """
    rows: dict[str, list[int]] = {}
    for row, caption in enumerate(icons.captions, start=first):
        rows.setdefault(caption, []).append(row)
    count = Counter(word for caption in rows for word in set(words(caption)))
    labels = {c: sorted(f"icon: {w}" for w in set(words(c)) if count[w] >= least) for c in rows}
    return [Entry(c, (), tuple(labels[c]), torch.tensor(found)) for c, found in rows.items()]


def draw_entries(entries: list[Entry], size: int, generator: Generator) -> list[tuple[Entry, int]]:
    """`size` different entries, each with one of its pictures."""
    if size > len(entries):
        raise refused("batch", f"{size} of a kind", f"at most {len(entries)} captions")
    chosen = torch.randperm(len(entries), generator=generator)[:size].tolist()
    which = torch.rand(size, generator=generator).tolist()
    drawn = [(entries[i], u) for i, u in zip(chosen, which, strict=True)]
    return [(entry, int(entry.rows[int(u * len(entry.rows))])) for entry, u in drawn]


def draw_caption(entry: Entry, generator: Generator) -> str:
    """The name, some of the keywords, or both: people look for things with either."""
    u = torch.rand(1 + len(entry.keywords), generator=generator).tolist()
    some = [word for word, chance in zip(entry.keywords, u[1:], strict=True) if chance < 0.3]
    if u[0] < 0.2 and some:
        return " ".join(some)
    return " ".join([entry.name, *some])


def load_upstream(icons: bool = True) -> Upstream:
    """The upstream emoji, and the icons if they are wanted."""
    return Upstream(data.load(parts="upstream"), data.load_icons() if icons else None)
