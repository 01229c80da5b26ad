"""What keeps icons upstream: no word and no picture of a downstream or trap concept.

`build_icons.py` leaves out by these rules, and a test holds them to what is shipped.
"""

import re
import unicodedata
from functools import cache

import numpy as np
import torch
from torch import Tensor

from labkit import data

HELD_BACK = tuple(part for part in data.PARTS if part != "upstream")
SIMILAR = 0.9  # correlation from which two framed pictures are near-duplicates
FRAME, MARGIN = 32, 2  # pixels: a framed picture, and the white around it

# Words of these names that alone name none of the concepts (by hand): "one" of "one-piece
# swimsuit", "box" of "takeout box", "baby" of "baby bottle". In the singular, as everything here.
EMPTY = set("""
    a and art as at auto baby back bag bandage behind big black blue box brown bullet by call canned
    card classical cold construction curling cut delivery department derelict diagonal dotted down
    ear eye fast field first folding for forward french from front full garden green head high hole
    hot ice in index into it its large last light line machine mask me medical medium middle
    military mirror mountain new next no note of office on one open out over passenger piece play
    polar police purple raised red rolling running safety service sign slot small soft speed spiral
    star station steam stone straw studio symbol the thermometer to top track up video
    water white with without wood worker yellow
""".split())  # fmt: skip
# Other words for what these names say, as icon sets use them (by hand).
SYNONYMS = set("""
    aeroplane airbud aircraft airpod airport angry bee bicycling bike billiard boat bolt bull
    cafe capitol cattle clap cloudy coffee dislike donut dress drizzle earphone earpod emoji
    emoticon eyeglass flash flight frown futbol grin hail hare haze headset hippo home jacket
    jeep jet karate kitten landmark laugh lightning lorry lunar martini mic motorbike motorcar
    museum noodle notification overcast pant parliament piano piggy plane prawn pray prayer
    puppy racquet ramen reminder rewind rhino sad sailing sausage sheep shop shuttlecock skiing
    sleet sleigh smile smiley sneaker solar spectacle sprout storm sunny swimming thunder tie
    tote trouser van wheat wine wink yacht
""".split())  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a name, in small plain letters and in the singular."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return [singular(word) for word in re.findall("[a-z]+", plain)]


def singular(word: str) -> str:
    """Take a plural's ending off; what is none loses it too, on both sides of a comparison."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] != "s" else word


@cache
def held_back_words() -> frozenset[str]:
    """The words of the names and classes of downstream and trap concepts, and their synonyms."""
    names = [concept.name for concept in data.concepts() if concept.part in HELD_BACK]
    found = {word for name in (*names, *data.class_names()) for word in words(name)}
    return frozenset({word for word in found - EMPTY if len(word) > 1} | SYNONYMS)


@cache
def held_back_keywords() -> frozenset[str]:
    """Keywords of downstream and trap concepts that no upstream concept shares ("aubergine")."""
    by_side: dict[bool, set[str]] = {True: set(), False: set()}
    for concept in data.concepts():
        texts = (concept.name, *concept.keywords)
        by_side[concept.part in HELD_BACK] |= {" ".join(words(text)) for text in texts}
    return frozenset(by_side[True] - by_side[False])


@cache
def held_back_word(word: str) -> bool:
    """Whether a word is one of them, or made of one and three letters more ("snowfall")."""
    parts = {word} | {word[:end] for end in range(4, len(word) - 2)}
    parts |= {word[start:] for start in range(3, len(word) - 3)}
    return not parts.isdisjoint(held_back_words())


def tells(name: str) -> bool:
    """Whether a name holds a word of a downstream or trap concept, or is as a whole its keyword."""
    found = words(name)
    return " ".join(found) in held_back_keywords() or any(map(held_back_word, found))


def framed(images: Tensor) -> Tensor:
    """Grey pictures (n, 1024), cropped to what is drawn, of one size, mean 0 and norm 1.

    images: (n, 3, 32, 32) uint8 on white. So neither place, size, colour nor contrast tell two
    copies of a drawing apart; the white margin keeps a full square from being nothing at all.
    """
    ink = 255 - images.float().mean(1)
    out = torch.zeros(len(ink), FRAME, FRAME)
    inner = FRAME - 2 * MARGIN
    for row, drawn in enumerate(ink):
        mask = drawn > 16
        if not mask.any():
            continue
        ys, xs = (mask.any(axis).nonzero()[:, 0] for axis in (1, 0))
        (top, bottom), (left, right) = ((int(at[0]), int(at[-1]) + 1) for at in (ys, xs))
        side = max(bottom - top, right - left)
        square = torch.zeros(side, side)
        y, x = (side - bottom + top) // 2, (side - right + left) // 2
        square[y : y + bottom - top, x : x + right - left] = drawn[top:bottom, left:right]
        out[row, MARGIN:-MARGIN, MARGIN:-MARGIN] = torch.nn.functional.interpolate(
            square[None, None], (inner, inner), mode="bilinear", align_corners=False
        )[0, 0]
    flat = out.flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    return flat / flat.norm(dim=1, keepdim=True).clamp_min(1e-6)


def held_back_pictures() -> tuple[data.Emoji, Tensor]:
    """Every downstream and trap emoji in every style, and its framed picture."""
    emoji = data.load(parts=HELD_BACK)
    return emoji, framed(emoji.images)


def nearest(images: Tensor, others: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """How similar the nearest of `others` (framed) is to each image or its mirror image, and which.

    The best correlation (n,) and the row in `others` (n,).
    """
    best, rows = [], []
    for some in images.split(1024):
        frames = framed(some)
        mirrored = frames.unflatten(1, (FRAME, FRAME)).flip(2).flatten(1)
        value, row = torch.maximum(frames @ others.T, mirrored @ others.T).max(1)
        best.append(value)
        rows.append(row)
    return torch.cat(best).numpy(), torch.cat(rows).numpy()
