"""Notebook 05's panels: damage images, count labels, switch an augmentation of pretraining off."""

from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import ipywidgets
import numpy as np
import pandas as pd
import torch

from labkit import data, encoders, evaluate, sweeps, tasks, transfer
from labkit.calibration import answers
from labkit.failure import figures, invariance
from labkit.failure.corruptions import AMOUNTS, corrupt
from labkit.failure.double_descent import NO_RIDGE, Embedded, draw_accuracies, embed
from labkit.inputs import refused
from labkit.statistics import mean_interval
from labkit.ui.controls import Dice, menu
from labkit.ui.panel import Panel, panel

# ------------------------------------------------ corruption, accuracy and confidence

SHOWN, WORST = 8, 5  # pictures; the largest severity


class Damage(NamedTuple):
    """A classifier on images damaged by one corruption, at every severity and at the chosen one."""

    kind: str
    severity: int
    temperature: float
    accuracy: np.ndarray  # (WORST + 1,)
    confidence: np.ndarray  # (WORST + 1,)
    images: np.ndarray  # (SHOWN, 3, 32, 32) uint8: mistakes at the chosen severity (where there
    # are none, all answers), the surest first
    said: list[str]  # the classes that they were taken for
    sure: np.ndarray  # (SHOWN,)


class Damaged(NamedTuple):
    """All damaged test images, and what the classifier says of them."""

    images: dict[str, torch.Tensor]  # kind -> (WORST + 1, n, 3, 32, 32) uint8
    logits: dict[str, np.ndarray]  # kind -> (WORST + 1, n, classes)
    labels: np.ndarray  # (n,)
    classes: tuple[str, ...]


def damage_all(
    model: torch.nn.Module, test: tasks.Examples, seed: int = 0, classes: Sequence[str] = ()
) -> Damaged:
    """Damage `test` by every corruption at every severity, in a random order of images.

    classes: what the model's outputs stand for, all twelve unless given. Raises ValueError for
    another number of them.
    """
    generator = torch.Generator().manual_seed(seed)
    classes = tuple(classes) or data.class_names()
    test = tasks.checked("test", test, len(classes))
    if (outputs := transfer.features(model, test.images[:1]).shape[1]) != len(classes):
        raise refused("classes", classes, f"as many as the model has outputs, {outputs}")
    test = test.at(torch.randperm(len(test.labels), generator=generator))
    images, logits = {}, {}
    for kind in AMOUNTS:
        found = [corrupt(test.images, kind, s, generator) for s in range(WORST + 1)]
        images[kind] = torch.stack(found)
        logits[kind] = torch.stack([transfer.features(model, part) for part in found]).numpy()
    return Damaged(images, logits, test.labels.numpy(), classes)


def compute_damage(
    damaged: Damaged, kind: str, severity: int, temperature: float, page: int
) -> Damage:
    """Page `page` of the mistakes, the surest first; accuracy and confidence are over all."""
    found = [answers(x, damaged.labels, temperature) for x in damaged.logits[kind]]
    right, sure = np.array([(x.right.mean(), x.confidence.mean()) for x in found]).T
    confidence = found[severity].confidence
    wrong = ~found[severity].right
    order = np.lexsort((-confidence, ~wrong))[: wrong.sum() or len(wrong)]
    rows = order[np.arange(SHOWN * page, SHOWN * (page + 1)) % len(order)]
    images = damaged.images[kind][severity][torch.from_numpy(rows)].numpy()
    said = [damaged.classes[x] for x in damaged.logits[kind][severity][rows].argmax(axis=1)]
    return Damage(kind, severity, temperature, right, sure, images, said, confidence[rows])


def describe_damage(result: Damage) -> str:
    right, sure = result.accuracy[result.severity], result.confidence[result.severity]
    surer = "surer than" if sure > right + 0.1 else "less sure than" if sure < right - 0.1 else ""
    mistakes = "mistakes" if right < 1 else "answers"
    return (
        f"{result.kind.capitalize()} at severity {result.severity}: the probe is "
        f"{surer or 'about as sure as'} it is right. It is right about {right:.0%} of the "
        f"images (undamaged: {result.accuracy[0]:.0%}) and {sure:.0%} sure on average, at "
        f"temperature {result.temperature:.2g}. Some of its surest {mistakes}: "
        f"{', '.join(f'{s} {p:.0%}' for s, p in zip(result.said, result.sure, strict=True))}."
    )


