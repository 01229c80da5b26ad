"""Icons are upstream only: no word and no picture of a downstream or trap concept is among them."""

import collections
import sys

import numpy as np
import pytest
import torch

from labkit import data


@pytest.fixture(scope="module")
def rules():
    """The rules that the icons were chosen by."""
    sys.path.insert(0, str(data.DATA))
    try:
        import icon_rules
    finally:
        sys.path.remove(str(data.DATA))
    return icon_rules


@pytest.fixture(scope="module")
def icons() -> data.Icons:
    return data.load_icons()


def test_counts_match_the_table_and_the_readme(icons) -> None:
    table = data.read_table("icons/icons.csv")
    assert icons.captions == tuple(row["caption"] for row in table)
    assert icons.images.shape == (len(table), 3, 32, 32) and icons.images.dtype == torch.uint8
    readme = (data.DATA / "README.md").read_text(encoding="utf-8")
    counts = collections.Counter(row["set"] for row in table)
    for name, count in counts.items():
        positions = [int(row["position"]) for row in table if row["set"] == name]
        assert positions == list(range(count))
        assert f"| {name} | {count:,} |" in readme
    captions = len(set(icons.captions))
    assert f"{len(table):,} pictures" in readme and f"{captions:,} different captions" in readme


def test_every_picture_is_drawn_and_no_two_are_the_same(icons) -> None:
    assert (icons.images < 250).flatten(1).any(1).all()
    assert len(np.unique(icons.images.flatten(1).numpy(), axis=0)) == len(icons.images)


def test_no_caption_holds_a_word_of_a_downstream_or_trap_concept(icons, rules) -> None:
    assert [caption for caption in icons.captions if rules.tells(caption)] == []
    for name in ("tiger cub", "red-apples", "snowfall", "arrow circle", "Piñatas", "aubergine"):
        assert rules.tells(name), name


def test_no_picture_is_a_near_duplicate_of_a_downstream_or_trap_emoji(icons, rules) -> None:
    emoji, others = rules.held_back_pictures()
    similar, _ = rules.nearest(icons.images, others)
    assert similar.max() < rules.SIMILAR
    some = emoji.images[::50]
    smaller = torch.full_like(some, 255)  # moved, mirrored, smaller and paler: most are found
    pale = some.flip(3).float() * 0.6 + 102
    small = torch.nn.functional.interpolate(pale, 24, mode="bilinear", antialias=True)
    smaller[:, :, 3:27, 5:29] = small.round().to(torch.uint8)
    similar, _ = rules.nearest(smaller, others)
    assert (similar > rules.SIMILAR).mean() > 0.8  # 84 %


def test_a_set_s_pictures_are_where_its_sheet_shows_them(icons) -> None:
    first = data.read_table("icons/icons.csv")[0]["set"]
    sheet = data.read_tiles(f"icons/{first}.webp", 32, data.ICON_COLUMNS)
    assert torch.equal(torch.from_numpy(sheet[70]), icons.images[70])
