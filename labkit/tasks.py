"""Downstream tasks D^T: arrays to learn from, and to be tested on in and out of distribution.

A `Task` knows nothing of emoji, so the recipes of `labkit.transfer` take any images in this form.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from labkit import data
from labkit.inputs import as_images, as_tensor, check_choice, refused, whole

DOWNSTREAM = ("train", "validation", "test")


class Examples(NamedTuple):
    """Labelled images. Recipes also take NumPy arrays, float images in [0, 1], other integers."""

    images: Tensor  # (n, 3, size, size) uint8
    labels: Tensor  # (n,) int64, indices into Task.classes

    def at(self, index: Tensor) -> "Examples":
        return Examples(self.images[index], self.labels[index])

    def to(self, device: torch.device | str) -> "Examples":
        return Examples(*(as_tensor("examples", part).to(device) for part in self))


@dataclass(frozen=True)
class Task:
    """Train, validation and ID test share a distribution; each OOD test does not."""

    name: str
    classes: tuple[str, ...]
    train: Examples
    validation: Examples
    test: Examples  # in distribution (ID)
    ood: dict[str, Examples]  # name of the shift -> test images after it

    @property
    def chance(self) -> float:
        """The ID test accuracy of always answering the largest class."""
        return largest_share(self.test.labels)

    def to(self, device: torch.device | str) -> "Task":
        """The same task on a GPU; train an encoder that is there too."""
        parts = {name: getattr(self, name).to(device) for name in DOWNSTREAM}
        return replace(self, **parts, ood={name: x.to(device) for name, x in self.ood.items()})


def checked(name: str, examples: Examples, classes: int | None = None) -> Examples:
    """The examples as tensors, their labels as int64.

    Raises TypeError or ValueError, before any work, for labels that are no whole numbers from 0 to
    classes - 1, for images and labels that do not belong together, and for images on a scale of
    their own (`labkit.inputs.as_images`).
    """
    images = as_images(f"{name}.images", examples[0])
    labels = as_tensor(f"{name}.labels", examples[1])
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise refused(f"{name}.labels", labels.dtype, "whole numbers", TypeError)
    if labels.shape != images.shape[:1] or not len(labels):
        got = f"images {tuple(images.shape)} and labels {tuple(labels.shape)}"
        raise refused(name, got, "(n, 3, h, w) and (n,), n above 0")
    labels = labels.to(torch.int64)  # uint8 would choose rows as a mask does
    if classes is not None and not 0 <= labels.min() <= labels.max() < classes:
        raise refused(name, f"labels {labels.min()} to {labels.max()}", f"0 to {classes - 1}")
    return Examples(images, labels)


def largest_share(labels: Tensor) -> float:
    """How often always answering the most frequent label (n,) is right."""
    return (as_tensor("labels", labels).long().bincount() / len(labels)).max().item()


def style_shift(
    id_styles: Sequence[str] = ("twemoji",),
    ood_styles: Sequence[str] | None = None,
    *,
    classes: Sequence[str] | None = None,
    size: int = 32,
    split: int | None = None,
) -> Task:
    """Learn the classes in some styles, be tested on unseen concepts in these and in other styles.

    `ood_styles` are all others unless given; `classes` are all twelve unless given. `split` divides
    the downstream concepts anew (`downstream_parts`). Raises ValueError for an unknown style or
    class, or when a style is both in and out of distribution.
    """
    id_styles = (id_styles,) if isinstance(id_styles, str) else tuple(id_styles)
    if ood_styles is None:
        ood_styles = tuple(style for style in data.STYLES if style not in id_styles)
    ood_styles = (ood_styles,) if isinstance(ood_styles, str) else tuple(ood_styles)
    check_choice("id_styles", id_styles, data.STYLES)
    if ood_styles:
        check_choice("ood_styles", ood_styles, data.STYLES)
    if set(id_styles) & set(ood_styles):
        raise refused("ood_styles", ood_styles, f"none of id_styles, {id_styles}")
    names, parts = _checked_classes(classes), downstream_parts(split)
    emoji = data.load(id_styles, parts=DOWNSTREAM, size=size)
    seen = {part: _labelled(emoji.of(positions), names) for part, positions in parts.items()}
    ood = {
        style: _labelled(data.load(style, parts=DOWNSTREAM, size=size).of(parts["test"]), names)
        for style in ood_styles
    }
    return Task(f"style: {', '.join(id_styles)}", names, **seen, ood=ood)


def subpopulation_shift(
    styles: Sequence[str] = ("twemoji",),
    *,
    classes: Sequence[str] | None = None,
    size: int = 32,
    split: int | None = None,
) -> Task:
    """Learn classes from some of their subgroups, be tested on the others (BREEDS, Santurkar 2021).

    Say, animals from mammals, then birds and fish. The OOD test holds all downstream concepts of
    the "target" subgroups, none of which is trained on; classes with one population are left out.
    """
    there = {(c.label, c.population) for c in data.concepts()}
    names = _checked_classes(classes)
    names = tuple(c for c in names if {(c, "source"), (c, "target")} <= there)
    if not names:
        raise refused("classes", classes, "some with subgroups of both populations")
    emoji = data.load(styles, parts=DOWNSTREAM, size=size)
    source = emoji.of([c.position for c in data.concepts() if c.population == "source"])
    target = _labelled(emoji.of(list(other_subgroups())), names)
    parts = downstream_parts(split)
    seen = {part: _labelled(source.of(positions), names) for part, positions in parts.items()}
    return Task("sub-population", names, **seen, ood={"other subgroups": target})


def who_drew_it(
    classes: Sequence[str] | None = None,
    ood_classes: Sequence[str] | None = None,
    *,
    split: int | None = None,
) -> Task:
    """Tell the ten styles apart: on concepts of some classes, then on those of others (OOD).

    CLIP's features are not made for this: the ten drawings of a concept share one caption, so that
    pretraining taught the encoder to ignore who drew it.

    `classes` are the first six unless given (living things and food), `ood_classes` all others
    (things). `split` divides the downstream concepts anew (`labkit.tasks.downstream_parts`). Raises
    ValueError for an unknown class, or one on both sides.
    """
    names = data.class_names()
    seen = tuple(names[:6]) if classes is None else tuple(classes)
    other = tuple(n for n in names if n not in seen) if ood_classes is None else tuple(ood_classes)
    check_choice("classes", seen, names)
    check_choice("ood_classes", other, names)
    if set(seen) & set(other):
        raise refused("ood_classes", other, f"none of classes, {seen}")
    emoji, parts = data.load(parts=DOWNSTREAM), downstream_parts(split)

    def examples(part: str, chosen: Sequence[str]) -> Examples:
        own = emoji.of([i for i in parts[part] if data.concepts()[i].label in chosen])
        return Examples(own.images, own.style)

    inside = {part: examples(part, seen) for part in DOWNSTREAM}
    ood = {"other things": examples("test", other)}
    return Task("who drew it", data.STYLES, **inside, ood=ood)


def toy(seed: int = 0, ood: dict[str, Examples] | None = None, size: int = 4) -> Task:
    """Three colours in noise, 30 images in each part: for checks and tests that answer at once."""

    def examples(seed: int) -> Examples:
        generator = Generator().manual_seed(seed)
        labels = torch.arange(30) % 3
        images = torch.randint(0, 120, (30, 3, size, size), generator=generator)
        images[torch.arange(30), labels] += 60
        return Examples(images.byte(), labels)

    parts = map(examples, range(3 * seed, 3 * seed + 3))
    return Task("colours", ("red", "green", "blue"), *parts, ood=ood or {})


def downstream_parts(split: int | None = None) -> dict[str, list[int]]:
    """The concepts of the train, validation and test part: part -> positions.

    None gives the parts of splits.csv. A number seeds another draw of the same downstream concepts
    with the same count per class and part, for intervals that include the luck of the split; what
    was upstream stays upstream.
    """
    concepts = [c for c in data.concepts() if c.part in DOWNSTREAM]
    if split is None:
        return {p: [c.position for c in concepts if c.part == p] for p in DOWNSTREAM}
    generator = Generator().manual_seed(split)
    found: dict[str, list[int]] = {part: [] for part in DOWNSTREAM}
    for name in data.class_names():
        members = [c for c in concepts if c.label == name]
        order = torch.randperm(len(members), generator=generator).tolist()
        for place, member in zip(order, members, strict=True):
            found[member.part].append(members[place].position)
    return {part: sorted(positions) for part, positions in found.items()}


@cache
def test_concepts(split: int | None = None) -> frozenset[int]:
    """Positions of the concepts that `downstream_parts` tests on: two seeds have some in common."""
    return frozenset(downstream_parts(split)["test"])


@cache
def other_subgroups() -> frozenset[int]:
    """Positions of the concepts that `subpopulation_shift` tests OOD: the same for every split."""
    downstream = (c for c in data.concepts() if c.part in DOWNSTREAM)
    return frozenset(c.position for c in downstream if c.population == "target")


def few_shot(task: Task, shots: int | None, generator: Generator) -> Task:
    """Keep `shots` random training examples of each class (all of a smaller class; None: all)."""
    if shots is None:
        return task
    whole("shots", shots, 1)
    train = checked("task.train", task.train, len(task.classes))
    order = torch.randperm(len(train.labels), generator=generator)
    labels = train.labels[order]
    rank = torch.stack([(labels == c).cumsum(0) for c in range(len(task.classes))])  # (classes, n)
    kept = order[rank.gather(0, labels[None])[0] <= shots]
    return replace(task, train=train.at(kept))


class Episode(NamedTuple):
    """An N-way K-shot task D_i^s: learn N concepts from K examples each, answer the queries.

    Labels run from 0 to ways - 1 and number the rows of `concepts`.
    """

    support: Examples  # ways * shots images
    query: Examples  # ways * queries images
    concepts: Tensor  # (ways,) positions of the concepts


def sample_episode(
    emoji: data.Emoji,
    ways: int,
    shots: int,
    queries: int,
    generator: Generator,
    support_styles: Sequence[str] = data.STYLES,
    query_styles: Sequence[str] = data.STYLES,
) -> Episode:
    """Draw an episode in which a concept is a class and its styles are the examples.

    Every concept with enough drawings is as likely as any other. Support and query never share an
    image. With separate style lists the episode crosses styles.
    Raises ValueError when fewer than `ways` concepts have enough drawings, or for unknown styles.
    """
    for name, value in (("ways", ways), ("shots", shots), ("queries", queries)):
        whole(name, value, 1)
    check_choice("support_styles", support_styles, data.STYLES)
    check_choice("query_styles", query_styles, data.STYLES)
    rows: dict[int, tuple[list[int], list[int]]] = {}
    concepts, styles = emoji.concept.unique(), (support_styles, query_styles)
    for concept in concepts[torch.randperm(len(concepts), generator=generator)].tolist():
        if len(rows) < ways:
            drawn = _split_styles(emoji, concept, shots, queries, styles, generator)
            if drawn is not None:
                rows[concept] = drawn
    if len(rows) < ways:
        raise ValueError(
            f"ways: got {ways}, but only {len(rows)} concepts have {shots} drawings in "
            f"support_styles and {queries} others in query_styles"
        )
    support, query = (torch.tensor([r[side] for r in rows.values()]) for side in (0, 1))
    return Episode(
        Examples(emoji.images[support.flatten()], torch.arange(ways).repeat_interleave(shots)),
        Examples(emoji.images[query.flatten()], torch.arange(ways).repeat_interleave(queries)),
        torch.tensor(list(rows)),
    )


def _split_styles(emoji, concept, shots, queries, styles, generator):
    """Rows of one concept for support and query, disjoint; None when there are too few."""
    rows = (emoji.concept == concept).nonzero()[:, 0]
    rows = rows[torch.randperm(len(rows), generator=generator)].tolist()
    style = {row: data.STYLES[emoji.style[row]] for row in rows}
    able, asked = ([row for row in rows if style[row] in chosen] for chosen in styles)
    # Rows only the support may use come first, so that shared styles are left for the queries.
    support = sorted(able, key=lambda row: row in asked)[:shots]
    query = [row for row in asked if row not in support][:queries]
    return (support, query) if len(support) == shots and len(query) == queries else None


def _labelled(emoji: data.Emoji, names: Sequence[str]) -> Examples:
    labels = data.labels_of(emoji.concept, names)
    return Examples(emoji.images, labels).at(labels >= 0)


def _checked_classes(classes: Sequence[str] | None) -> tuple[str, ...]:
    names = data.class_names() if classes is None else tuple(classes)
    check_choice("classes", names, data.class_names(), once=True)
    return names
