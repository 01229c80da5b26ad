"""CIFAR-10 to STL-10 from small archives in the data sets' real formats on disk."""

import hashlib
import io
import pickle
import shutil
import tarfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from labkit import encoders, photos, transfer
from labkit.data import DataError
from labkit.photos import CLASSES, cifar10_to_stl10
from labkit.torchvision_compat import import_torchvision

import_torchvision()
from torchvision.datasets import CIFAR10, STL10, utils  # noqa: E402

CIFAR_NAMES = "airplane automobile bird cat deer dog frog horse ship truck".split()
STL_NAMES = "airplane bird car cat deer dog horse monkey ship truck".split()


# ---------------------------------------------------------------- the formats, written by hand


def tar_gz(path: Path, files: dict[str, bytes]) -> str:
    """Write the archive and return its md5."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return md5(path.read_bytes())


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def picture(side: int, name: str, number: int) -> np.ndarray:
    """A (3, side, side) image that tells its class, its number and which way up it is."""
    image = np.zeros((3, side, side), np.uint8)
    image[0] = 25 * (CIFAR_NAMES + ["monkey"]).index("automobile" if name == "car" else name)
    image[1] = number
    image[2, : side // 2] = 200  # the sky is up
    image[2, :, : side // 4] = 100  # left is left
    return image


@pytest.fixture
def archives(tmp_path_factory, monkeypatch) -> Path:
    """A folder with both archives, small; torchvision is told their md5s and checks them all."""
    folder = tmp_path_factory.mktemp("archives")
    labels = np.arange(40) % 10  # 4 of each class in each batch

    def batch(first: int) -> bytes:
        rows = [picture(32, CIFAR_NAMES[c], first + i).ravel() for i, c in enumerate(labels)]
        return pickle.dumps({"labels": labels.tolist(), "data": np.stack(rows)})

    cifar = {f"data_batch_{i}": batch(40 * (i - 1)) for i in range(1, 6)}
    cifar |= {"test_batch": batch(200)}
    cifar |= {"batches.meta": pickle.dumps({"label_names": CIFAR_NAMES})}

    def columns(names) -> bytes:  # STL-10 stores each channel column by column
        images = [picture(96, name, i) for i, name in enumerate(names)]
        return np.stack(images).transpose(0, 1, 3, 2).tobytes()

    order = [2, 9, 0, 7, 5, 1, 3, 8, 4, 6, 2]  # classes, from 0; the files count from 1
    y = bytes(c + 1 for c in order)
    x = columns(STL_NAMES[c] for c in order)
    stl = {"test_X.bin": x, "test_y.bin": y, "train_X.bin": x[::-1], "train_y.bin": y[::-1]}
    stl |= {"unlabeled_X.bin": bytes(3 * 96 * 96)}
    stl |= {"class_names.txt": "".join(f"{name}\n" for name in STL_NAMES).encode()}

    for dataset, files in ((CIFAR10, cifar), (STL10, stl)):
        inside = {f"{dataset.base_folder}/{name}": content for name, content in files.items()}
        monkeypatch.setattr(dataset, "tgz_md5", tar_gz(folder / dataset.filename, inside))
        for part in ("train_list", "test_list"):
            known = [[name, md5(files[name])] for name, _ in getattr(dataset, part)]
            monkeypatch.setattr(dataset, part, known)
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(cifar["batches.meta"])})
    return folder


@pytest.fixture
def network(archives, monkeypatch):
    """torchvision's download reads from a folder instead; returns the list of URLs asked for."""
    asked = []

    def retrieve(url, filename, *args):
        asked.append(url)
        Path(filename).write_bytes((archives / Path(url).name).read_bytes())

    monkeypatch.setattr(utils, "_get_redirect_url", lambda url, **_: url)
    monkeypatch.setattr(utils, "_urlretrieve", retrieve)
    return asked


@pytest.fixture
def no_network(monkeypatch):
    def refuse(url, *args, **kwargs):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(utils, "_get_redirect_url", refuse)


# ---------------------------------------------------------------- the task


def test_labels_mean_the_same_class_on_both_sides(archives):
    task = cifar10_to_stl10(archives)
    assert task.classes == CLASSES
    assert list(task.ood) == ["STL-10"]
    for part in (task.train, task.validation, task.test, task.ood["STL-10"]):
        shown = part.images[:, 0, 0, 0] // 25  # `picture` wrote the class into the red channel
        assert [CIFAR_NAMES[i] for i in shown] == [CLASSES[i] for i in part.labels]
        assert part.labels.unique().tolist() == list(range(9))
        assert part.labels.dtype == torch.int64
    assert "frog" not in CLASSES
    assert "monkey" not in CLASSES


