"""Divide the concepts once and for all: data/emoji/splits.csv from captions, classes, traps.

    python data/make_splits.py          # standard library only; always writes the same file

A *concept* (say, "tiger") is in exactly one part, in all its styles, so nothing learned upstream
can have seen a downstream concept in another style. Of each class at most 75 concepts and at most
70 % go downstream (half train, a fifth validation, the rest test), spread evenly over its
subgroups; all other concepts are upstream, except the augmentation traps, which neither side may
learn from.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

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


def main() -> None:
    concepts, rng = read("captions.csv"), random.Random(SEED)
    traps = {row["emoji"] for row in read("traps.csv")}
    label(concepts)
    for concept in concepts:
        concept["part"] = "trap" if concept["emoji"] in traps else "upstream"
    for name in sorted({concept["class"] for concept in concepts} - {""}):
        assign([c for c in concepts if c["class"] == name and c["part"] != "trap"], rng)
    fields = ["position", "emoji", "name", "subgroup", "class", "population", "part"]
    with open(FOLDER / "splits.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fields, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(concepts)


if __name__ == "__main__":
    main()
