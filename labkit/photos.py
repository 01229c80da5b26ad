"""CIFAR-10 to STL-10: photographs, for those who have outgrown emoji.

The classic natural shift of Kumar et al. 2022: the same nine classes, photographed for another
data set. Downloads, checksums and file formats are torchvision's own. CIFAR-10's files are Python
pickles, which could run code: torchvision compares each with an md5 it knows before it opens any.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from labkit.data import DataError
from labkit.inputs import between, whole
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

    root: where torchvision keeps the files (archives of 170 MB and 2.6 GB, downloaded once, and
    what is in them; all is read on every call, to check it). size: of the images; CIFAR-10 has 32
    pixels, STL-10 96, which are averaged over areas. validation: the share of each class of
    CIFAR-10's training set that validates, drawn with `seed`. Raises DataError for files that are
    missing or damaged and cannot be downloaded.
    """
    size, validation = whole("size", size, 1), between("validation", validation, 0, 1)
    learn, test, stl = _read(Path(root).expanduser(), download)
    seen, unseen = (
        _examples(cifar.data.transpose(0, 3, 1, 2), cifar.targets, cifar.classes, size)
        for cifar in (learn, test)
    )
    held_out = stratified(seen.labels, validation, Generator().manual_seed(seed))
    return Task(
        name="CIFAR-10 to STL-10",
        classes=CLASSES,
        train=seen.at(~held_out),
        validation=seen.at(held_out),
        test=unseen,
        ood={"STL-10": _examples(stl.data, stl.labels, stl.classes, size)},
    )


def stratified(labels: Tensor, share: float, generator: Generator) -> Tensor:
    """Draw `share` of each class: labels (n,) -> a mask (n,), True for those drawn."""
    drawn = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        members = (labels == label).nonzero()[:, 0]
        order = torch.randperm(len(members), generator=generator)
        drawn[members[order[: round(share * len(members))]]] = True
    return drawn


def _read(root: Path, download: bool) -> tuple:
    """CIFAR-10's training and test set and STL-10's test set, as torchvision holds them."""
    import_torchvision()
    from torchvision.datasets import CIFAR10, STL10

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's and numpy's words on torchvision's code
            root.mkdir(parents=True, exist_ok=True)
            learn, test = (CIFAR10(root, train, download=download) for train in (True, False))
            stl = STL10(root, "test", download=download)
            _ = stl.classes  # an AttributeError without class_names.txt
    except (RuntimeError, OSError, AttributeError) as error:
        files = " and ".join(f"{d.filename} (from {d.url})" for d in (CIFAR10, STL10))
        raise DataError(
            f"CIFAR-10 or STL-10 in {root.resolve()} is missing or damaged ({error}): allow the "
            f"download, or put {files} there yourself; delete {CIFAR10.base_folder} and "
            f"{STL10.base_folder} and run this again"
        ) from error
    return learn, test, stl


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
    out = torch.empty(len(kept), 3, size, size, dtype=torch.uint8)
    # A few at a time: as floats all of them would take four times the memory.
    for rows, resized in zip(kept.split(500), out.split(500), strict=True):
        some = torch.from_numpy(np.ascontiguousarray(images[rows.numpy()]))
        if some.shape[-1] != size:
            mode = "area" if some.shape[-1] > size else "bilinear"
            some = F.interpolate(some.float(), (size, size), mode=mode).round_()
        resized.copy_(some)
    return Examples(out, ours[kept])
