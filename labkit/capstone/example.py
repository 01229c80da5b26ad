"""A small folder to try the capstone on, written from the emoji: with a leak, as real ones have.

Eight classes of things, each thing drawn by three artists (`tiger-face_noto.png`), and a second
folder of other things by other artists. Some pictures are there twice, under another name.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from labkit import data
from labkit.tasks import DOWNSTREAM

CLASSES = ("animal", "building", "clothing", "food and drink", "hand", "plant", "sport and games",
           "vehicle")  # fmt: skip
STYLES, OOD_STYLES = ("noto", "openmoji", "twemoji"), ("fluent", "emojione-mono")
THINGS, OOD_THINGS = 24, 8  # of a class, at most; a third of a smaller one is OOD
GROUP = r"^(.+)_"  # the thing, in a file name
COPIES = 5  # of each class


class Example(NamedTuple):
    """Two folders, and the pairs of names in the first that show one picture."""

    folder: Path
    ood: Path
    planted: frozenset[tuple[str, str]]


def write_example(folder: Path) -> Example:
    """Write the example below `folder`, the same every time; files that are there are replaced."""
    folder, rng, planted = Path(folder), np.random.default_rng(0), set()
    emoji = data.load((*STYLES, *OOD_STYLES), parts=DOWNSTREAM, size=64)
    for label in CLASSES:
        own = [c for c in data.concepts() if c.label == label and c.part in DOWNSTREAM]
        own = [c for c in own if {*STYLES, *OOD_STYLES} <= set(c.styles)]
        things = own[: min(THINGS, 2 * len(own) // 3)]
        drawn = draw(folder / "things" / label, emoji.drawn_in(*STYLES), things)
        others = own[len(things) :][:OOD_THINGS]
        draw(folder / "other artists" / label, emoji.drawn_in(*OOD_STYLES), others)
        for kind, row in enumerate(rng.permutation(len(drawn))[:COPIES]):
            copy = save_copy(drawn[row], kind, f"scan-{rng.integers(1000, 9999)}")
            planted.add(tuple(sorted(f"{label}/{path.name}" for path in (drawn[row], copy))))
    torn = folder / "things" / CLASSES[0] / "torn_noto.png"
    torn.write_bytes(next(iter(sorted(torn.parent.glob("*_noto.png")))).read_bytes()[:200])
    return Example(folder / "things", folder / "other artists", frozenset(planted))


def draw(folder: Path, emoji: data.Emoji, things: list[data.Concept]) -> list[Path]:
    """A PNG of 64 pixels for each drawing of these things."""
    folder.mkdir(parents=True, exist_ok=True)
    paths, emoji = [], emoji.of([thing.position for thing in things])
    for image, concept, style in zip(emoji.images, emoji.concept, emoji.style, strict=True):
        name = data.concepts()[int(concept)].name.replace(" ", "-").replace(":", "")
        paths.append(folder / f"{name}_{data.STYLES[int(style)]}.png")
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(paths[-1])
    return paths


def save_copy(path: Path, kind: int, name: str) -> Path:
    """The same picture again: the file, mirrored, compressed, smaller, or a little darker."""
    with Image.open(path) as image:
        image = image.convert("RGB")
        if kind == 1:
            image = ImageOps.mirror(image)
        elif kind == 3:
            image = image.resize((48, 48), Image.Resampling.BICUBIC)
        elif kind == 4:
            image = image.point(lambda value: 0.97 * value)
        copy = path.with_name(name + (".jpg" if kind == 2 else ".webp" if kind > 2 else ".png"))
        image.save(copy, lossless=True) if kind > 2 else image.save(copy)
    return copy
