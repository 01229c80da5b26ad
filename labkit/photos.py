"""CIFAR-10 to STL-10: photographs, for those who have outgrown emoji.

The classic natural shift of Kumar et al. 2022: the same nine classes, photographed for another
data set. Downloads, checksums and file formats are torchvision's own. CIFAR-10's files are Python
pickles, which could run code: torchvision compares each with an md5 it knows before it opens any.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from labkit.data import DataError
from labkit.inputs import real
from labkit.tasks import Examples, Task
from labkit.torchvision_compat import import_torchvision

SAME_AS = {"car": "automobile"}  # STL-10's word: CIFAR-10's
# CIFAR-10's classes in its order, less frog, which STL-10 lacks (as CIFAR-10 lacks its monkey).
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "horse", "ship", "truck")


def cifar10_to_stl10(
    root: str | Path,
    *,
    size: int = 32,
    validation: float = 0.1,
    seed: int = 0,
    download: bool = True,
) -> Task:
    """Learn nine classes from CIFAR-10, be tested on CIFAR-10 (ID) and on STL-10 (OOD).

    root: where the files are or will be (170 MB and 2.6 GB to download, once; torchvision reads all
    3 GB of STL-10 on every call, to check them). size: of the images; CIFAR-10 has 32 pixels,
    STL-10 96, which are averaged over areas. validation: the share of each class of CIFAR-10's
    training set that validates, drawn with `seed`. Raises DataError for files that are missing and
    cannot be downloaded, or damaged, and leaves nothing half-written behind.
    """
    if not (isinstance(size, int) and size >= 1):
        raise ValueError(f"size must be a whole number of pixels >= 1, got {size!r}")
    if not 0 < validation < 1:
        raise ValueError(f"validation must be a share between 0 and 1, got {validation!r}")
    import_torchvision()
    from torchvision.datasets import CIFAR10, STL10

    root = Path(root).expanduser()
    missing = [d for d in (CIFAR10, STL10) if not (root / d.base_folder).exists()]
    files = " and ".join(f"{d.filename} (from {d.url})" for d in missing)
    for dataset in missing:
        _fetch(dataset, root, download, cure=f"put {files} in {root.resolve()} and run this again")
    learn = _examples(*_read_cifar(CIFAR10, root, train=True), size)
    held_out = stratified(learn.labels, validation, Generator().manual_seed(seed))
    return Task(
        name="CIFAR-10 to STL-10",
        classes=CLASSES,
        train=learn.at(~held_out),
        validation=learn.at(held_out),
        test=_examples(*_read_cifar(CIFAR10, root, train=False), size),
        ood={"STL-10": _examples(*_read_stl(STL10, root), size)},
    )


def stratified(labels: Tensor, share: float, generator: Generator) -> Tensor:
    """Draw `share` of each class: labels (n,) -> a mask (n,), True for those drawn."""
    share = real("share", share, 1)
    drawn = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero()[:, 0]
        order = torch.randperm(len(members), generator=generator)
        drawn[members[order[: round(share * len(members))]]] = True
    return drawn


def _examples(
    images: np.ndarray, labels: Sequence[int], names: Sequence[str], size: int
) -> Examples:
    """Keep the shared classes of (n, 3, h, w) uint8 images, number them as in CLASSES, and resize.

    Classes go by name, because the two data sets number them differently.
    """
    to_ours = {name: position for position, name in enumerate(CLASSES)}
    table = torch.tensor([to_ours.get(SAME_AS.get(name, name), -1) for name in names])
    ours = table[torch.as_tensor(np.asarray(labels), dtype=torch.int64)]  # (n,), -1: not shared
    kept = (ours >= 0).nonzero()[:, 0]
    return Examples(_resize(images, kept, size), ours[kept])


def _resize(images: np.ndarray, kept: Tensor, size: int) -> Tensor:
    """Resize the kept rows, a few at a time: as floats they would take four times the memory."""
    out = torch.empty(len(kept), 3, size, size, dtype=torch.uint8)
    for rows, resized in zip(kept.split(500), out.split(500), strict=True):
        some = torch.from_numpy(np.ascontiguousarray(images[rows.numpy()]))
        if some.shape[-1] != size:
            mode = "area" if some.shape[-1] > size else "bilinear"
            some = F.interpolate(some.float(), (size, size), mode=mode).round_()
        resized.copy_(some)
    return out


# ---------------------------------------------------------------- files


def _read_cifar(dataset: type, root: Path, train: bool) -> tuple[np.ndarray, list[int], list[str]]:
    """Return images (n, 3, 32, 32) uint8, labels and the labels' names."""
    with _damage_named(root / dataset.base_folder):
        cifar = dataset(root, train=train)
        return cifar.data.transpose(0, 3, 1, 2), cifar.targets, cifar.classes


def _read_stl(dataset: type, root: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return the test set: images (n, 3, 96, 96) uint8, labels and the labels' names."""
    with _damage_named(root / dataset.base_folder):
        stl = dataset(root, split="test")
        return stl.data, stl.labels, stl.classes


@contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    try:
        with _only_our_warnings():
            yield
    # torchvision's own complaints; without class_names.txt, STL10 just has no `classes`.
    except (RuntimeError, OSError, AttributeError) as error:
        cure = "delete it and run this again"
        raise DataError(f"{folder} is damaged or incomplete: {cure}") from error


def _fetch(dataset: type, root: Path, download: bool, cure: str) -> None:
    """Put the data set's folder in root: from its archive there, or else from the network."""
    from torchvision.datasets.utils import check_integrity, download_and_extract_archive

    archive = root / dataset.filename
    is_there = check_integrity(archive, dataset.tgz_md5)
    if archive.exists() and not is_there:
        raise DataError(
            f"{archive} is damaged (its md5 is not {dataset.tgz_md5}): delete it, or {cure}"
        )
    if not is_there and not download:
        raise DataError(f"{dataset.base_folder} is not in {root}: allow the download, or {cure}")
    root.mkdir(parents=True, exist_ok=True)
    # Everything happens in a folder that goes away; what is complete moves out of it in one step.
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=root) as unfinished:
        source = root if is_there else unfinished
        try:
            with _only_our_warnings():
                download_and_extract_archive(
                    dataset.url, source, unfinished, dataset.filename, dataset.tgz_md5
                )
            (Path(unfinished) / dataset.base_folder).rename(root / dataset.base_folder)
        except (OSError, RuntimeError) as error:
            step = "unpack" if is_there else "download"
            raise DataError(f"could not {step} {dataset.filename} ({error}): {cure}") from error


@contextmanager
def _only_our_warnings() -> Iterator[None]:
    """Hide what Python and numpy say of torchvision's code: readers can do nothing about it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Python 3.14 will", DeprecationWarning)  # tarfile
        warnings.filterwarnings(
            "ignore", r"dtype\(\): align", np.exceptions.VisibleDeprecationWarning
        )
        yield
