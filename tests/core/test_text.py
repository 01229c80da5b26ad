"""Captions: cut into words and letters the documented way, and read whatever a person types."""

import pytest
import torch
import torch.nn.functional as F
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from seeds import seeded

from labkit import data
from labkit.text import TextEncoder, WordEncoder, make_vocabulary, pieces, word_table, words

CAPTIONS = ("cat face", "grinning face", "bactrian camel", "face with tears of joy :)")


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return seeded(lambda: TextEncoder(make_vocabulary(CAPTIONS), dim=8)).eval()


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


def by_letters(word: str) -> torch.Tensor:
    """What the table says of a word that it lacks."""
    table = word_table()
    known = [table.piece_index[p] for p in pieces(word)[1:] if p in table.piece_index]
    return table.pieces[known].mean(dim=0)


def nearest(query: str, captions: list[str]) -> str:
    table = word_table()
    return captions[int((table(captions) @ table([query])[0]).argmax())]


THINGS = "person animal food car cat fish shoe tool moon flower house".split()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("automobile", "car"),
        ("lunar", "moon"),
        ("feline", "cat"),
        ("seafood", "fish"),
        ("footwear", "shoe"),
        ("a hammer", "tool"),
        ("tulips", "flower"),
        ("cottage", "house"),
    ],
)
def test_words_of_one_meaning_are_near(query, expected) -> None:
    assert nearest(query, THINGS) == expected


@given(st.lists(ANY_CAPTION, max_size=6))
@cases(25)
def test_a_caption_is_the_weighted_sum_of_its_words(captions) -> None:
    table = word_table()
    found = table(captions)
    assert found.shape == (len(captions), 128) and found.isfinite().all()
    for caption, vector in zip(captions, found, strict=True):
        expected = sum((table.word(word) for word in words(caption)), start=torch.zeros(128))
        assert F.cosine_similarity(vector, expected, dim=0) > 0.999 or not expected.any()
        assert vector.norm() == pytest.approx(128**0.5 if expected.any() else 0, abs=1e-3)


def test_frequent_words_say_little() -> None:
    table = word_table()
    assert table.word("of").norm() < 0.1 < 0.9 < table.word("giraffe").norm() < 1.01
    with_of, without = table(["king of hearts", "king hearts"])
    assert F.cosine_similarity(with_of, without, dim=0) > 0.95


def test_a_word_outside_the_table_is_read_by_its_letters() -> None:
    table = word_table()
    assert "giraffish" not in table.index
    assert torch.equal(table.word("giraffish"), by_letters("giraffish"))
    assert nearest("giraffish", ["a giraffe", "a lorry", "a sandwich"]) == "a giraffe"
    assert not table.word("\u3042").any(), "no letter known: nothing"


def test_letters_alone_find_words_again() -> None:
    """Of the table's own words, spelt by their letters, most find themselves among a thousand."""
    table = word_table()
    some = [word for word in table.index if word.isalpha() and word.isascii() and len(word) > 3]
    some = some[:: len(some) // 1000]
    own = torch.stack([table.words[table.index[word]] for word in some])
    guessed = F.normalize(torch.stack([by_letters(word) for word in some]), dim=1)
    found = (guessed @ own.T).argmax(dim=1) == torch.arange(len(some))
    assert found.float().mean() > 0.5


def test_only_the_small_network_of_a_word_encoder_trains() -> None:
    encoder = WordEncoder()
    assert {name.split(".")[0] for name, _ in encoder.named_parameters()} == {"network"}
    assert set(encoder.state_dict()) == set(dict(encoder.named_parameters()))
    assert encoder(["a cat", "a dog"]).shape == (2, encoder.dim)
    assert encoder.unknown("a giraffish car") == ["giraffish"]
    assert encoder([]).shape == (0, encoder.dim)


def test_every_word_of_a_caption_is_in_the_table() -> None:
    captions = [" ".join([c.name, *c.keywords]) for c in data.concepts()]
    captions += data.load_icons().captions
    known = word_table().index
    assert not {word for caption in captions for word in words(caption)} - set(known)
    assert len(known) > 30_000
