"""Captions: cut into words and letters the documented way, and read whatever a person types."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from cases import cases
from hypothesis import given
from hypothesis import strategies as st

from labkit.text import TextEncoder, make_vocabulary, pieces, words

CAPTIONS = ("cat face", "grinning face", "bactrian camel", "face with tears of joy :)")


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TextEncoder(make_vocabulary(CAPTIONS), dim=8).eval()


# Words and pieces


def test_the_documented_examples() -> None:
    assert words("Bactrian camel!") == ["bactrian", "camel", "!"]
    assert pieces("cat") == ["cat", "#<ca", "#cat", "#at>"]


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("", []),
        (" \t\n", []),
        ("a", ["a"]),
        ("snake_case", ["snake", "case"]),
        ("man’s shoe", ["man", "’", "s", "shoe"]),
        ("keycap: 10", ["keycap", ":", "10"]),
        (":D", [":", "d"]),
        ("piñata ÉTÉ", ["piñata", "été"]),
        ("🐈‍⬛", ["🐈", "\u200d", "⬛"]),
    ],
)
def test_words_of(caption, expected) -> None:
    assert words(caption) == expected


@given(st.text(max_size=40))
def test_pieces_are_the_words_and_their_runs_of_three_letters(caption) -> None:
    found = pieces(caption)
    letters = [piece for piece in found if piece.startswith("#") and len(piece) == 4]
    assert [piece for piece in found if piece not in letters] == words(caption)
    # A word of n letters between its brackets has n runs: together they spell the caption again.
    assert "".join(piece[2] for piece in letters) == "".join(words(caption))
    assert words(" ".join(words(caption))) == words(caption)


@given(st.permutations(CAPTIONS))
def test_a_vocabulary_depends_on_the_captions_and_not_on_their_order(captions) -> None:
    vocabulary = make_vocabulary(captions)
    assert vocabulary == make_vocabulary(CAPTIONS)
    assert vocabulary == sorted(set(vocabulary))
    assert set(vocabulary) == {piece for caption in CAPTIONS for piece in pieces(caption)}


def test_unknown_words_are_listed_in_their_order(encoder) -> None:
    assert encoder.unknown("Grinning robot face of CATS") == ["robot", "cats"]
    assert encoder.unknown("tears, joy") == [","]
    assert encoder.unknown("") == []
    assert encoder.unknown("#cat") == ["#"], "pieces of letters are not words"


# Captions in, features out


def by_hand(encoder: TextEncoder, caption: str) -> torch.Tensor:
    """The mean of the embeddings of all known pieces, through the network."""
    rows = [encoder.index[piece] for piece in pieces(caption) if piece in encoder.index]
    x = encoder.embedding.weight[rows].mean(dim=0) if rows else torch.zeros(encoder.dim)
    return x + encoder.network(x)


ANY_CAPTION = st.sampled_from((*CAPTIONS, "", "qqq", "zz 99 !", "cat", "a cat's face")) | st.text(
    max_size=12
)


@given(st.lists(ANY_CAPTION, max_size=6))
@cases(25)
@torch.no_grad()
def test_every_caption_is_read_as_if_alone(encoder, captions) -> None:
    features = encoder(captions)
    assert features.shape == (len(captions), encoder.dim) and features.dtype == torch.float32
    assert features.isfinite().all()
    for caption, feature in zip(captions, features, strict=True):
        assert torch.allclose(feature, by_hand(encoder, caption), atol=1e-5)


@torch.no_grad()
def test_captions_with_nothing_known_share_one_finite_direction(encoder) -> None:
    nothing = encoder(["", "qqq", "777", "  "])
    assert (nothing == nothing[0]).all()
    assert F.normalize(nothing, dim=1).isfinite().all()
    assert encoder.unknown("qqq") == ["qqq"], "and `unknown` tells"


@torch.no_grad()
def test_an_unknown_word_is_read_by_its_letters(encoder) -> None:
    assert "camels" not in encoder.index
    camels, camel, grinning = F.normalize(encoder(["camels", "camel", "grinning"]), dim=1)
    assert camels @ camel > camels @ grinning


def test_a_single_string_is_no_list_of_captions(encoder) -> None:
    with pytest.raises(ValueError, match="captions: got the string 'cat', accepted: a list"):
        encoder("cat")
