"""Divide the concepts once and for all: data/emoji/splits.csv from captions, classes, traps.

    python data/make_splits.py          # always writes the same file; updates data/README.md

A *concept* (say, "tiger") is in exactly one part, in all its styles, so nothing learned upstream
can have seen a downstream concept in another style. Of each class at most 75 concepts and at most
70 % go downstream (half train, a fifth validation, the rest test), spread evenly over its
subgroups; all other concepts are upstream, except the augmentation traps, which neither side may
learn from. Concepts are divided, not pictures: `same_pictures` says which are the same even so.
"""

import argparse
import csv
import random
from collections import defaultdict
from pathlib import Path

from readme import replace_section

from labkit import data
from labkit.files import write_csv

FOLDER = Path(__file__).parent / "emoji"
SEED = 2026
DOWNSTREAM_SHARE, DOWNSTREAM_CAP = 0.7, 75
DOWNSTREAM_PARTS = {"train": 0.5, "validation": 0.2, "test": 0.3}


def read(name: str) -> list[dict[str, str]]:
    with open(FOLDER / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def label(concepts: list[dict[str, str]]) -> None:
    """Add class and population to each concept (empty where it belongs to no class)."""
    rules = {rule["subgroup"]: rule for rule in read("classes.csv")}
    for concept in concepts:
        rule = rules.get(concept["subgroup"])
        if rule is None or concept["emoji"] in rule["left_out"].split():
            concept["class"] = concept["population"] = ""
        else:
            concept["class"], concept["population"] = rule["class"], rule["population"]


def spread(count: int, shares: dict[str, float]) -> list[str]:
    """Deal `count` places to the parts so that every run of places has about the right shares."""
    dealt, places = dict.fromkeys(shares, 0), []
    for place in range(1, count + 1):
        part = max(shares, key=lambda part: shares[part] * place - dealt[part])
        dealt[part] += 1
        places.append(part)
    return places


def assign(members: list[dict[str, str]], rng: random.Random) -> None:
    """Give each concept of one class its part, stratified by subgroup."""
    rng.shuffle(members)
    members.sort(key=lambda concept: concept["subgroup"])
    downstream = min(DOWNSTREAM_SHARE, DOWNSTREAM_CAP / len(members))
    shares = {part: downstream * share for part, share in DOWNSTREAM_PARTS.items()}
    parts = spread(len(members), {"upstream": 1 - downstream, **shares})
    for concept, part in zip(members, parts, strict=True):
        concept["part"] = part


def same_pictures(emoji: data.Emoji, concepts: list[data.Concept]) -> str:
    """Which pictures equal one of another part, as they are or mirrored, pixel by pixel."""
    places, found, within = defaultdict(list), {"": [], "mirrored ": []}, 0
    rows = list(zip(emoji.images, emoji.concept.tolist(), emoji.style.tolist(), strict=True))
    for image, concept, style in rows:
        places[image.numpy().tobytes()].append((concepts[concept], data.STYLES[style]))

    def named(picture: tuple[data.Concept, str]) -> str:
        return f"{picture[0].name} ({picture[0].part}, {picture[1]})"

    order = ("upstream", "train", "validation", "test", "trap")
    for image, position, style in rows:
        mine, here = concepts[position], places[image.numpy().tobytes()]
        mirrored = places.get(image.flip(-1).numpy().tobytes(), [])
        for how, others in (("", here), ("mirrored ", mirrored * (mirrored is not here))):
            found[how] += [
                f"{named((mine, data.STYLES[style]))} is {named(other)}"
                for other in others
                if order.index(other[0].part) < order.index(mine.part)
            ]
        same = {other.position for other, _ in here if other.part == mine.part}
        within += mine.part == "upstream" and len(same) > 1
    equal = "".join(
        f"{len(pairs)} {how}pairs of pictures are equal across parts: {'; '.join(pairs)}.\n"
        for how, pairs in found.items()
        if pairs
    )
    return (
        f"{equal or 'No pictures are equal across parts.'}"
        + f"{within} upstream pictures equal one of another upstream concept: false negatives of a "
        "contrastive loss."
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    concepts, rng = read("captions.csv"), random.Random(SEED)
    traps = {row["emoji"] for row in read("traps.csv")}
    label(concepts)
    for concept in concepts:
        concept["part"] = "trap" if concept["emoji"] in traps else "upstream"
    for name in sorted({concept["class"] for concept in concepts} - {""}):
        assign([c for c in concepts if c["class"] == name and c["part"] != "trap"], rng)
    fields = ["position", "emoji", "name", "subgroup", "class", "population", "part"]
    write_csv(FOLDER / "splits.csv", [fields, *([c[field] for field in fields] for c in concepts)])
    replace_section("same pictures", same_pictures(data.load(size=64), data.concepts()))


if __name__ == "__main__":
    main()