def damage(
    model: torch.nn.Module | None = None,
    test: tasks.Examples | None = None,
    classes: Sequence[str] = (),
) -> Panel:
    """Choose a corruption and its severity; see what is recognised, and how sure the probe is.

    model, test, classes: of a task of one's own (`damage_all`).
    """
    task = tasks.style_shift(("twemoji",), ())
    model = model or transfer.linear_probe(encoders.load("clip-conv").image, task).model
    damaged = damage_all(model, test or task.test, classes=classes)
    return panel(
        partial(compute_damage, damaged),
        figures.draw_damage,
        describe_damage,
        size=(9, 3.7),
        columns=2,
        title="Does it know that it does not know?",
        kind=menu("Corruption", [*AMOUNTS], "noise"),
        severity=ipywidgets.IntSlider(0, 0, WORST, description="Severity"),
        temperature=ipywidgets.FloatSlider(1, min=0.5, max=4, step=0.1, description="Temperature"),
        page=ipywidgets.IntSlider(0, 0, 6, description="Less sure mistakes"),
    )


# ------------------------------------------------ the number of labels

RIDGES = {
    "almost none (least squares)": NO_RIDGE,
    "a little (1)": 1.0,
    "about right (30)": 30.0,
    "too much (1000)": 1000.0,
}
DRAWS = 8
FEWEST = 12  # labels: one per class, with luck


class Labels(NamedTuple):
    """A ridge head on n labels, drawn several times, before the curve over all n."""

    n: int
    draws: np.ndarray  # (DRAWS,) test accuracies, fitted now
    counts: tuple[int, ...]
    curve: np.ndarray  # (3, counts): low, mean, high over other draws
    threshold: int  # labels that least squares can fit exactly
    chance: float


def label_counts(embedded: Embedded) -> tuple[int, ...]:
    """Numbers of labels, dense where least squares just fits them, up to all training images."""
    shares = (0.56, 0.75, 0.9, 1, 1.12, 1.32, 1.7, 2.3)
    near = [round(embedded.threshold * share) for share in shares]
    images = len(embedded.train)
    return tuple(sorted(n for n in {FEWEST, 24, 48, *near, images} if n <= images))


def label_curve(embedded: Embedded, strength: float, seed: int = 1) -> np.ndarray:
    """Mean and 95 % interval of the accuracy for every number of labels: (3, counts)."""
    scores = (
        draw_accuracies(embedded, n, strength, DRAWS, torch.Generator().manual_seed(seed))
        for n in label_counts(embedded)
    )
    # Other labels, the same test.
    return np.array([mean_interval(found, overlap=1) for found in scores]).T[[1, 0, 2]]


def compute_labels(
    embedded: Embedded, curve: np.ndarray, n: int, strength: float, seed: int
) -> Labels:
    """Fit the head on n random labels, `DRAWS` times."""
    generator = torch.Generator().manual_seed(seed)
    draws = draw_accuracies(embedded, n, strength, DRAWS, generator)
    chance = tasks.largest_share(embedded.test_labels)
    return Labels(n, draws, label_counts(embedded), curve, embedded.threshold, chance)


def describe_labels(result: Labels) -> str:
    best = result.counts[int(result.curve[1].argmax())]
    return (
        f"Each dot is one draw of {result.n} labels. The {len(result.draws)} give between "
        f"{result.draws.min():.0%} and {result.draws.max():.0%}, {result.draws.mean():.0%} on "
        f"average. The curve starts at {result.curve[1][0]:.0%}, is {result.curve[1].min():.0%} at "
        f"its lowest and best at {best} labels. Least squares can fit {result.threshold} labels "
        "exactly."
    )


def embed_label_task() -> dict[str, Embedded]:
    """Two flat styles, 450 training images, seen by a pretrained and by an untrained encoder."""
    task = tasks.style_shift(data.COLOUR_STYLES[:2], ())
    pretrained = encoders.load("clip-conv").image
    untrained = transfer.reinitialised(pretrained, torch.Generator().manual_seed(0))
    return {"pretrained": embed(pretrained, task), "untrained": embed(untrained, task)}


def labels(embedded: dict[str, Embedded] | None = None) -> Panel:
    """How many labels, how much ridge, which features: fitted at every move, eight times."""
    embedded = embedded or embed_label_task()
    settings = product(embedded, RIDGES.values())
    curves = {(name, ridge): label_curve(embedded[name], ridge) for name, ridge in settings}

    def compute(n: int, ridge: float, features: str, seed: int) -> Labels:
        return compute_labels(embedded[features], curves[features, ridge], n, ridge, seed)

    most = len(embedded["pretrained"].train)
    return panel(
        compute,
        figures.draw_labels,
        describe_labels,
        size=(9, 4.2),
        title="More labels are better. Are they?",
        n=ipywidgets.IntSlider(48, FEWEST, most, description="Labels in all"),
        ridge=RIDGES,
        features=[*embedded],
        seed=Dice(max=20),
    )


