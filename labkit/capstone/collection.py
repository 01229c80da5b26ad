"""Your own data, read once: a folder of images (a subfolder a class) or a table of features."""

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageOps
from torch import Tensor

from labkit.inputs import whole
from labkit.tasks import Examples
from labkit.training import progress_bar

Sample = tuple[Path, int]  # an image and its class
SUFFIXES = tuple(".jpg .jpeg .png .ppm .bmp .pgm .tif .tiff .webp".split())
PARTS = 5  # of a split; a class needs as many groups
LAYOUT = "accepted: one subfolder for each class, two or more, with jpg, png or webp images"
TABLE = "accepted: a CSV with columns label (two values or more), group if you like, and numbers"


@dataclass(frozen=True, eq=False)
class Collection:
    """Labelled images (n, 3, size, size) uint8, or rows of a table (n, columns) float32.

    labels: (n,) int64; names: (n,) paths within the folder, or lines of the table. Images of one
    group (n,) belong together: a split keeps them on one side. notes: what was left out, and why.
    columns: the names of a table's.
    """

    classes: tuple[str, ...]
    images: Tensor
    labels: Tensor
    names: tuple[str, ...]
    groups: np.ndarray
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def examples(self) -> Examples:
        return Examples(self.images, self.labels)

    def at(self, rows: np.ndarray, notes: Sequence[str] = ()) -> "Collection":
        names = tuple(self.names[row] for row in rows)
        images, labels, groups = (x[rows] for x in (self.images, self.labels, self.groups))
        return replace(self, images=images, labels=labels, names=names, groups=groups,
                       notes=(*self.notes, *notes))  # fmt: skip


def read(
    source: str | Path, group: str = "", size: int = 32, classes: Sequence[str] = ()
) -> Collection:
    """Read a CSV file (`read_table`), or a folder in the layout of torchvision's ImageFolder.

    group: a regular expression on the file name (a table has a column of groups instead). What its
    first parentheses match (or all of it) is the group; a file without a match is a group of its
    own. Images are cropped to the middle square. classes: those to look for, in their order (a
    second folder's), instead of all. Images that cannot be read are left out and noted. Raises
    ValueError, in two lines and before any work, for a folder without images of two classes, an
    expression that matches nothing, one for a table, and names that are not UTF-8.
    """
    size, root = whole("size", size, 8), Path(source).expanduser()
    check_names([root.resolve().name])
    if root.suffix.lower() == ".csv":
        if group:
            raise ValueError(
                f"group: got {group!r} for a table, {root}\naccepted: its column group"
            )
        return read_table(root, classes)
    (classes, samples), pictures, notes = listed(root, classes), {}, []
    paths = [path for path, _ in samples]
    names = [path.relative_to(root).as_posix() for path in paths]
    check_names([*classes, *names])
    groups = group_names([path.name for path in paths], group)
    with progress_bar("reading") as bar:
        for row, path in enumerate(paths):
            try:
                pictures[row] = read_image(path, size)
            except Exception as error:  # a damaged file makes Pillow raise errors of any kind
                why = str(error).partition("\n")[0] or type(error).__name__
                notes.append(f"left out {names[row]}: {why}")
            bar((row + 1) / len(paths), "")
    if not pictures:
        raise ValueError(f"folder: no image of {root} can be read ({notes[0]})\n{LAYOUT}")
    rows, labels = np.array(list(pictures)), torch.tensor([label for _, label in samples])
    blank = torch.empty(len(paths), 0)
    kept = Collection(classes, blank, labels, tuple(names), groups).at(rows, notes)
    return replace(kept, images=torch.from_numpy(np.stack(list(pictures.values()))))


def listed(root: Path, classes: Sequence[str] = ()) -> tuple[tuple[str, ...], list[Sample]]:
    """The classes of a folder and its images, as torchvision's ImageFolder finds and orders them.

    Raises ValueError as `read` does. (To import torchvision takes two seconds and 80 MB.)
    """
    if not root.is_dir() or not any(path.is_dir() for path in root.iterdir()):
        what = "has no subfolders" if root.is_dir() else "is no folder"
        raise ValueError(f"folder: {root} {what}\n{LAYOUT}")
    names = tuple(classes) or tuple(sorted(path.name for path in root.iterdir() if path.is_dir()))
    samples = [
        (Path(folder, file), label)
        for label, name in enumerate(names)
        for folder, _, files in sorted(os.walk(root / name, followlinks=True))
        for file in sorted(files)
        if file.lower().endswith(SUFFIXES)
    ]
    full = {names[label] for _, label in samples}
    if len(full) < (1 if classes else 2):
        of = f" of {', '.join(classes)}" if classes else ""
        what = f"images of {full.pop()} only" if full else f"no images{of} in its subfolders"
        raise ValueError(f"folder: {root} has {what}\n{LAYOUT}")
    return names, samples


