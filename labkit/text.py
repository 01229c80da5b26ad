"""Captions to features: by words whose meaning was learned elsewhere, or by pieces learned here.

`WordEncoder` starts from a table of word vectors (data/words), so that it understands words of no
caption; `TextEncoder` knows nothing but the captions it is trained on.
"""

import re
from collections.abc import Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import data
from labkit.inputs import refused
from labkit.weights import parse_tensors


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
        self.network = small_network(dim)

    def forward(self, captions: Sequence[str]) -> Tensor:
        known = [
            [self.index[piece] for piece in pieces(caption) if piece in self.index]
            for caption in listed(captions)
        ]
        lengths = torch.tensor([len(ids) for ids in known], dtype=torch.int64)
        offsets = lengths.cumsum(0) - lengths  # where each caption begins in `flat`
        flat = torch.tensor([i for ids in known for i in ids], dtype=torch.int64)
        device = self.embedding.weight.device
        x = self.embedding(flat.to(device), offsets.to(device))  # (n, dim); no piece known: zeros
        return x + self.network(x)  # (n, dim)

    def reads(self, caption: str) -> bool:
        """Whether any piece of the caption is known; else its features mean nothing."""
        return any(piece in self.index for piece in pieces(caption))

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that were in no caption of the pretraining."""
        return [word for word in words(caption) if word not in self.index]


class WordEncoder(nn.Module):
    """Captions to features through fixed word vectors and a small network that trains.

    Locked-text tuning (Zhai et al. 2022): what words mean comes from another model and stays as it
    is, so that "automobile" is near "car" though no caption holds it. n captions give (n, dim).
    """

    dim = 128

    def __init__(self) -> None:
        super().__init__()
        self.table = word_table()  # no module: its vectors are neither trained nor stored again
        self.network = small_network(self.dim)

    def forward(self, captions: Sequence[str]) -> Tensor:
        x = self.table(captions).to(self.network[0].weight)  # (n, dim)
        return x + self.network(x)

    def reads(self, caption: str) -> bool:
        """Whether any word or run of letters is known; else its features mean nothing."""
        return bool(self.table.caption(caption).any())

    def unknown(self, caption: str) -> list[str]:
        """The words of a caption that are not in the table, and are read by their letters."""
        return [word for word in words(caption) if word not in self.table.index]


class WordTable:
    """Vectors of English words, and of runs of three letters for words that are not among them.

    Made by data/build_words.py from a sentence model. A caption is the weighted sum of its words,
    scaled to unit variance: (n,) -> (n, 128) float32; one without a word or letter known is zeros.
    """

    def __init__(self, content: bytes) -> None:
        config, tensors = parse_tensors(content)
        self.index = {word: i for i, word in enumerate(config["words"])}
        self.piece_index = {piece: i for i, piece in enumerate(config["pieces"])}
        self.weight = tensors["weight"].float()  # (words,): less for the frequent ones
        self.words, self.pieces = (
            tensors[name].float() * tensors[f"{name}.step"].float()[:, None]
            for name in ("words", "pieces")
        )  # (words, 128), (pieces, 128)

    def __call__(self, captions: Sequence[str]) -> Tensor:
        found = [self.caption(caption) for caption in listed(captions)]
        sums = torch.stack(found) if found else torch.zeros(0, self.words.shape[1])
        return F.normalize(sums, dim=1) * self.words.shape[1] ** 0.5

    def caption(self, caption: str) -> Tensor:
        """The weighted sum of a caption's words. (128,)"""
        zero = torch.zeros(self.words.shape[1])
        return sum((self.word(word) for word in words(caption)), start=zero)

    def word(self, word: str) -> Tensor:
        """One word's vector times its weight: of the table, else the mean of its runs of letters.

        Runs of letters determine a vector less surely, so that theirs is shorter. (128,)
        """
        if word in self.index:
            i = self.index[word]
            return self.weight[i] * self.words[i]
        known = [self.piece_index[p] for p in pieces(word)[1:] if p in self.piece_index]
        return self.pieces[known].mean(dim=0) if known else torch.zeros(self.words.shape[1])


@cache
def word_table() -> WordTable:
    """The shipped word vectors, read once; DataError for a missing or damaged file."""
    return WordTable(data.read_bytes("words/words.safetensors"))


def small_network(dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim), nn.LayerNorm(dim)
    )


def listed(captions: Sequence[str]) -> Sequence[str]:
    if isinstance(captions, str):
        raise refused("captions", f"the string {captions!r}", "a list of strings")
    return captions


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
