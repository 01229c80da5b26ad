"""Every file that the lab reads, damaged in every way: refused by name, with the cure."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
import torch

from labkit import adapters, data, encoders, explorers
from labkit.adapters import task_weights
from labkit.contrastive import pretrain
from labkit.meta import fewshot
from labkit.weights import parse_tensors, write_tensors

FILES = sorted(data.checksums())
ICON_SHEETS = [name for name in FILES if name.startswith("icons/") and "webp" in name]
CACHED = (data.concepts, data.class_names, data.traps, data.checksums)
READERS = {  # of the files that are not read as tables of their own
    "emoji/captions.csv": data.concepts,
    "emoji/splits.csv": data.concepts,
    "emoji/classes.csv": data.class_names,
    "emoji/traps.csv": data.traps,
    **{f"emoji/{style}.webp": lambda style=style: data.load(style) for style in data.STYLES},
    **{name: partial(data.read_tiles, name, 32, data.ICON_COLUMNS) for name in ICON_SHEETS},
    "scenes/explorer.json": explorers.feature_distortion,
    **{f"fewshot/{n}.safetensors": lambda n=n: fewshot.load(n) for n in fewshot.META_TRAINED},
    **{f"weights/{n}.safetensors": lambda n=n: encoders.load(n) for n in encoders.available()},
}


def reader(name: str) -> Callable[[], object]:
    """What notebooks call to read this file."""
    return READERS[name] if name in READERS else lambda: data.read_table(name)


def damages(content: bytes) -> dict[str, bytes | None]:
    """What can become of a file: None for nothing at all."""

    def flipped(at: int, bit: int) -> bytes:
        return content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]

    return {
        "missing": None,
        "empty": b"",
        "half": content[: len(content) // 2],
        "without its end": content[:-1],
        "longer": content + b"\n",
        "a bit of the beginning": flipped(0, 0),
        "a bit of the middle": flipped(len(content) // 2, 7),
        "a bit of the end": flipped(len(content) - 1, 3),
    }


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The data set as links, each of which a test may replace by a damaged file."""
    for folder in {Path(name).parent for name in FILES}:
        (tmp_path / folder).mkdir()
    for name in [*FILES, "checksums.txt"]:
        (tmp_path / name).symlink_to(data.DATA / name)
    monkeypatch.setattr(data, "DATA", tmp_path)
    yield tmp_path
    forget()


def forget() -> None:
    for cached in CACHED:
        cached.cache_clear()


def replace(path: Path, content: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def test_the_list_holds_every_file_that_is_shipped() -> None:
    folders = {Path(name).parent for name in FILES}
    there = [path for folder in folders for path in (data.DATA / folder).iterdir()]
    assert sorted(path.relative_to(data.DATA).as_posix() for path in there) == FILES


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_with_the_cure(copied, name: str) -> None:
    read = reader(name)
    for damage, content in damages((copied / name).read_bytes()).items():
        replace(copied / name, content)
        if read in CACHED:
            forget()
        with pytest.raises(data.DataError) as error:
            print(damage, read())
        told = str(error.value)
        assert str(copied / name) in told and f"git checkout -- data/{name}" in told, damage


def test_a_folder_in_a_file_s_place_is_named_too(copied) -> None:
    (copied / "sweeps/lp_ft.csv").unlink()
    (copied / "sweeps/lp_ft.csv").mkdir()
    with pytest.raises(data.DataError, match=r"Cannot read .*lp_ft.csv.*git checkout"):
        data.read_table("sweeps/lp_ft.csv")


LIST = (data.DATA / "checksums.txt").read_bytes()
LINES = LIST.splitlines(keepends=True)
BEGINS = [sum(map(len, LINES[:i])) for i in range(len(LINES))]


@pytest.mark.parametrize("damage", [d for d in damages(LIST) if d != "longer"])
def test_a_damaged_list_of_checksums_is_named(copied, damage: str) -> None:
    replace(copied / "checksums.txt", damages(LIST)[damage])
    forget()
    with pytest.raises(data.DataError, match=r"checksums\.txt.*git checkout -- data/.*checksums"):
        for name in FILES:
            data.read_bytes(name)


def test_a_list_that_lost_its_last_lines_is_named(copied) -> None:
    """It looks whole, but the weights at its end are then not listed."""
    last = FILES[-1]
    for begin in BEGINS[1:]:
        replace(copied / "checksums.txt", LIST[:begin])
        forget()
        with pytest.raises(data.DataError, match="not listed in data/checksums.txt.*git checkout"):
            reader(last)()


@pytest.mark.parametrize("line", range(len(LINES)))
def test_no_flipped_bit_of_the_list_goes_unnoticed(copied, line: int) -> None:
    name = FILES[line]
    for at in range(line % 7, len(LINES[line]), 7):
        content = bytearray(LIST)
        content[BEGINS[line] + at] ^= 1 << (at % 8)
        replace(copied / "checksums.txt", bytes(content))
        forget()
        with pytest.raises(data.DataError, match="checksums.txt"):
            data.read_bytes(name)


# Files that a student or a run makes have no line in that list: their digest is within.


def test_no_flipped_bit_of_written_weights_goes_unnoticed(tmp_path) -> None:
    """Refused, or, in a few bits that mean nothing, read as they were."""
    path = tmp_path / "w.safetensors"
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7, dtype=torch.int64)}
    write_tensors(tensors, {"width": 3}, path)
    content, harmless = path.read_bytes(), 0
    for bit in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            config, found = parse_tensors(bytes(damaged))
        except ValueError:
            continue
        harmless += 1
        assert config == {"width": 3} and found.keys() == tensors.keys()
        assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert harmless < len(content) // 2
    for length in range(len(content)):
        with pytest.raises(ValueError):
            parse_tensors(content[:length])


@pytest.mark.parametrize("damage", [d for d in damages(b"x") if d != "missing"])
def test_a_damaged_checkpoint_or_task_is_named(tmp_path, monkeypatch, damage: str) -> None:
    monkeypatch.setattr(data, "load", lambda parts, load=data.load: load("noto", parts=parts))
    out = tmp_path / "w.safetensors"
    checkpoint = tmp_path / "w.checkpoint.safetensors"
    config = pretrain.Config("simclr", options={"width": 2}, batch=2, steps=1)
    write_tensors({"x": torch.arange(9.0)}, asdict(config), checkpoint)
    replace(checkpoint, damages(checkpoint.read_bytes())[damage])
    with pytest.raises(ValueError, match=r"w\.checkpoint\.safetensors is damaged.*Delete it"):
        pretrain.pretrain(config, out)
    write_tensors({"head.weight": torch.arange(9.0)}, asdict(adapters.LoRA()), out)
    replace(out, damages(out.read_bytes())[damage])
    with pytest.raises(ValueError, match=r"path: .*w\.safetensors holds no task's weights"):
        task_weights.read(out)