def check_names(names: Sequence[str]) -> None:
    """Raise a ValueError, in two lines, for a name that no report could be written with."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f"folder: the name {name!r} is not UTF-8\naccepted: UTF-8") from None


def read_image(path: Path, size: int) -> np.ndarray:
    """(3, size, size) uint8: upright, on white where it is transparent, its middle square."""
    with Image.open(path) as image:
        of_16_bits = image.format in ("PNG", "PPM")  # even where Pillow reads them as I, of 32
        image.draft("RGB", (2 * size, 2 * size))  # a JPEG need not be decoded at its full size
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16") or (of_16_bits and image.mode == "I"):
            # Of 16 bits the upper 8: `convert` would make white of all that is above 255.
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
        elif image.mode in ("I", "F"):
            raise ValueError(f"mode {image.mode}, of no known range; save it with 8 or 16 bits")
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        method = "BICUBIC" if min(image.size) < size else "BOX"
        image = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling[method])
    return np.asarray(image).transpose(2, 0, 1)


def group_names(names: Sequence[str], group: str) -> np.ndarray:
    """The group of each file name: what the expression matches, or one of its own."""
    try:
        found = [re.search(group, name) if group else None for name in names]
    except re.error as error:
        raise ValueError(f"group: got {group!r}, {error}\naccepted: such as '^(.+)_'") from None
    if group and not any(found):
        raise ValueError(f"group: {group!r} matches no file name\none of them is {names[0]}")
    own = [match and match[min(1, match.re.groups)] for match in found]
    return np.array([f"group {name}" if name else f"file {i}" for i, name in enumerate(own)])


def words_of(path: Path) -> pd.DataFrame:
    """The words of a CSV, (rows, columns of the header), without spaces around them.

    The index: their lines. Raises ValueError for two columns of one name, and for a row of more
    values than the header has names (pandas would take the first for row names, and the next
    column for the labels); and what `open` and `csv` raise.
    """
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, skipinitialspace=True, strict=True)
        found = [(reader.line_num, [word.strip() for word in row]) for row in reader]
    found = [(line, row) for line, row in found if len(row) > 1 or any(row)]
    header = found.pop(0)[1] if found else []
    twice = [name for name, count in Counter(header).items() if name and count > 1]
    if twice:
        raise ValueError(f"two columns are named {twice[0]}")
    for line, row in found:
        if len(row) > len(header):
            raise ValueError(f"line {line} has {len(row)} values for {len(header)} columns")
        row += [""] * (len(header) - len(row))
    lines, rows = [line for line, _ in found], [row for _, row in found]
    return pd.DataFrame(rows, lines, header, dtype=str)


def read_table(path: Path, classes: Sequence[str] = ()) -> Collection:
    """A CSV of features (rows, columns), in which the columns label and group are none.

    Rows with a gap, no known label, or a number beyond float32 are left out and noted. Raises
    ValueError, in two lines, for other tables, and where no row is left.
    """
    try:
        words = words_of(path)  # "None" is a class, and beside a gap 1 does not become 1.0
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"table: {path}: {error}\n{TABLE}") from None
    # An index that pandas wrote along: its order is often that of the labels.
    nameless = [name for name in words if re.match("$|Unnamed: ", name)]
    numbers = words.drop(columns=["label", "group", *nameless], errors="ignore")
    # What is a number, and what a gap ("NA"), pandas knows only of a file.
    numbers = pd.read_csv(io.StringIO(numbers.to_csv()), index_col=0)
    odd = numbers.select_dtypes(exclude="number").columns.tolist()
    blank = pd.Series("", words.index)
    texts, group = (words.get(name, blank) for name in ("label", "group"))
    known = tuple(classes) or tuple(sorted(set(texts) - {""}))
    if "label" not in words or odd or numbers.empty or len(known) < 2:
        raise ValueError(f"table: {path}: columns {(odd or list(words))[:6]}\n{TABLE}")
    x = torch.tensor(numbers.to_numpy(float, copy=True)).float()  # what it cannot hold is infinite
    gap, unknown = (y.to_numpy() for y in (numbers.isna().any(axis=1), ~texts.isin(known)))
    fits = x.isfinite().all(dim=1).numpy() & ~unknown
    why = np.select([gap, unknown], ["a gap", "no known label"], "a number too large for float32")
    names = tuple(f"line {line}" for line in words.index)
    groups = np.where(group == "", names, "group " + group).astype(str)
    labels = pd.Index(known).get_indexer(texts).astype(np.int64)
    notes = [f"left out {name or 'one'}: a column without a name" for name in nameless]
    notes += [f"left out {names[row]}: {why[row]}" for row in np.flatnonzero(~fits)]
    if not fits.any():
        raise ValueError(f"table: {path}: no row is complete ({notes[-1]})\n{TABLE}")
    columns = tuple(map(str, numbers))
    every = Collection(known, x, torch.from_numpy(labels), names, groups, columns=columns)
    return every.at(np.flatnonzero(fits), notes)


def enough(collection: Collection) -> Collection:
    """Without the classes that have too few groups for a split, which the notes name.

    Raises ValueError, in two lines, if fewer than two classes are left.
    """
    labels, classes = collection.labels.numpy(), collection.classes
    groups = [len(set(collection.groups[labels == c])) for c in range(len(classes))]
    large = [c for c, count in enumerate(groups) if count >= PARTS]
    note = "left out class {}: too small, {} groups of images where {} are needed"
    notes = [note.format(classes[c], n, PARTS) for c, n in enumerate(groups) if n < PARTS]
    if len(large) < 2:
        told = ", ".join(f"{name} {n}" for name, n in zip(classes, groups, strict=True))
        raise ValueError(
            f"folder: too few groups of images ({told})\naccepted: {PARTS} each in two classes"
        )
    kept = collection.at(np.flatnonzero(np.isin(labels, large)), notes)
    renumbered = torch.from_numpy(np.searchsorted(large, kept.labels.numpy()))
    return replace(kept, classes=tuple(classes[c] for c in large), labels=renumbered)
