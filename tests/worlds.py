"""Worlds whose truth is known, to count how often intervals cover it.

A concept is a class's mean and an effect of its own, a drawing adds noise; classifiers are ridge
heads on such features (twelve classes of 30 concepts, in three styles). A world is a pool of
concepts; the truth is the mean over all worlds. Two methods: on the features as they are, and on
features that "fine-tuning" has moved at random, anew for each seed.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from labkit.statistics import Scores

CLASSES, DIM, STYLES, PER_CLASS = 12, 16, 3, 30
CENTRES = 0.75 * np.random.default_rng(2026).normal(size=(CLASSES, DIM))
Rng = np.random.Generator


def draw_concepts(rng: Rng, per_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Drawings (concepts, styles, dim), and the class of each concept (concepts,)."""
    label = np.repeat(np.arange(CLASSES), per_class)
    concept = CENTRES[label] + rng.normal(size=(len(label), DIM))
    return concept[:, None] + 0.6 * rng.normal(size=(len(label), STYLES, DIM)), label


def ridge(x: np.ndarray, label: np.ndarray, strength: float) -> np.ndarray:
    x = np.c_[x, np.ones(len(x))]
    return np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ np.eye(CLASSES)[label])


def right(head: np.ndarray, x: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The share of its drawings that is right, for each concept."""
    found = (x @ head[:-1] + head[-1]).argmax(axis=-1)
    return (found == label[:, None]).mean(axis=1)


def two_methods(rng: Rng, x, label, train, test) -> tuple[np.ndarray, np.ndarray]:
    """Hits by test concept; train: (concept, style) rows."""
    moved = np.eye(DIM) + 0.5 * rng.normal(size=(DIM, DIM)) / DIM**0.5
    heads = ridge(x[train], label[train[0]], 1.0), ridge(x[train] @ moved, label[train[0]], 30.0)
    here = x[test], x[test] @ moved
    return tuple(right(h, z, label[test]) for h, z in zip(heads, here, strict=True))


def splits(rng: Rng, n: int, hits: bool) -> tuple[Scores, Scores]:
    """One pool, divided anew n times: half to train, three tenths to test; by concept, or not."""
    x, label = draw_concepts(rng, PER_CLASS)
    found = np.full((2, n, len(label)), np.nan)
    for seed in range(n):
        order = np.argsort(rng.random((CLASSES, PER_CLASS)), axis=1)
        order += PER_CLASS * np.arange(CLASSES)[:, None]
        train, test = (order[:, a:b].ravel() for a, b in ((0, PER_CLASS // 2), (21, PER_CLASS)))
        rows = np.repeat(train, STYLES), np.tile(np.arange(STYLES), len(train))
        found[:, seed, test] = two_methods(rng, x, label, rows, test)
    shared = 0.3  # of a test: what any other one has too, on average
    return tuple(
        Scores(np.nanmean(y, axis=1), overlap=shared, by_concept=y if hits else None) for y in found
    )


def labels(rng: Rng, n: int) -> tuple[Scores, Scores]:
    """Fixed test concepts; a seed draws ten labelled drawings of each class."""
    x, label = draw_concepts(rng, PER_CLASS)
    found = []
    for _ in range(n):
        chosen = [rng.permutation(19 * STYLES)[:10] for _ in range(CLASSES)]
        train = np.concatenate([c // STYLES + k * PER_CLASS for k, c in enumerate(chosen)])
        rows = train, np.concatenate(chosen) % STYLES
        test = np.arange(len(label)) % PER_CLASS > 18
        found.append(two_methods(rng, x, label, rows, test))
    hits = [np.array(one) for one in zip(*found, strict=True)]
    return tuple(Scores(y.mean(axis=1), overlap=1.0, by_concept=y) for y in hits)


def episodes(rng: Rng, n: int, concepts: int = 135, ways: int = 5) -> tuple[Scores, Scores]:
    """n five-way one-shot episodes, by the nearest drawing: all features, or ten of them."""
    kinds = 0.8 * rng.normal(size=(concepts, 1, DIM))
    x = kinds + rng.normal(size=(concepts, 8, DIM))
    members = np.argsort(rng.random((n, concepts)), axis=1)[:, :ways]
    drawn = np.argsort(rng.random((n, ways, 8)), axis=2)[..., :3]
    shown = x[members[..., None], drawn]  # (n, ways, 3, dim): one to learn from, two to ask about
    found = []
    for used in (slice(0, DIM), slice(0, 10)):
        support, query = shown[:, :, 0, used], shown[:, :, 1:, used]
        distance = ((query[:, :, :, None] - support[:, None, None]) ** 2).sum(axis=-1)
        own = np.arange(ways)[:, None]
        found.append((distance.argmin(axis=-1) == own).mean(axis=(1, 2)))
    return tuple(Scores(values, members=members) for values in found)


class World(NamedTuple):
    draw: Callable[[Rng], tuple[Scores, Scores]]
    about: str


WORLDS = {
    f"{n} splits{', hits' * hits}": World(partial(splits, n=n, hits=hits), "one pool, divided anew")
    for hits in (False, True)
    for n in (5, 6, 10)
}
WORLDS |= {
    "5 draws": World(partial(labels, n=5), "fixed test concepts, labels drawn"),
    "600 episodes": World(partial(episodes, n=600), "five-way, 135 concepts"),
}


def coverage(name: str, count: int, seed: int = 0) -> dict[str, float]:
    """How often intervals hold the mean over all worlds: of an accuracy, and of a difference.

    before: Student's t over seeds or episodes, for the accuracy.
    """
    rng = np.random.default_rng(seed)
    drawn = [WORLDS[name].draw(rng) for _ in range(count)]
    kinds = {
        "before": [Scores(one.values, overlap=0) for one, _ in drawn],
        "accuracy": [one for one, _ in drawn],
        "difference": [two - one for one, two in drawn],
    }
    truth = {kind: np.mean([x.mean for x in found]) for kind, found in kinds.items()}
    return {k: float(np.mean([x.low <= truth[k] <= x.high for x in v])) for k, v in kinds.items()}
