"""The data set: complete, readable, verified, and split so that nothing leaks."""

import collections

import numpy as np
import pytest
import torch
from PIL import Image

from labkit import data


def test_counts_match_the_readme() -> None:
    emoji = data.load()
    assert len(data.concepts()) == 1644
    assert emoji.images.shape == (len(emoji), 3, 32, 32) and emoji.images.dtype == torch.uint8
    counts = collections.Counter(data.STYLES[i] for i in emoji.style.tolist())
    readme = (data.DATA / "README.md").read_text(encoding="utf-8")
    for style in data.STYLES:
        assert f"| {style} | {counts[style]:,} |" in readme
    assert f"{len(emoji):,} images" in readme
    for name, digest in data.checksums().items():
        assert f"{digest}  {name}" in readme


@pytest.mark.parametrize("style", data.STYLES)
def test_tiles_are_where_the_captions_say(style: str) -> None:
    """A listed concept has a drawing, an unlisted one a blank tile."""
    tiles = data.read_sheet(style, 32)
    drawn = (tiles < 250).any(axis=(1, 2, 3))
    listed = np.array([style in c.styles for c in data.concepts()])
    assert (drawn[: len(listed)] == listed).all() and not drawn[len(listed) :].any()


def test_small_images_are_area_averages_of_the_stored_ones() -> None:
    small, large = data.load("fluent", size=32), data.load("fluent", size=64)
    blocks = large.images.double().unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5))
    assert (small.images.double() - blocks).abs().max() <= 0.5  # rounding


def test_a_tile_is_what_a_person_sees_in_the_sheet() -> None:
    emoji = data.load("noto", size=64)
    row = 100
    position = int(emoji.concept[row])
    left, top = position % data.COLUMNS * 64, position // data.COLUMNS * 64
    with Image.open(data.DATA / "emoji/noto.webp") as sheet:
        tile = np.asarray(sheet.convert("RGB").crop((left, top, left + 64, top + 64)))
    assert (emoji.images[row].permute(1, 2, 0).numpy() == tile).all()


def test_order_is_by_style_then_concept_and_selection_agrees() -> None:
    emoji = data.load(("noto", "blob"), parts=("train", "test"))
    assert sorted(set(emoji.style.tolist())) == sorted(map(data.STYLES.index, ("noto", "blob")))
    whole = data.load(parts=("train", "test")).drawn_in("noto")
    assert torch.equal(emoji.drawn_in("noto").images, whole.images)
    assert emoji.captions[0] == data.concepts()[int(emoji.concept[0])].name


def test_concepts_are_chosen_and_labelled_by_positions_of_any_kind() -> None:
    emoji, positions = data.load("noto", parts="test"), range(100)
    some = emoji.of(positions)
    for kind in (frozenset, list, np.array, torch.tensor):
        assert torch.equal(emoji.of(kind(positions)).concept, some.concept), kind
    labels = data.labels_of(torch.arange(100))
    for same in (list(positions), np.arange(100), torch.arange(100, dtype=torch.uint8)):
        assert torch.equal(data.labels_of(same), labels)


def test_every_concept_is_in_one_part_and_parts_share_no_image() -> None:
    positions = [set(data.load(parts=part).concept.tolist()) for part in data.PARTS]
    assert sum(map(len, positions)) == len(set().union(*positions)) == 1644


def test_downstream_parts_are_labelled_and_traps_are_apart() -> None:
    for concept in data.concepts():
        if concept.part in ("train", "validation", "test"):
            assert concept.label in data.class_names() and concept.population
        assert (concept.part == "trap") == (concept.position in data.traps())


def test_every_class_and_almost_every_subgroup_is_spread_over_the_parts() -> None:
    found = collections.Counter((c.label, c.part) for c in data.concepts() if c.label)
    for name in data.class_names():
        train, validation, test = (found[name, p] for p in ("train", "validation", "test"))
        assert train >= 9 and validation >= 3 and test >= 5
        assert found[name, "upstream"] >= 8


def test_traps_come_in_every_colour_and_in_mirrored_pairs() -> None:
    traps = data.traps().values()
    for shape in ("heart", "circle", "square"):
        assert len({t.colour for t in traps if t.shape == shape}) == 9
    sides = collections.Counter(t.direction for t in traps if t.kind == "direction")
    assert sides["left"] == sides["right"] == 8


def test_the_split_script_reproduces_the_committed_split_and_what_it_found(
    tmp_path, monkeypatch
) -> None:
    import runpy
    import shutil

    folder = tmp_path / "data" / "emoji"
    shutil.copytree(data.DATA / "emoji", folder, ignore=shutil.ignore_patterns("*.webp"))
    for name in ("make_splits.py", "readme.py", "README.md"):
        shutil.copy(data.DATA / name, folder.parent)
    monkeypatch.syspath_prepend(folder.parent)
    (folder / "splits.csv").unlink()
    monkeypatch.setattr("sys.argv", ["make_splits.py"])
    runpy.run_path(str(folder.parent / "make_splits.py"), run_name="__main__")
    for name in ("emoji/splits.csv", "README.md"):
        assert (folder.parent / name).read_bytes() == (data.DATA / name).read_bytes(), name


def test_pictures_that_are_equal_across_parts_are_found(monkeypatch) -> None:
    """A mirrored and an equal one, upstream and test; and two equal ones upstream."""
    monkeypatch.syspath_prepend(data.DATA)
    from make_splits import same_pictures

    first, second = torch.arange(12).reshape(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    images = torch.cat([first, first.flip(-1), second, second, second]).byte()
    parts = ("upstream", "test", "upstream", "upstream", "trap")
    known = [c._replace(part=part) for c, part in zip(data.concepts()[:5], parts, strict=True)]
    told = same_pictures(data.Emoji(images, torch.arange(5), torch.zeros(5, dtype=int)), known)
    named = [f"{concept.name} ({concept.part}, {data.STYLES[0]})" for concept in known]
    assert f"1 mirrored pairs of pictures are equal across parts: {named[1]} is {named[0]}." in told
    assert f"2 pairs of pictures are equal across parts: {named[4]} is {named[2]}; " in told
    assert "\n2 upstream pictures equal one of another" in told
