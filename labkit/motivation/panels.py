"""Notebook 01: neighbours before and after pretraining, and a task of one's own choice."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch

from labkit import augment, data, encoders, evaluate, tasks, transfer
from labkit.figures import draw_history
from labkit.looks import LOOKS
from labkit.motivation.figures import draw_neighbours
from labkit.ui.controls import Chips, Dice, menu
from labkit.ui.images import url
from labkit.ui.panel import Panel, panel
from labkit.ui.steps import Step, finish

# ------------------------------------------------ neighbours before and after pretraining

NEIGHBOURS = 7


class Neighbours(NamedTuple):
    """The nearest other concepts to one image, by random and by pretrained features."""

    query: np.ndarray  # (3, 64, 64) uint8
    name: str
    label: str
    images: dict[str, np.ndarray]  # "random" | "pretrained" -> (NEIGHBOURS, 3, 64, 64)
    names: dict[str, list[str]]
    same_class: dict[str, list[bool]]


class Gallery(NamedTuple):
    """All downstream test images with both networks' features."""

    emoji: data.Emoji  # at 64 px
    labels: torch.Tensor
    features: dict[str, torch.Tensor]  # each (n, dim)


def make_gallery(encoder: torch.nn.Module, seed: int = 0) -> Gallery:
    """Embed the test images twice: with `encoder`, and with the same network untrained."""
    emoji = data.load(parts="test", size=64)
    small = data.half_size(emoji.images)
    random = transfer.reinitialised(encoder, torch.Generator().manual_seed(seed))
    networks = {"random": random, "pretrained": encoder}
    features = {name: transfer.features(network, small) for name, network in networks.items()}
    return Gallery(emoji, data.labels_of(emoji.concept), features)


def compute_neighbours(
    gallery: Gallery, emoji: int, style: str, other_concepts_only: bool = True
) -> Neighbours:
    """Look up the neighbours of concept `emoji` drawn in `style` (or in its first style).

    `other_concepts_only` leaves out the same concept in other styles: is what remains of its kind?
    """
    row = gallery.emoji.row_of(emoji, style)
    keep = torch.ones(len(gallery.labels), dtype=torch.bool)
    keep[gallery.emoji.concept == emoji if other_concepts_only else row] = False
    candidates = keep.nonzero()[:, 0]
    images, names, same = {}, {}, {}
    for network, features in gallery.features.items():
        order = evaluate.nearest(features[row][None], features[candidates], len(candidates))[0]
        order = candidates[order]
        # The first of every concept: seven styles of a camel say less than seven animals.
        _, first = np.unique(gallery.emoji.concept[order], return_index=True)
        near = order[np.sort(first)[:NEIGHBOURS]]
        images[network] = gallery.emoji.images[near].numpy()
        names[network] = [data.concepts()[i].name for i in gallery.emoji.concept[near].tolist()]
        same[network] = (gallery.labels[near] == gallery.labels[row]).tolist()
    concept = data.concepts()[emoji]
    return Neighbours(
        gallery.emoji.images[row].numpy(), concept.name, concept.label, images, names, same
    )


def describe_neighbours(result: Neighbours) -> str:
    """What a frame means, and the names; a tick marks a neighbour of the query's class."""

    def row(network: str) -> str:
        same, names = result.same_class[network], result.names[network]
        return ", ".join(name + " ✓" * own for name, own in zip(names, same, strict=True))

    return (
        f"A frame means the same class as {result.name}: {result.label}. Nearest by random "
        f"features: {row('random')}. By pretrained features: {row('pretrained')}."
    )


def neighbours() -> Panel:
    """What lies near an unseen emoji, before and after pretraining."""
    gallery = make_gallery(encoders.load("clip-conv").image)
    shown = {f"{c.name} ({c.label})": c.position for c in data.concepts() if c.part == "test"}
    return panel(
        partial(compute_neighbours, gallery),
        draw_neighbours,
        describe_neighbours,
        size=(9, 2.9),  # as wide as a panel, so that no pixel is drawn to be scaled away
        rows=2,
        title="What lies near an emoji the encoder has never seen?",
        emoji=menu("Emoji", shown, shown["fox (animal)"]),
        style=list(data.STYLES),
        other_concepts_only=ipywidgets.Checkbox(True, description="Other concepts only"),
    )


# ------------------------------------------------ learn a task of one's own choice

LIVE_RATES = {"fine-tuning": 0.01, "scratch": 0.03}  # what the sweep chose most often
LIVE_STEPS = 40


class Learned(NamedTuple):
    """The learning curves of the chosen methods on one small task."""

    histories: dict[str, tuple[transfer.Moment, ...]]
    classes: tuple[str, ...]
    shots: int
    style: str
    ood_style: str
    chance: float


