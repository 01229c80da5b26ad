"""Captions to features, by words and by runs of three letters, so that no word is quite unknown."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class TextEncoder(nn.Module):
    """Captions to features: a word is itself, if known, plus its runs of three letters.

    The pieces of all words are averaged (as fastText does, Bojanowski et al. 2017), then pass a
    small network. An unknown word is still read by its letters; `unknown` says which words those
    are. n captions give (n, dim); none give (0, dim).
    """

    def __init__(self, vocabulary: Sequence[str], dim: int = 128) -> None:
        super().__init__()
        self.dim = dim
        self.vocabulary = tuple(vocabulary)
        self.index = {piece: i for i, piece in enumerate(self.vocabulary)}
        self.embedding = nn.EmbeddingBag(len(self.vocabulary), dim, mode="mean")
        self.network = nn.Sequential(
            nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim), nn.LayerNorm(dim)
        )

    def forward(self, captions: Sequence[str]) -> Tensor:
        if isinstance(captions, str):
            raise ValueError(f"captions: got the string {captions!r}, accepted: a list of strings")
        known = [
            [self.index[piece] for piece in pieces(caption) if piece in self.index]
            for caption in captions
        ]
        lengths = torch.tensor([len(ids) for ids in known], dtype=torch.int64)
        offsets = lengths.cumsum(0) - lengths  # where each caption begins in `flat`
        flat = torch.tensor([i for ids in known for i in ids], dtype=torch.int64)
        device = self.embedding.weight.device
        x = self.embedding(flat.to(device), offsets.to(device))  # (n, dim); no piece known: zeros
        return x + self.network(x)  # (n, dim)

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that were in no caption of the pretraining."""
        return [word for word in words(caption) if word not in self.index]


def words(caption: str) -> list[str]:
    """Lower-case words and single symbols: "Bactrian camel!" -> ["bactrian", "camel", "!"]."""
    return re.findall(r"[^\W_]+|[^\w\s]", caption.lower())


def pieces(caption: str) -> list[str]:
    """Every word of a caption, each followed by its three-letter runs.

    "cat" -> ["cat", "#<ca", "#cat", "#at>"]: angle brackets mark where a word begins and ends, #
    that a piece is letters and not a word.
    """
    found = []
    for word in words(caption):
        marked = f"<{word}>"
        found += [word, *(f"#{marked[i : i + 3]}" for i in range(len(marked) - 2))]
    return found


def make_vocabulary(captions: Sequence[str]) -> list[str]:
    """All pieces of the captions, sorted, so that the same captions give the same numbers."""
    return sorted({piece for caption in captions for piece in pieces(caption)})