# ------------------------------------------------ what pretraining was told to ignore

NEAREST = 8


class Seen(NamedTuple):
    """What one encoder takes a trap for, and what its probe can read."""

    encoder: tuple[bool, bool]  # pretrained to ignore colour, flips
    query: np.ndarray  # (3, 64, 64) uint8
    name: str
    images: np.ndarray  # (NEAREST, 3, 64, 64), nearest first
    names: list[str]
    trait: str  # "colour" or "direction": what only one augmentation destroys
    same: list[bool]  # has the query's trait
    scores: pd.DataFrame  # of invariance.trap_scores
    chance: pd.Series  # of invariance.trap_chance


class TrapGallery(NamedTuple):
    """The traps in the colourful styles, seen by the four encoders."""

    emoji: data.Emoji  # at 64 px
    features: dict[tuple[bool, bool], torch.Tensor]  # each (n, dim)


def make_trap_gallery() -> TrapGallery:
    """Embed every trap by the four encoders."""
    emoji = data.load(invariance.TRAP_STYLES, parts="trap", size=64)
    small = data.half_size(emoji.images)
    networks = {key: encoders.load(name).image for key, name in invariance.WEIGHTS.items()}
    return TrapGallery(emoji, {k: transfer.features(x, small) for k, x in networks.items()})


def compute_seen(
    gallery: TrapGallery,
    scores: pd.DataFrame,
    chance: pd.Series,
    encoder: tuple[bool, bool],
    emoji: int,
    style: str,
) -> Seen:
    """The nearest other traps of the same kind and style (its first style, if not drawn in it)."""
    traps, drawn, features = data.traps(), gallery.emoji, gallery.features[encoder]
    trait, row = traps[emoji].kind, drawn.row_of(emoji, style)
    alike = torch.tensor([traps[place].kind == trait for place in drawn.concept.tolist()])
    alike &= drawn.style == drawn.style[row]
    alike[row] = False
    candidates = alike.nonzero()[:, 0]
    near = candidates[evaluate.nearest(features[row][None], features[candidates], NEAREST)[0]]
    places = drawn.concept[near].tolist()
    name, *names = (data.concepts()[place].name for place in (emoji, *places))
    own, *theirs = (getattr(traps[place], trait) for place in (emoji, *places))
    return Seen(
        encoder, drawn.images[row].numpy(), name, drawn.images[near].numpy(), names, trait,
        [other == own for other in theirs], scores, chance,
    )  # fmt: skip


def describe_seen(result: Seen) -> str:
    color, flip = result.encoder
    ignored = " and ".join(["colour"] * color + ["flips"] * flip) or "neither colour nor flips"
    found = zip(result.names, result.same, strict=True)
    names = ", ".join(name + " ✓" * own for name, own in found)
    scores = result.scores.xs(invariance.WEIGHTS[result.encoder], level=1)["mean"]
    read = ", ".join(f"{question} {share:.0%}" for question, share in scores.items())
    return (
        f"A frame means the same {result.trait} as {result.name}. Pretrained to ignore {ignored}, "
        f"the encoder finds nearest: {names}. A probe on it reads {read}."
    )


def invariances(table: pd.DataFrame | None = None) -> Panel:
    """Two switches of pretraining; the neighbours of a trap; what a probe can read."""
    table = sweeps.read("traps") if table is None else table
    gallery = make_trap_gallery()
    scores, chance = invariance.trap_scores(table), invariance.trap_chance(table)
    traps = [data.concepts()[place] for place in data.traps()]
    shown = {f"{concept.emoji} {concept.name}": concept.position for concept in traps}

    def compute(ignore_colour: bool, ignore_flips: bool, **which) -> Seen:
        return compute_seen(gallery, scores, chance, (ignore_colour, ignore_flips), **which)

    return panel(
        compute,
        figures.draw_seen,
        describe_seen,
        size=(9, 4),
        columns=2,
        title="What was the encoder told to ignore?",
        ignore_colour=ipywidgets.Checkbox(True, description="Colour augmentation"),
        ignore_flips=ipywidgets.Checkbox(True, description="Flips"),
        emoji=menu("Emoji", shown, shown["💚 green heart"]),
        style=[*invariance.TRAP_STYLES],
    )