def learning(
    encoder: torch.nn.Module, classes: Sequence[str], shots: int, style: str, ood_style: str,
    methods: Sequence[str], seed: int,
) -> Iterator[Step]:  # fmt: skip
    """Train the methods side by side on the same `shots` images per class, step by step.

    Raises ValueError for one class.
    """
    if len(classes) < 2:
        raise ValueError(f"classes: got {len(classes)}, choose two or more")
    if not methods:
        raise ValueError("methods: got none, choose one or more")
    if style == ood_style:
        raise ValueError(f"then try in: got {ood_style} for both, choose a style not the first")
    task = tasks.style_shift((style,), (ood_style,), classes=classes)
    task = tasks.few_shot(task, shots, torch.Generator().manual_seed(seed))
    result = Learned({}, task.classes, shots, style, ood_style, task.chance)
    trainings = {method: histories(encoder, task, method, seed) for method in methods}
    found = {}
    for step in range(LIVE_STEPS + 1):
        for method in sorted(methods, key=lambda method: method == "probe"):  # it takes longest
            new = next(trainings[method], None)
            if new and new != found.get(method):
                found[method] = new
                known = {name: found[name] for name in methods if name in found}
                result = result._replace(histories=known)
            yield Step(step / LIVE_STEPS, f"step {step} of {LIVE_STEPS}", result)


def histories(encoder, task: tasks.Task, method: str, seed: int) -> Iterator[tuple]:
    """One method's history after each step; a probe's has a single moment."""
    if method == "probe":
        yield (transfer.moment(0, transfer.linear_probe(encoder, task).model, task),)
        return
    generator = torch.Generator().manual_seed(seed)
    start = transfer.reinitialised(encoder, generator) if method == "scratch" else encoder
    model = transfer.new_classifier(start, len(task.classes), generator)
    schedule = transfer.Schedule(LIVE_STEPS, augmentation=augment.CLIP, record_every=5)
    steps = transfer.follow(model, task, LIVE_RATES[method], generator, schedule)
    yield from (history for _, history in steps)


def compute_learned(*args, progress=None, **kwargs) -> Learned:
    """The end of `learning`, of the same arguments."""
    return finish(learning(*args, **kwargs), progress)


def draw_learned(ax, result: Learned) -> None:
    final = {method: history[-1].id for method, history in result.histories.items()}
    best = max(final, key=final.get)
    title = f"{result.shots} labels per class: {LOOKS[best].name} reaches {final[best]:.0%}"
    draw_history(ax, result.histories, result.chance, title, steps=LIVE_STEPS)


def describe_learned(result: Learned) -> str:
    parts = [
        f"{LOOKS[method].name} {history[-1].id:.0%} in {result.style}, "
        f"{history[-1].ood[result.ood_style]:.0%} in {result.ood_style}"
        for method, history in result.histories.items()
    ]
    return (
        f"Test accuracy on {len(result.classes)} classes, dashed in the second style. "
        f"{'; '.join(parts)}. Always guessing the largest class gives {result.chance:.0%}."
    )


STANDS_FOR = (
    "grinning face", "waving hand", "fox", "tulip", "red apple", "croissant", "bus", "house",
    "t-shirt", "violin", "soccer ball", "crescent moon",
)  # fmt: skip


def class_pictures() -> list[str]:
    """A picture of each class, in their order, as URLs."""
    places = {c.label: c.position for c in data.concepts() if c.name in STANDS_FOR}
    sheet = data.read_sheet("noto", 64)
    return [url(sheet[places[name]]) for name in data.class_names()]


def own_task() -> Panel:
    """Choose classes, labels, styles and methods; train them live."""
    encoder = encoders.load("clip-conv").image
    names = {LOOKS[key].name: key for key in ("scratch", "probe", "fine-tuning")}

    def compute(classes, shots, style, ood_style, methods, seed) -> Iterator[Step]:
        # Every setting of the controls is a task: one class is told from all others, and a second
        # style equal to the first is replaced by another (the picture's text names the one used).
        classes = classes if len(classes) > 1 else data.class_names()
        if style == ood_style:
            ood_style = next(s for s in data.MONO_STYLES if s != style)
        methods = [names[method] for method in methods or names]
        return learning(encoder, classes, shots, style, ood_style, methods, seed)

    return panel(
        compute,
        draw_learned,
        describe_learned,
        button="Train",
        title="Teach it a task of your own",
        classes=Chips(
            options=data.class_names(), value=("animal", "plant", "vehicle", "clothing"),
            pictures=class_pictures(), description="Classes",
        ),
        methods=Chips(options=tuple(names), value=tuple(names), description="Methods"),
        shots=ipywidgets.IntSlider(5, 1, 20, description="Labels each"),
        style=menu("Learn in", data.STYLES),
        ood_style=menu("Then try in", data.STYLES, "fluent-mono"),
        seed=Dice(max=9, description="Another seed"),
    )  # fmt: skip
