"""The emoji-styles data set: 1,644 concepts drawn in ten styles, with captions and fixed splits.

Nothing is read at import. Images come from one lossless sheet per style in `data/emoji/`, captions,
classes and splits from the readable tables beside them; `data/README.md` tells where all is from.
"""

import csv
import hashlib
import io
import os
import re
from collections import Counter
from collections.abc import Collection, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from labkit.inputs import as_tensor, check_choice, refused, whole

DATA = Path(__file__).resolve().parents[1] / "data"
TILE, COLUMNS = 64, 41  # pixels of a tile, tiles in a row of a sheet
ICON_COLUMNS = 64  # icons in a row of theirs, 32 pixels each

COLOUR_STYLES = ("twemoji", "noto", "openmoji", "fluent-flat", "emojione", "emojione-v1")
SHADED_STYLES = ("fluent", "blob")
MONO_STYLES = ("fluent-mono", "emojione-mono")
STYLES = COLOUR_STYLES + SHADED_STYLES + MONO_STYLES
PARTS = ("upstream", "train", "validation", "test", "trap")


class DataError(RuntimeError):
    """A file of the data set is missing or damaged; the message names it and the cure."""


class Concept(NamedTuple):
    """One emoji, in all its styles."""

    position: int  # its tile in every sheet, and its row in captions.csv
    emoji: str
    name: str  # its caption
    keywords: tuple[str, ...]
    group: str
    subgroup: str
    styles: tuple[str, ...]  # the styles that have a drawing of it
    label: str  # its downstream class, "" for none
    population: str  # "source" or "target" within the class, for sub-population shift
    part: str  # one of PARTS


class Trap(NamedTuple):
    """What an augmentation can destroy: a concept told apart by colour or by direction alone."""

    kind: str  # "colour" or "direction"
    shape: str
    colour: str
    direction: str


@dataclass(frozen=True)
class Emoji:
    """Images with the concept and the style of each."""

    images: Tensor  # (n, 3, size, size) uint8
    concept: Tensor  # (n,) int64 into `concepts()`
    style: Tensor  # (n,) int64 into STYLES

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index) -> "Emoji":
        return Emoji(self.images[index], self.concept[index], self.style[index])

    @property
    def captions(self) -> list[str]:
        return [concepts()[i].name for i in self.concept.tolist()]

    def of(self, positions: Collection[int]) -> "Emoji":
        """Only the images of these concepts."""
        if isinstance(positions, Set):  # as `tasks.test_concepts` gives
            positions = list(positions)
        return self[torch.isin(self.concept, torch.as_tensor(positions, dtype=torch.int64))]

    def row_of(self, position: int, style: str) -> int:
        """The row that shows a concept in `style`, or in its first style where that has none.

        Raises ValueError for a concept of which there is no image.
        """
        rows = (self.concept == position).nonzero()[:, 0]
        if not len(rows):
            raise refused("position", position, "a concept among these images")
        in_style = rows[self.style[rows] == STYLES.index(style)]
        return int((in_style if len(in_style) else rows)[0])

    def drawn_in(self, *styles: str) -> "Emoji":
        """Only the images in these styles."""
        check_choice("styles", styles, STYLES)
        return self[torch.isin(self.style, torch.tensor([STYLES.index(s) for s in styles]))]


def load(styles: Sequence[str] = STYLES, *, parts: Sequence[str] = PARTS, size: int = 32) -> Emoji:
    """Load the images of `styles` whose concepts are in `parts`.

    `size` is 32 (area averages) or 64 (as stored, for display). Images are ordered by style, then
    by concept. Raises ValueError for an unknown style, part or size, or a style named twice,
    DataError for a bad file.
    """
    styles = (styles,) if isinstance(styles, str) else tuple(styles)
    parts = (parts,) if isinstance(parts, str) else tuple(parts)
    check_choice("styles", styles, STYLES, once=True)
    check_choice("parts", parts, PARTS)
    check_choice("size", (whole("size", size, 1),), (32, 64))
    keep = [[c.position for c in concepts() if c.part in parts and s in c.styles] for s in styles]
    # Decoding releases the GIL. A sheet takes 100 MB meanwhile: so no more at once than cores.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        tiles = pool.map(lambda style, kept: read_sheet(style, size)[kept], styles, keep)
        images = torch.cat([torch.from_numpy(kept) for kept in tiles])
    return Emoji(
        images,
        torch.tensor([position for k in keep for position in k], dtype=torch.int64),
        torch.tensor([STYLES.index(s) for s, k in zip(styles, keep, strict=True) for _ in k]),
    )


