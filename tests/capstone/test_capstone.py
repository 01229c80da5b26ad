"""Notebook 07's house: what is read, found twice, split, measured and written, against oracles."""

import hashlib
import os
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from seeds import seeded

from labkit import capstone, encoders, transfer
from labkit.capstone import collection, conclusions, example, figures, measure, report
from labkit.capstone.__main__ import main
from labkit.capstone.collection import Collection, group_names
from labkit.torchvision_compat import import_torchvision
from labkit.training import Stopped, features

PLAN = measure.Plan(2, (2, 4), (4,), 2, 8, {"fine-tuning": (0.01,), "lp-ft": (0.001,)})
ENCODER = encoders.TinyEncoder(8)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> example.Example:
    return capstone.write_example(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def images(made) -> Collection:
    return capstone.read(made.folder, example.GROUP)


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (20, 16), **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def colours(n: int = 40, classes: int = 2, size: int = 8) -> Collection:
    """Pictures told apart by their brightest colour; four of each group."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) // 4 % classes
    x = torch.randint(0, 120, (n, 3, size, size), generator=generator)
    x[torch.arange(n), labels] += 40
    names = tuple(f"{i}.png" for i in range(n))
    return Collection(tuple("abc"[:classes]), x.byte(), labels, names, np.arange(n) // 4)


# ---------------------------------------------------------------- read


def test_the_example_is_read_and_its_torn_file_is_named(made, images) -> None:
    assert images.classes == example.CLASSES and len(images) == len(images.names) > 300
    assert len(images.notes) == 1 and "animal/torn_noto.png" in images.notes[0]
    first = Image.open(made.folder / images.names[0]).convert("RGB").reduce(2)
    assert np.abs(np.asarray(first, int).transpose(2, 0, 1) - images.images[0].numpy()).max() <= 1
    there = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*.*")}
    assert there - set(images.names) == {"animal/torn_noto.png"}


def test_images_are_upright_square_and_white_where_transparent(tmp_path) -> None:
    for label in "ab":
        picture(tmp_path / label / "x.png")
    turned = Image.new("RGB", (32, 64), "red")
    turned.paste("blue", (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned.save(tmp_path / "a" / "turned.jpg", exif=exif, quality=95)
    Image.new("RGBA", (16, 16), (0, 0, 0, 0)).save(tmp_path / "a" / "clear.webp", lossless=True)
    found = capstone.read(tmp_path, size=16)
    by_name = dict(zip(found.names, found.images, strict=True))
    assert found.images.shape == (4, 3, 16, 16) and found.notes == ()
    assert (by_name["a/clear.webp"] == 255).all()
    assert by_name["a/turned.jpg"][0, 0, 8] > 200 and by_name["a/turned.jpg"][2, 15, 8] > 200


def test_images_are_found_and_ordered_as_torchvision_s_imagefolder_does(tmp_path) -> None:
    for name in ("b/2.PNG", "b/10.png", "a/x.jpeg", "a/deep/er/y.webp", "a/deep/w.bmp", "c/z.tiff"):
        picture(tmp_path / name)
    (tmp_path / "a" / "notes.txt").write_text("no picture")
    (tmp_path / "lies_beside.png").write_bytes(b"")
    if sys.platform != "win32":
        (tmp_path / "b" / "linked").symlink_to(tmp_path / "c", target_is_directory=True)
    import_torchvision()
    from torchvision.datasets import ImageFolder

    theirs, (classes, samples) = ImageFolder(tmp_path), collection.listed(tmp_path)
    assert list(classes) == theirs.classes
    assert [(str(path), label) for path, label in samples] == theirs.samples
    _, samples = collection.listed(tmp_path, ("c", "nowhere", "a"))
    assert [label for _, label in samples] == [0, 2, 2, 2]


def test_sixteen_bits_are_read_as_eight_and_numbers_without_a_range_are_left_out(tmp_path) -> None:
    deep = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 64
    for name in ("a/x.png", "a/x.tif", "b/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(deep).save(tmp_path / name)
    Image.fromarray(deep).save(tmp_path / "b" / "x.pgm")  # which is read in mode I
    Image.fromarray(deep / 1024).convert("F").save(tmp_path / "b" / "f.tif")
    Image.fromarray(deep.astype(np.int32)).save(tmp_path / "b" / "i.tif")
    found = capstone.read(tmp_path, size=32)
    assert found.names == ("a/x.png", "a/x.tif", "b/x.pgm", "b/x.png")
    assert (found.images.numpy() == deep >> 8).all()
    notes = [f"left out b/{name}.tif: mode {name.upper()}, of no known range" for name in "fi"]
    assert all(map(str.startswith, found.notes, notes)) and len(found.notes) == 2


def test_exif_data_that_cannot_be_written_again_leave_one_image_out(tmp_path) -> None:
    for label in "ab":
        picture(tmp_path / label / "x.jpg")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    odd = picture(tmp_path / "b" / "y.jpg", exif=exif)
    described, inks = bytes.fromhex("010e0002"), bytes.fromhex("014e0002")  # inks are a number
    assert described in odd.read_bytes()
    odd.write_bytes(odd.read_bytes().replace(described, inks))
    found = capstone.read(tmp_path, size=16)
    assert found.names == ("a/x.jpg", "b/x.jpg") and found.notes[0].startswith("left out b/y.jpg: ")


def test_whatever_pillow_raises_leaves_one_image_out(tmp_path, monkeypatch) -> None:
    for label in "ab":
        for name in ("x.jpg", "y.jpg"):
            picture(tmp_path / label / name)
    odd = tmp_path / "b" / "y.jpg"
    # Upside down, and a resolution (a ratio) that is text.
    tags = struct.pack("<H", 2) + struct.pack("<HHII", 0x112, 3, 1, 3)
    tags += struct.pack("<HHI4sI", 0x11A, 2, 4, b"cam\0", 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + tags
    size, jpeg = struct.pack(">H", len(exif) + 2), odd.read_bytes()
    odd.write_bytes(jpeg[:2] + b"\xff\xe1" + size + exif + jpeg[2:])
    found = capstone.read(tmp_path, size=16)
    assert len(found) == 3 and found.notes[0].startswith("left out b/y.jpg: ")
    for error in (NotImplementedError("DXT9\nand more"), IndexError()):
        replies = [collection.read_image(tmp_path / "a" / "x.jpg", 16)] * 3
        monkeypatch.setattr(collection, "read_image", Mock(side_effect=[error, *replies]))
        told = capstone.read(tmp_path, size=16).notes
        assert told == (f"left out a/x.jpg: {'DXT9' if error.args else 'IndexError'}",)
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ((), "has no subfolders"),
        (("x.png",), "has no subfolders"),
        (("a/notes.txt", "b/notes.txt"), "has no images in its subfolders"),
        (("a/x.png", "b/notes.txt"), "has images of a only"),
    ],
)
def test_folders_that_will_not_do_are_told_in_two_lines(tmp_path, files, message) -> None:
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        picture(path) if path.suffix == ".png" else path.write_text("no picture")
    with pytest.raises(ValueError, match=message) as error:
        capstone.read(tmp_path)
    first, second = str(error.value).split("\n")
    assert first.startswith(f"folder: {tmp_path}") and second.startswith("accepted: one subfolder")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
@pytest.mark.parametrize("name", [b"data/caf\xe9/x.png", b"data/b/\xe9.png", b"caf\xe9/b/x.png",
                                  b"caf\xe9.csv"])  # fmt: skip
def test_names_that_are_not_utf8_are_told_before_an_image_is_read(tmp_path, name) -> None:
    """No report could be written with them: after all the work."""
    odd = Path(os.fsdecode(name))
    source = tmp_path / odd.parts[0]
    if source.suffix:
        source.write_text("label,x\na,1\nb,2")
    else:
        for path in (source / "a" / "x.png", tmp_path / odd):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"folder: the name '.*\\udce9.*' is not UTF-8\naccepted"):
        capstone.read(source)


def test_unreadable_folders_and_expressions_are_told(tmp_path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="no image of .* can be read"):
        capstone.read(tmp_path)
    with pytest.raises(ValueError, match="is no folder\n"):
        capstone.read(tmp_path / "nowhere")
    for group, message in (("(", "group: got '\\('.*\naccepted"), ("z+", "no file name\n.* x.png")):
        with pytest.raises(ValueError, match=message):
            capstone.read(tmp_path, group)


def test_groups_are_what_the_expression_matches() -> None:
    names = ["a-1_x.png", "a-1_y.png", "a-2_x.png", "odd.png", "odd.png"]
    assert len(set(group_names(names, ""))) == 5
    first = group_names(names, r"^(.+)_")
    assert first[0] == first[1] and len(set(first)) == 4, "without a match: one of its own each"
    assert group_names(names[:3], r"a-\d")[0] == group_names(names[:3], r"(a-\d)")[0]


def test_a_small_class_is_said_and_left_out() -> None:
    three = colours(60, classes=3)
    few = np.flatnonzero((three.labels != 1) | (torch.arange(60) < 20))
    found = capstone.enough(three.at(few))
    assert found.classes == ("a", "c") and "class b: too small, 2 groups" in found.notes[0]
    assert found.labels.tolist() == [int(label > 0) for label in three.labels[few] if label != 1]
    two = colours()
    few = np.flatnonzero((two.labels.numpy() == 0) | (np.arange(40) < 16))
    with pytest.raises(ValueError, match="too few groups of images .a 5, b 2.\naccepted: 5"):
        capstone.enough(two.at(few))


def test_a_table_is_read_standardised_and_measured_by_its_probe(tmp_path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"label": ["no", "yes"] * 30, "group": np.arange(60) // 2 % 30})
    table["big"] = 1e6 + 1e5 * (np.arange(60) % 2) + 1e4 * rng.normal(size=60)
    table["small"] = rng.normal(size=60)
    table.loc[3, "small"] = np.nan
    table.to_csv(tmp_path / "t.csv", index=False)
    found = capstone.read(tmp_path / "t.csv")
    assert found.notes == ("left out line 5: a gap",) and len(found) == 59
    assert found.classes == ("no", "yes") and found.images.shape == (59, 2)
    curve = capstone.learning_curve(found, ENCODER, PLAN, found)
    assert set(curve.table["method"]) == {"probe"} and curve.table["id"].mean() > 0.9
    assert "linear probe" in capstone.advice_of(curve)
    for bad in ({"big": "x"}, {"label": "no"}):
        table.assign(**bad).to_csv(tmp_path / "bad.csv", index=False)
        with pytest.raises(ValueError, match="table: .*\naccepted: a CSV"):
            capstone.read(tmp_path / "bad.csv")


def test_words_of_a_table_are_read_as_they_stand_and_a_row_may_lack_a_group(tmp_path) -> None:
    rows = ["None,p,1", "0,p,2", ",p,3", "1,,4", "None,,5", "1,q,1e39"]
    (tmp_path / "t.csv").write_text("\n".join(["label,group,x", *rows]))
    found = capstone.read(tmp_path / "t.csv")
    assert found.classes == ("0", "1", "None") and found.images.tolist() == [[1], [2], [4], [5]]
    left_out = (
        "left out line 4: no known label",
        "left out line 7: a number too large for float32",
    )
    assert found.notes == left_out
    assert found.groups[0] == found.groups[1] and len(set(found.groups)) == 3
    (tmp_path / "ood.csv").write_text("label,x\n1,1\n1,2")
    assert capstone.read(tmp_path / "ood.csv", classes=found.classes).labels.tolist() == [1, 1]


def test_a_table_has_its_groups_in_a_column_and_takes_no_expression(tmp_path) -> None:
    (tmp_path / "t.csv").write_text("label,x\na,1\nb,2")
    with pytest.raises(
        ValueError, match=r"group: got '\^\(\.' for a table.*\naccepted: its column"
    ):
        capstone.read(tmp_path / "t.csv", "^(.")


@pytest.mark.parametrize("row", ["first,{}", "1000,{}", "{},"], ids=["named", "numbered", "comma"])
def test_a_table_with_more_values_than_names_is_refused(tmp_path, row) -> None:
    """R writes row names without a name; pandas took the labels for them, or the other way."""
    rows = [row.format(f"{i % 2},{i},{-i}") for i in range(20)]
    for k in (0, 7):  # from the first row on, or from a later one
        lines = ["label,x,y", *(f"{i % 2},{i},{-i}" for i in range(k)), *rows[k:]]
        (tmp_path / "t.csv").write_text("\n".join(lines))
        message = rf"table: .*t.csv: line {k + 2} has 4 values for 3 columns\naccepted: a CSV"
        with pytest.raises(ValueError, match=message):
            capstone.read(tmp_path / "t.csv")


def test_lines_are_those_of_the_file_and_short_rows_have_gaps(tmp_path) -> None:
    lines = [
        "",
        "group,x,y,label",
        "",
        "  ",
        'g,1,2,"a',
        'b"',
        "",
        "g,NA,1,c",
        "g,1",
        "g,3,4,c",
        "",
    ]
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    found = capstone.read(tmp_path / "t.csv")
    assert found.names == ("line 6", "line 10") and found.images.tolist() == [[1, 2], [3, 4]]
    assert found.classes == ("a\r\nb", "c")
    assert [note.split(":")[0] for note in found.notes] == ["left out line 8", "left out line 9"]
    (tmp_path / "t.csv").write_text('label,x\na,1\nb,2\n"c,3\n')
    with pytest.raises(ValueError, match="table: .* unexpected end of data\naccepted: a CSV"):
        capstone.read(tmp_path / "t.csv")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("x", "why"), [("NA", "a gap"), ("1e300", "a number too large .*")])
def test_a_table_without_a_complete_row_is_told(tmp_path, x, why) -> None:
    (tmp_path / "t.csv").write_text(f"label,x,y\na,{x},1\nb,{x},2\na,1,{x}\n")
    with pytest.raises(ValueError, match=f"no row is complete .left out line 4: {why}.\naccepted:"):
        capstone.read(tmp_path / "t.csv")


@pytest.mark.parametrize("header", ["label,x,label", "x,label,x", "label,group, group"])
def test_two_columns_of_one_name_are_refused(tmp_path, header) -> None:
    """The second of two labels became a feature, from which the first is read off."""
    (tmp_path / "t.csv").write_text(f"{header}\n1,2,1\n2,1,2\n")
    name = header.split(",")[-1].strip()
    with pytest.raises(ValueError, match=f"two columns are named {name}\naccepted: a CSV"):
        capstone.read(tmp_path / "t.csv")


def test_spaces_around_a_value_do_not_make_another_class_or_group(tmp_path) -> None:
    (tmp_path / "t.csv").write_text('label, group,x\na,p, 1\n"a ","p ",2\n b , "p",3 \n"  ",p,4')
    found = capstone.read(tmp_path / "t.csv")
    assert found.classes == ("a", "b") and found.labels.tolist() == [0, 0, 1]
    assert len(set(found.groups)) == 1 and found.notes == ("left out line 5: no known label",)


def test_an_index_that_pandas_wrote_along_is_no_feature(tmp_path) -> None:
    pd.DataFrame({"label": ["a", "b"], "x": [3.0, 4.0]}).to_csv(tmp_path / "t.csv")
    found = capstone.read(tmp_path / "t.csv")
    assert found.images.tolist() == [[3], [4]] and "without a name" in found.notes[0]
    (tmp_path / "t.csv").write_text("label,x,\na,3,\nb,4,")
    found = capstone.read(tmp_path / "t.csv")
    assert found.images.tolist() == [[3], [4]] and "without a name" in found.notes[0]


def test_a_second_table_s_columns_are_known_by_their_names(tmp_path) -> None:
    rng = np.random.default_rng(0)
    tables = [pd.DataFrame(rng.normal(size=(40, 3)), columns=list("pqr")) for _ in range(2)]
    first, other = (table.assign(label=["a", "b"] * 20) for table in tables)

    def saved(table: pd.DataFrame) -> Collection:
        table.to_csv(tmp_path / "t.csv", index=False)
        return capstone.read(tmp_path / "t.csv")

    known, plain = saved(first), capstone.unseen(saved(other), saved(first))
    turned = capstone.unseen(saved(other[["r", "label", "p", "q"]]), known)
    assert torch.equal(turned.images, plain.images) and turned.columns == ("p", "q", "r")
    for wrong in (other.rename(columns={"q": "w"}), other.drop(columns="q").assign(w=1.0, v=0.5)):
        message = r"ood: got a table without \['q'\], with \['w'.*\naccepted: .*p, q, r$"
        with pytest.raises(ValueError, match=message):
            capstone.unseen(saved(wrong), known)


# ---------------------------------------------------------------- duplicates and splits


def test_the_planted_leak_is_found_and_joined(made, images) -> None:
    pairs = capstone.near_duplicates(images.images)
    names = np.array(images.names)
    named = [tuple(sorted(names[[a, b]].tolist())) for a, b in pairs[["a", "b"]].to_numpy()]
    assert made.planted <= set(named) and len(made.planted) == 5 * len(example.CLASSES)
    assert len(named) < 1.3 * len(made.planted), "and little else"
    joined = capstone.joined(images, pairs).groups
    assert (joined[pairs["a"]] == joined[pairs["b"]]).all()
    for group in set(images.groups):
        assert len(set(joined[images.groups == group])) == 1
    x = features(capstone.load_backbone("clip-words-conv"), images.images)
    whole, alone = (measure.promised(replace(images, groups=g), x, 5)
                    for g in (joined, np.arange(len(images))))  # fmt: skip
    assert np.mean(alone) > np.mean(whole) + 0.03, "07: it promises what it will not keep"
    assert np.std(whole) > np.std(alone), "07: by group it is lower and less sure"


@given(st.integers(0, 2**31), st.floats(0, 0.1))
@cases(15)
def test_near_duplicates_are_those_of_a_plain_loop(seed, threshold) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (8, 3, 16, 16), generator=generator).byte()
    x[5], x[6], x[7] = x[0], x[1].flip(2), (0.9 * x[2].float()).byte()
    y, expected = x.double() / 255, {}
    for a in range(8):
        for b in range(a + 1, 8):
            apart = [float((z - y[b]).square().mean().sqrt()) for z in (y[a], y[a].flip(2))]
            if min(apart) <= threshold:
                expected[a, b] = min(apart), apart[1] < apart[0]
    found = capstone.near_duplicates(x, threshold)
    yours = {(a, b): (d, m) for a, b, d, m in found.itertuples(index=False)}
    assert yours.keys() == expected.keys() >= {(0, 5), (1, 6)}
    for pair, (distance, mirrored) in expected.items():
        assert yours[pair][0] == pytest.approx(distance, abs=1e-6)
        assert yours[pair][1] == mirrored


@pytest.mark.parametrize(("columns", "worth"), [(1, 1), (2, 2), (10, 10), (10, 1)])
def test_rows_of_a_table_are_twice_there_only_where_chance_does_not_do_it(columns, worth) -> None:
    """worth: how many of the columns are independent; the others repeat them, nearly."""
    rng = np.random.default_rng(columns + worth)
    x = np.tile(rng.normal(size=(600, worth)), columns // worth)
    x += 0.01 * rng.normal(size=x.shape) * (worth < columns)
    assert len(capstone.near_duplicates(torch.from_numpy(x).float())) == 0
    x[500:520] = x[:20]
    x[520:540] = x[20:40] + 0.01 * rng.normal(size=(20, columns))
    found = capstone.near_duplicates(torch.from_numpy(x).float())
    pairs = set(zip(found["a"], found["b"], strict=True))
    assert pairs >= {(i, 500 + i) for i in range(20)}, "the same numbers"
    noisy = {(i, 500 + i) for i in range(20, 40)}
    assert pairs - noisy == {(i, 500 + i) for i in range(20)} and (worth < 10 or noisy <= pairs)


def test_a_table_of_one_row_over_and_over_is_one_group() -> None:
    assert len(capstone.near_duplicates(torch.ones(5, 3))) == 10
    assert len(capstone.near_duplicates(torch.ones(1, 3))) == 0


@given(st.integers(0, 2**31), st.integers(10, 30), st.integers(2, 4))
@cases(25)
def test_no_group_is_on_two_sides_and_every_row_is_on_one(seed, groups, classes) -> None:
    rng = np.random.default_rng(seed)
    groups = np.r_[np.arange(groups), rng.integers(0, groups, 60)]
    labels = torch.from_numpy(groups % classes)
    blank = Collection(("a",) * classes, torch.zeros(len(groups), 1), labels, (), groups)
    parts = measure.divide(blank, seed % 1000)
    assert sorted(np.concatenate(parts)) == list(range(len(groups)))
    sides = [set(groups[rows]) for rows in parts]
    assert all(len(side) for side in sides) and sum(map(len, sides)) == len(set(groups))


def test_groups_of_one_promise_no_more_than_pictures_at_random() -> None:
    """In another order, groups have other splits, and luck looked like a leak."""
    pool = colours()
    x = pool.images.float().mean(dim=(2, 3))
    own = np.random.default_rng(0).permutation(40)  # as names have it, "line 10" before "line 9"
    single = replace(pool, groups=own)
    assert np.array_equal(measure.ungrouped(single).groups, own)
    assert "promise" not in (told := report.leak_of(single, x, 2)) and "of its own" in told
    loose = measure.ungrouped(pool).groups
    assert sorted(loose) == list(range(40)) and (np.diff(pool.groups[np.argsort(loose)]) >= 0).all()
    assert "promise the probe" in report.leak_of(pool, x, 2)


def test_what_is_in_both_folders_is_not_tested_on(images) -> None:
    other = images.at(np.array([3, 50]))
    found = capstone.unseen(other, images.at(np.arange(20)))
    assert found.names == (images.names[50],) and images.names[3] in found.notes[-1]
    message = f"ood: nothing of it is left .left out {images.names[3]} of the OOD.*\naccepted: "
    with pytest.raises(ValueError, match=message):
        capstone.unseen(images.at(np.array([3])), images.at(np.arange(20)))


# ---------------------------------------------------------------- measured


def test_features_are_the_encoder_s_and_are_kept_by_content(tmp_path, monkeypatch) -> None:
    x = colours().images
    monkeypatch.setattr(measure, "CHUNK", 16)
    plain = capstone.cached_features(ENCODER, x)
    assert torch.allclose(plain, features(ENCODER, x))
    kept = capstone.cached_features(ENCODER, x, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert torch.equal(kept, plain) and len(files) == 3

    def two_at_most(encoder, images):  # by which an encoder is known
        assert len(images) <= 2, "once more"
        return features(encoder, images)

    with monkeypatch.context() as patch:
        patch.setattr(measure, "features", two_at_most)
        assert torch.equal(capstone.cached_features(ENCODER, x, tmp_path), plain), "the same bits"
        changed = x.clone()
        changed[20] = 0
        other = encoders.TinyEncoder(8)
        other.linear.bias.data += 1
        for encoder, y in ((ENCODER, changed), (other, x)):
            with pytest.raises(AssertionError, match="once more"):
                capstone.cached_features(encoder, y, tmp_path)
    files[0].write_bytes(files[0].read_bytes()[:-1] + b"?")  # damaged: written anew
    assert torch.equal(capstone.cached_features(ENCODER, changed, tmp_path)[:20], plain[:20])
    assert len(list(tmp_path.iterdir())) == 4, "of three files one has changed"


def test_features_of_the_same_weights_put_together_otherwise_are_others(tmp_path) -> None:
    class Pooled(encoders.ConvEncoder):
        def __init__(self, largest: bool) -> None:
            super().__init__(8)
            self.largest = largest

        def forward(self, images):
            x = self.blocks(self.norm(self.stem(encoders.standardise(images))))
            return x.amax(dim=(2, 3)) if self.largest else x.mean(dim=(2, 3))

    one, two = (seeded(lambda largest=largest: Pooled(largest)) for largest in (True, False))
    x = colours().images
    for encoder in (one, two, one):
        kept = capstone.cached_features(encoder, x, tmp_path)
        assert torch.equal(kept, capstone.cached_features(encoder, x))


def test_the_curve_is_what_the_recipes_give() -> None:
    pool, far = colours(), colours(20)
    curve = capstone.learning_curve(pool, ENCODER, PLAN, far)
    assert curve.stopped == "" and len(curve.table) == 2 * (1 + 4 + 4)
    split = measure.divide(pool, 1)
    task = measure.as_task(pool, pool.images, split, far.examples)
    few = measure.few_shot(task, 4, measure.seeded(1))
    schedule = transfer.Schedule(2, 8, record_every=0)
    probe = transfer.linear_probe(ENCODER, few)
    lp_ft = transfer.lp_ft(ENCODER, few, 0.001, measure.seeded(1),
                           replace(schedule, freeze_norm=True), probe=probe)  # fmt: skip
    direct = {
        "probe": probe, "lp-ft": lp_ft, "wise-ft": transfer.wise_ft(probe, lp_ft, few),
        "fine-tuning": transfer.fine_tune(ENCODER, few, 0.01, measure.seeded(1), schedule),
    }  # fmt: skip
    rows = curve.table.query("seed == 1 and shots == '4'").set_index("method")
    for method, fit in direct.items():
        assert rows["id"][method] == pytest.approx(transfer.accuracy(fit.model, few.test))
        assert rows["ood"][method] == pytest.approx(transfer.accuracy(fit.model, far.examples))
        assert rows["validation"][method] == pytest.approx(fit.validation)
    tests = [set(measure.divide(pool, seed).test) for seed in (0, 1)]
    share = np.mean([len(tests[0] & tests[1]) / len(t) for t in tests])
    assert curve.table["overlap"].mean() == pytest.approx(share, abs=1e-3)
    table = conclusions.curves_of(curve)["probe"]
    probes = curve.table.query("method == 'probe' and shots == 'all'")
    assert table["mean"].iloc[-1] == pytest.approx(probes["id"].mean())
    mistakes = capstone.mistakes_of(curve, "probe", pool)
    assert (mistakes["label"] != mistakes["answer"]).all() and mistakes["row"].is_unique
    assert mistakes["confidence"].is_monotonic_decreasing


@pytest.mark.parametrize("after", [2, 8])
def test_an_interruption_leaves_complete_splits_or_says_where(monkeypatch, after) -> None:
    calls, whole = [], measure.measure

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) > after:
            raise KeyboardInterrupt
        return whole(*arguments)

    monkeypatch.setattr(measure, "measure", interrupted)
    plan = replace(PLAN, splits=4)
    if after == 2:
        with pytest.raises(Stopped, match="in split 1 of 4, at all labels"):
            capstone.learning_curve(colours(), ENCODER, plan)
        return
    curve = capstone.learning_curve(colours(), ENCODER, plan)
    assert curve.stopped == "in split 3 of 4, at all labels a class"
    assert set(curve.table["seed"]) == {0, 1} == {a.seed for a in curve.answers}
    assert conclusions.situations_of(curve)[0].scores["probe"].estimate.freedom == 1


def test_an_interruption_before_the_first_split_says_where(monkeypatch) -> None:
    real = measure.progress_bar

    def bar(name: str):
        if name == "learning curve":
            raise KeyboardInterrupt
        return real(name)

    monkeypatch.setattr(measure, "progress_bar", bar)
    with pytest.raises(Stopped, match="in split 1 of 3, at 2 labels a class"):
        capstone.learning_curve(colours(), ENCODER, replace(PLAN, splits=3, shots=(2,)))


def test_interrupted_reading_and_features_say_so_in_a_line(monkeypatch, made) -> None:
    stopped = Mock(side_effect=KeyboardInterrupt)
    monkeypatch.setattr(collection, "read_image", stopped)
    with pytest.raises(Stopped, match="at 0 % of reading"):
        capstone.read(made.folder)
    monkeypatch.setattr(measure, "logits", stopped)
    with pytest.raises(Stopped, match="at 0 % of features"):
        capstone.cached_features(ENCODER, colours().images)


@pytest.mark.parametrize("kept", [True, False])
def test_only_features_that_are_kept_are_said_to_be(tmp_path, monkeypatch, capsys, kept) -> None:
    def interrupted(folder, encoder, out, *_) -> None:
        if kept:
            capstone.cached_features(ENCODER, colours().images, out / "features")
        raise Stopped("at 7 % of reading")

    monkeypatch.setattr("labkit.capstone.__main__.write_report", interrupted)
    with pytest.raises(SystemExit):
        main([str(tmp_path), "--out", str(tmp_path / "out")])
    told = f" Features are kept in {tmp_path / 'out'}." * kept
    assert capsys.readouterr().err.endswith(f"labkit: stopped at 7 % of reading.{told}\n")


def test_backbones_are_shipped_ones_and_torchvision_s() -> None:
    for name, dim in (("clip-words-conv", 128), ("resnet18", 512)):
        backbone = capstone.load_backbone(name)
        x = colours(8, size=32).images.to(next(backbone.parameters()).device)
        assert features(backbone, x).shape == (8, dim) and not backbone.training


# ---------------------------------------------------------------- the command


def run(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "labkit.capstone", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_folder_without_images_is_no_row_of_the_figure(tmp_path) -> None:
    for label in (".ipynb_checkpoints", "a", "b", "z"):
        (tmp_path / label).mkdir()
    for label in "ab":
        picture(tmp_path / label / "x.png")
    assert figures.samples(capstone.read(tmp_path)).alt.endswith(" a 1, b 1.")


def test_figures_of_nothing_say_so(images) -> None:
    none = capstone.near_duplicates(images.images[:3], 0.001)
    assert len(none) == 0 and figures.twice(images, none).alt.endswith(" 0 pairs.")
    mistakes = pd.DataFrame(columns=["row", "name", "label", "answer", "confidence"])
    assert " 0 mistakes." in figures.mistaken(images, mistakes.astype({"row": int})).alt


def test_the_report_says_all_of_it(tmp_path, monkeypatch) -> None:
    """Names that are markup or mathematics are text."""
    sly = tmp_path / "<b>$x$</b>"
    for label in ("<i>$a_", "b$&amp;"):
        for i in range(12):
            picture(sly / label / f"{i}<u>$.png", seed=i + 12 * (label > "b"))
            picture(tmp_path / "3" / label / f"{i}.png", seed=100 + i)
    out = tmp_path / "out"
    path = report.write_report(sly, ENCODER, out, replace(PLAN, shots=()), size=8)
    text = path.read_text(encoding="utf-8")
    assert "<i>" not in text and "<u>" not in text and "<b>" not in text
    assert text.count("<img") == text.count('alt="') == 10 and "Try this first" in text
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(sly)
    short = replace(PLAN, shots=(), steps=1)
    again = report.write_report(Path(), ENCODER, Path("~/2"), short, "", 8, Path("~/3"))
    assert again == tmp_path / "2" / "report.html"
    assert "<title>Transfer to b&gt;</title>" in again.read_text(encoding="utf-8")
    curve = pd.read_csv(out / "curve.csv")
    assert len(curve) == 2 * 4 and set(curve["shots"]) == {"all"}
    assert {p.name for p in out.glob("*.csv")} == {
        "curve.csv", "mistakes.csv", "near-duplicates.csv"}  # fmt: skip


def test_the_command_runs_from_end_to_end(tmp_path, made) -> None:
    small = tmp_path / "small"
    for name in ("plant", "hand"):
        for part in (made.folder, made.ood):
            for path in sorted((part / name).glob("*.png"))[:24]:
                goal = small / part.name / name / path.name
                goal.parent.mkdir(parents=True, exist_ok=True)
                goal.write_bytes(path.read_bytes())
    out = tmp_path / "out"
    done = run(small / "things", "--ood", small / "other artists", "--group", example.GROUP,
               "--quick", "--splits", 2, "--steps", 2, "--out", out)  # fmt: skip
    assert done.returncode == 0 and done.stdout.strip() == str(out / "report.html"), done.stderr
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "the second folder" in text and "WiSE-FT" in text
    assert {"id", "ood", "overlap_ood"} <= set(pd.read_csv(out / "curve.csv"))
    for what, wrong in (("folder", ["nowhere"]), ("ood", [made.folder, "--ood", "nowhere"])):
        failed = run(*wrong, "--out", out)
        assert failed.returncode == 1 and len(failed.stderr.splitlines()) == 2, failed.stderr
        assert failed.stderr.startswith(f"labkit: {what}: nowhere is no")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--steps 0", "plan.steps: got 0, accepted: 1 or more"),
        ("--splits 1", "plan.splits: got 1, accepted: 2 or more"),
        ("--size 0", "size: got 0, accepted: 8 or more"),
        ("--size 64 --backbone clip-vit", "size: got 64, which the backbone cannot take"),
        ("--backbone vit_b_16", "size: got 96, which .* Expected 224 but got 96.*224"),
    ],
)
def test_what_cannot_be_measured_is_told_before_an_image_is_read(
    tmp_path, monkeypatch, wrong, message
) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
    monkeypatch.setattr(report, "prepare", Mock(side_effect=AssertionError("read")))
    with pytest.raises(SystemExit, match=f"labkit: {message}"):
        main([str(tmp_path), "--out", str(tmp_path / "out"), *wrong.split()])


@pytest.mark.parametrize("option", ["--ood", "--group"])
def test_what_belongs_to_a_folder_is_refused_without_one(tmp_path, capsys, option) -> None:
    """The example would have been measured instead, with its own."""
    with pytest.raises(SystemExit):
        main([option, str(tmp_path), "--out", str(tmp_path / "out")])
    assert "FOLDER: got none" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_notebook_06_writes_photographs_as_the_folders_that_are_read_here(tmp_path, monkeypatch):
    """The very cell that readers are told to run, on data sets of torchvision's interface."""
    notebook = nbformat.read(Path(__file__).parents[2] / "notebooks/06_lp_ft.ipynb", as_version=4)
    source = next(cell.source for cell in notebook.cells if "def as_folders(" in cell.source)
    cifar = "airplane automobile bird cat deer dog frog horse ship truck".split()
    stl = "airplane bird car cat deer dog horse monkey ship truck".split()

    class Drawn(list):
        def __init__(self, names) -> None:
            self.classes = names
            colours = [hash_of(name.replace("automobile", "car")) for name in names]
            drawn = [Image.new("RGB", (32, 32), colour) for colour in colours]
            super().__init__((drawn[k % 10], k % 10) for k in range(80))

    sets = SimpleNamespace(CIFAR10=lambda *_, **__: Drawn(cifar), STL10=lambda *_, **__: Drawn(stl))
    torchvision = SimpleNamespace(import_torchvision=lambda: SimpleNamespace(datasets=sets))
    names = {"encoders": torchvision, "Counter": Counter, "Path": Path}
    exec(source, names)
    names["as_folders"](tmp_path, each=6)
    found = {part: capstone.read(tmp_path / part) for part in ("cifar", "stl")}
    assert found["cifar"].classes == found["stl"].classes and len(found["stl"].classes) == 9
    for part in found.values():
        assert part.labels.bincount().tolist() == 9 * [6]
        for image, label in zip(part.images, part.labels, strict=True):
            assert tuple(image[:, 0, 0].tolist()) == hash_of(part.classes[label])


def hash_of(name: str) -> tuple[int, int, int]:
    return (*hashlib.sha256(name.encode()).digest()[:3],)