def test_every_shared_image_is_used_once(archives):
    task = cifar10_to_stl10(archives, validation=0.25)
    is_shared = (torch.arange(200) % 10) != CIFAR_NAMES.index("frog")
    numbers = torch.cat([part.images[:, 1, 0, 0] for part in (task.train, task.validation)])
    assert numbers.sort().values.tolist() == is_shared.nonzero()[:, 0].tolist()
    assert task.validation.labels.bincount().tolist() == [5] * 9  # a quarter of 20 each
    assert task.train.labels.bincount().tolist() == [15] * 9
    assert len(task.test.labels) == 36
    assert len(task.ood["STL-10"].labels) == 10  # 11 images less the monkey


def test_pictures_are_upright_and_averaged_over_areas(archives):
    task = cifar10_to_stl10(archives)
    for part in (task.train, task.ood["STL-10"]):
        assert part.images.shape[1:] == (3, 32, 32)
        assert part.images.dtype == torch.uint8
        name = CLASSES[part.labels[0]]
        expected = torch.from_numpy(picture(32, name, part.images[0, 1, 0, 0].item()))
        assert torch.equal(part.images[0], expected)
    small = cifar10_to_stl10(archives, size=24)
    red = torch.from_numpy(picture(96, "bird", 0))[None].float()
    expected = F.avg_pool2d(red, 4)[0, 2].round()  # 96 to 24
    assert torch.equal(small.ood["STL-10"].images[0, 2], expected.to(torch.uint8))
    assert small.train.images.shape[2:] == (24, 24)
    assert cifar10_to_stl10(archives, size=96).train.images.shape[2:] == (96, 96)


def test_the_seed_decides_who_validates(archives):
    def numbers(**options):
        task = cifar10_to_stl10(archives, validation=0.5, **options)
        return task.validation.images[:, 1, 0, 0].tolist()

    assert numbers(seed=1) == numbers(seed=1) != numbers(seed=2)


@pytest.mark.parametrize("bad", [{"size": 0}, {"size": 32.5}, {"validation": 0}, {"validation": 1}])
def test_bad_arguments_are_refused_by_name(tmp_path, bad):
    with pytest.raises((TypeError, ValueError), match=f"^{next(iter(bad))}: got"):
        cifar10_to_stl10(tmp_path, **bad)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("download", [True, False])
def test_without_files_the_message_says_what_to_put_where(tmp_path, no_network, download):
    with pytest.raises(DataError, match="is missing or damaged") as error:
        cifar10_to_stl10(tmp_path, download=download)
    for part in (CIFAR10.url, STL10.url, STL10.filename, str(tmp_path), "allow the download"):
        assert part in str(error.value)
    assert ("Network is unreachable" in str(error.value)) == download


def test_files_are_downloaded_once_and_what_broke_off_is_made_good(tmp_path, network, monkeypatch):
    root = tmp_path / "new" / "folder"

    def break_off(url, filename, *args):
        Path(filename).write_bytes(b"half")
        raise OSError("connection lost")

    with monkeypatch.context() as patch, pytest.raises(DataError, match="connection lost"):
        patch.setattr(utils, "_urlretrieve", break_off)
        cifar10_to_stl10(root)
    first = cifar10_to_stl10(root)
    again = cifar10_to_stl10(root, download=False)
    assert network == [CIFAR10.url, STL10.url]
    assert torch.equal(first.train.images, again.train.images)


@pytest.mark.parametrize(
    "file",
    ["cifar-10-batches-py/data_batch_3", "stl10_binary/test_X.bin"]
    + ["cifar-10-batches-py/batches.meta", "stl10_binary/class_names.txt"],
)
def test_a_damaged_or_missing_file_is_found_by_its_checksum(archives, file):
    cifar10_to_stl10(archives)
    with pytest.raises(DataError, match=f"damaged.* delete .*{file.split('/')[0]}"):
        (archives / file).unlink()
        cifar10_to_stl10(archives, download=False)
    if not file.endswith("class_names.txt"):  # the one file torchvision has no md5 of
        (archives / file).write_bytes(b"half")
        with pytest.raises(DataError, match="damaged"):
            cifar10_to_stl10(archives, download=False)
        shutil.rmtree(archives / file.split("/")[0])  # as the message says
        assert cifar10_to_stl10(archives).classes == CLASSES, "unpacked anew from the archive"


def test_notebook_06_s_experiment_runs_on_photographs(archives: Path) -> None:
    """The very cell that readers are told to run on their GPU, with random weights."""
    path = Path(__file__).parents[2] / "notebooks/06_lp_ft.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    source = next(cell.source for cell in cells if "def on_photographs(" in cell.source)
    names = {"torch": torch, "photos": photos, "encoders": encoders, "transfer": transfer}
    cifar10_to_stl10(archives)
    names["seeded"] = lambda: torch.Generator().manual_seed(0)
    exec(source, names)
    found = names["on_photographs"](
        archives, backbone="resnet18", weights=None, size=32, steps=1, download=False
    )
    assert list(found) == ["LP", "FT", "LP-FT"]
    assert all(0 <= accuracy <= 1 for pair in found.values() for accuracy in pair)