def read_sheet(style: str, size: int) -> np.ndarray:
    """Decode one style's sheet into (1681, 3, size, size) uint8, averaging areas down to `size`."""
    return read_tiles(f"emoji/{style}.webp", size, COLUMNS, TILE // size)


def read_tiles(name: str, size: int, columns: int, factor: int = 1) -> np.ndarray:
    """A sheet's tiles, row by row: (n, 3, size, size) uint8, once its areas are averaged."""
    from PIL import Image

    with Image.open(io.BytesIO(read_bytes(name))) as image:
        sheet = np.asarray(image.convert("RGB").reduce(factor))  # (rows * size, columns * size, 3)
    tiles = sheet.reshape(-1, size, columns, size, 3).transpose(0, 2, 4, 1, 3)
    return np.ascontiguousarray(tiles).reshape(-1, 3, size, size)


class Icons(NamedTuple):
    """Upstream pictures from icon sets: of no downstream or trap concept, see data/README.md."""

    images: Tensor  # (n, 3, 32, 32) uint8
    captions: tuple[str, ...]


def load_icons() -> Icons:
    """Load all icons, in the order of icons.csv; DataError for a bad file."""
    table = read_table("icons/icons.csv")
    count = Counter(row["set"] for row in table)  # the rest of a sheet is blank
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        sheets = pool.map(lambda name: read_tiles(f"icons/{name}.webp", 32, ICON_COLUMNS), count)
        kept = [sheet[:n] for sheet, n in zip(sheets, count.values(), strict=True)]
    images = torch.from_numpy(np.concatenate(kept))
    return Icons(images, tuple(row["caption"] for row in table))


@cache
def concepts() -> tuple[Concept, ...]:
    """All concepts with their captions, classes and parts, in sheet order."""
    captions, splits = read_table("emoji/captions.csv"), read_table("emoji/splits.csv")
    return tuple(
        Concept(
            position=int(row["position"]),
            emoji=row["emoji"],
            name=row["name"],
            keywords=tuple(filter(None, row["keywords"].split("|"))),
            group=row["group"],
            subgroup=row["subgroup"],
            styles=tuple(row["styles"].split()),
            label=split["class"],
            population=split["population"],
            part=split["part"],
        )
        for row, split in zip(captions, splits, strict=True)
    )


@cache
def class_names() -> tuple[str, ...]:
    """The downstream classes, in the order of classes.csv."""
    return tuple(dict.fromkeys(row["class"] for row in read_table("emoji/classes.csv")))


@cache
def traps() -> dict[int, Trap]:
    """Concept position -> its shape, colour and direction, for the augmentation traps."""
    position = {concept.emoji: concept.position for concept in concepts()}
    return {
        position[row["emoji"]]: Trap(row["trap"], row["shape"], row["colour"], row["direction"])
        for row in read_table("emoji/traps.csv")
    }


def labels_of(positions: Tensor, names: Sequence[str] | None = None) -> Tensor:
    """Concept positions (n,) -> indices in class `names` (None: all), (n,) int64, -1 for others."""
    positions = as_tensor("positions", positions)
    if positions.dtype == torch.uint8:
        positions = positions.long()  # else it would choose rows as a mask does
    if positions.numel() and not 0 <= positions.min() <= positions.max() < len(concepts()):
        low, high = positions.min(), positions.max()
        raise refused("positions", f"{low} to {high}", f"0 to {len(concepts()) - 1}")
    index = {name: i for i, name in enumerate(class_names() if names is None else names)}
    table = torch.tensor([index.get(concept.label, -1) for concept in concepts()])
    return table[positions]


def read_table(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_bytes(name).decode("utf-8"))))


def read_bytes(name: str) -> bytes:
    """Read a file under data/ and verify its SHA-256; DataError names the file and the cure."""
    # Both, since the file and the list disagree, and only git knows which of them is damaged.
    cure = f"Restore it with `git checkout -- data/{name} data/checksums.txt`"
    cure += ", or see data/README.md to rebuild it."
    path = DATA / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}. {cure}") from error
    expected = checksums().get(name)
    if expected is None:
        made = "If you made it, run `python data/checksum.py`."
        raise DataError(f"{path} is not listed in data/checksums.txt. {cure} {made}")
    if hashlib.sha256(content).hexdigest() != expected:
        raise DataError(
            f"{path} is damaged ({len(content)} bytes, not those of data/checksums.txt). {cure}"
        )
    return content


@cache
def checksums() -> dict[str, str]:
    """File name under data/ -> SHA-256, as `sha256sum` writes them."""
    path = DATA / "checksums.txt"
    cure = "Restore it with `git checkout -- data/checksums.txt`."
    try:
        text = path.read_bytes().decode("ascii", errors="replace")
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}. {cure}") from error
    if not re.fullmatch(r"([0-9a-f]{64}  [\w./-]+\r?\n)+", text, re.ASCII):
        raise DataError(f"{path} is damaged. {cure}")
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def half_size(images: torch.Tensor) -> torch.Tensor:
    """Average areas of 2 x 2 pixels, as `read_sheet` does: uint8 (n, 3, 64, 64) -> 32 pixels."""
    sums = images.unflatten(3, (-1, 2)).sum(4, dtype=torch.int16).unflatten(2, (-1, 2)).sum(3)
    return ((sums + 2) // 4).to(torch.uint8)
