"""Watch fine-tuning move features: every test image's place in one plane, step by step.

The plane belongs to the *pretrained* features and never changes, so that whatever moves in it has
moved. Two dimensions hide most of a feature vector; `Frames.inside` says how much of the movement
the plane shows.
"""

from __future__ import annotations

import copy
from collections.abc import Generator as Computation
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, nn

from labkit import data, tasks, transfer
from labkit.inputs import above_0, at_least_0, check_choice, matrices, whole

CLASSES = ("face", "animal", "food and drink", "vehicle")  # four can be told apart at ten metres
HEADS = ("random", "zero", "linear probe")
SIDES = ("id", "ood")
FRAMES = 13  # about as many are recorded of each training


@dataclass(frozen=True)
class Setting:
    """What the explorer trains, and on what."""

    id_style: str = "twemoji"
    ood_style: str = "fluent-mono"
    shots: int = 20  # labelled images per class
    ft_lr: float = 0.01
    head: str = "random"  # what fine-tuning starts from
    head_scale: float = 1.0
    lp_ft_lr: float = 0.0003
    steps: int = 40
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("id_style", (self.id_style,), data.STYLES)
        check_choice("ood_style", (self.ood_style,), data.STYLES)
        check_choice("head", (self.head,), HEADS)
        for name in ("ft_lr", "lp_ft_lr"):
            above_0(name, getattr(self, name))
        for name in ("shots", "steps"):
            whole(name, getattr(self, name), 1)
        at_least_0("head_scale", self.head_scale)


class Plane(NamedTuple):
    """Two directions of the pretrained feature space: x -> axes (x - origin)."""

    origin: np.ndarray  # (dim,)
    axes: np.ndarray  # (2, dim), orthonormal


class Frames(NamedTuple):
    """One method's networks, one after the other; "id" and "ood" are the two sets of images."""

    method: str  # a key of plots.METHODS
    at: np.ndarray  # (f,) training steps; for WiSE-FT the share of the fine-tuned weights
    points: dict[str, np.ndarray]  # each (f, n, 2), in the plane
    regions: dict[str, np.ndarray]  # each (f, classes, 3): logits a x + b y + c at plane's points
    predicted: dict[str, np.ndarray]  # each (f, n), classes
    accuracy: dict[str, np.ndarray]  # each (f,)
    moved: dict[str, np.ndarray]  # each (f,), mean Euclidean distance from the pretrained feature
    inside: np.ndarray  # (f,) share of the squared movement that the plane shows


class Scene(NamedTuple):
    """Everything the explorer draws."""

    setting: Setting
    classes: tuple[str, ...]
    labels: dict[str, np.ndarray]  # each (n,)
    names: dict[str, list[str]]
    concepts: dict[str, list[int]]  # positions; the same emoji on both sides has the same
    images: dict[str, np.ndarray]  # each (n, 3, 64, 64) uint8
    frames: dict[str, Frames]


Share = tuple[float, str]  # how much is done, and what is going on


def record(
    encoder: nn.Module, setting: Setting, before: Scene | None = None
) -> Computation[Share, None, Scene]:
    """Train FT and LP-FT, interpolate WiSE-FT, and record them all; yields progress between steps.

    `before` is an earlier scene, of which everything that `setting` leaves alone is used again. The
    OOD style may equal the ID style: then both sides show the same images.
    """
    stage = Stage(encoder, setting)
    kept = reusable(before, setting)
    frames = {"probe": stage.frames("probe", {0: stage.probe.model})}
    for number, method in enumerate(("fine-tuning", "lp-ft")):
        if method in kept:
            frames[method] = kept[method]
            continue
        for done, text in (recording := Recording(stage, method)):
            yield (number + done) / 2.2, text
        frames[method] = recording.frames
        if method == "lp-ft":
            yield 0.95, "WiSE-FT: averaging weights"
            frames["wise-ft"] = stage.average(recording.model)
    if "wise-ft" not in frames:
        frames["wise-ft"] = kept["wise-ft"]
    order = ("probe", "fine-tuning", "lp-ft", "wise-ft")
    return stage.scene({method: frames[method] for method in order})


def finish(computation: Computation[Share, None, Scene], progress=None) -> Scene:
    """Run a `record` to its end."""
    while True:
        try:
            done, text = next(computation)
        except StopIteration as end:
            return end.value
        if progress is not None:
            progress(done, text)


def reusable(before: Scene | None, setting: Setting) -> dict[str, Frames]:
    """The frames of an earlier scene that would come out the same."""
    if before is None:
        return {}
    old, kept = before.setting, dict(before.frames)
    shared = ("id_style", "ood_style", "shots", "steps", "seed")
    if any(getattr(old, name) != getattr(setting, name) for name in shared):
        return {}
    if (old.ft_lr, old.head, old.head_scale) != (setting.ft_lr, setting.head, setting.head_scale):
        del kept["fine-tuning"]
    if old.lp_ft_lr != setting.lp_ft_lr:
        del kept["lp-ft"], kept["wise-ft"]
    return kept


class Stage:
    """The task, the test images and the plane that all methods share."""

    def __init__(self, encoder: nn.Module, setting: Setting) -> None:
        self.encoder, self.setting = encoder, setting
        draw = Generator().manual_seed(setting.seed)
        task = tasks.style_shift((setting.id_style,), (), classes=CLASSES)
        self.task = tasks.few_shot(task, setting.shots, draw)
        self.emoji = {
            side: _test_emoji(getattr(setting, f"{side}_style")) for side in SIDES
        }  # at 64 px, to be shown
        self.images = {side: data.half_size(emoji.images) for side, emoji in self.emoji.items()}
        self.labels = {side: _labels(emoji) for side, emoji in self.emoji.items()}
        self.probe = transfer.linear_probe(encoder, self.task)
        self.start = {s: transfer.features(encoder, x).numpy() for s, x in self.images.items()}
        self.plane = class_plane(
            transfer.features(encoder, self.task.train.images).numpy(),
            self.task.train.labels.numpy(),
        )

    def model(self, method: str) -> transfer.Classifier:
        """The network that a method starts from."""
        if method == "lp-ft":
            return copy.deepcopy(self.probe.model)
        generator = Generator().manual_seed(self.setting.seed)
        model = transfer.new_classifier(self.encoder, len(CLASSES), generator)
        if self.setting.head == "linear probe":
            model.head.load_state_dict(self.probe.model.head.state_dict())
        scale = 0.0 if self.setting.head == "zero" else self.setting.head_scale
        with torch.no_grad():
            for parameter in model.head.parameters():
                parameter *= scale
        return model

    def frame(self, model: transfer.Classifier) -> dict[str, dict[str, np.ndarray]]:
        """What one network makes of the test images."""
        found: dict[str, dict[str, np.ndarray]] = {"inside": {}}
        weight, bias = (x.detach().numpy() for x in model.head.parameters())
        shown = total = 0.0
        for side, images in self.images.items():
            x = transfer.features(model.encoder, images).numpy()  # (n, dim)
            moved = x - self.start[side]
            points = (x - self.plane.origin) @ self.plane.axes.T  # (n, 2)
            # The head is drawn on the slice of feature space that runs through the images' mean.
            centre = x.mean(axis=0) - points.mean(axis=0) @ self.plane.axes
            predicted = (x @ weight.T + bias).argmax(axis=1)
            found[side] = {
                "points": points,
                "regions": np.column_stack([weight @ self.plane.axes.T, weight @ centre + bias]),
                "predicted": predicted,
                "accuracy": (predicted == self.labels[side]).mean(),
                "moved": np.linalg.norm(moved, axis=1).mean(),
            }
            shown += np.square(moved @ self.plane.axes.T).sum()
            total += np.square(moved).sum()
        found["inside"] = shown / total if total else 1.0
        return found

    def frames(self, method: str, models: dict[float, transfer.Classifier]) -> Frames:
        return gather(method, {at: self.frame(model) for at, model in models.items()})

    def average(self, end: transfer.Classifier) -> Frames:
        """WiSE-FT between the probe and LP-FT's last network, for eleven shares of the latter."""
        shares = np.linspace(0, 1, 11).round(1).tolist()
        return self.frames(
            "wise-ft", {a: transfer.interpolate(self.probe.model, end, a) for a in shares}
        )

    def scene(self, frames: dict[str, Frames]) -> Scene:
        concepts = {side: emoji.concept.tolist() for side, emoji in self.emoji.items()}
        names = {side: [data.concepts()[i].name for i in c] for side, c in concepts.items()}
        images = {side: emoji.images.numpy() for side, emoji in self.emoji.items()}
        return Scene(self.setting, CLASSES, self.labels, names, concepts, images, frames)


class Recording:
    """Iterate to train: yields progress, and leaves `frames` and the trained `model` behind."""

    def __init__(self, stage: Stage, method: str) -> None:
        self.stage, self.method = stage, method
        self.model = stage.model(method)

    def __iter__(self) -> Computation[Share, None, None]:
        setting, stage = self.stage.setting, self.stage
        lr = setting.lp_ft_lr if self.method == "lp-ft" else setting.ft_lr
        schedule = transfer.Schedule(setting.steps, freeze_norm=self.method == "lp-ft")
        generator = Generator().manual_seed(setting.seed)
        wanted = set(np.linspace(0, setting.steps, min(FRAMES, setting.steps + 1)).round().tolist())
        found = {}
        for step in transfer.train(self.model, stage.task, lr, generator, schedule):
            if step in wanted:
                found[step] = stage.frame(self.model)
            yield step / setting.steps, f"{self.method}: step {step} of {setting.steps}"
        self.frames = gather(self.method, found)


def gather(method: str, found: dict[float, dict]) -> Frames:
    """Stack single frames."""

    def stack(what: str) -> dict[str, np.ndarray]:
        return {side: np.stack([frame[side][what] for frame in found.values()]) for side in SIDES}

    return Frames(
        method,
        np.array(list(found), dtype=float),
        *map(stack, ("points", "regions", "predicted", "accuracy", "moved")),
        np.array([frame["inside"] for frame in found.values()]),
    )


def class_plane(features: np.ndarray, labels: np.ndarray) -> Plane:
    """The plane in which the class means of features (n, dim) differ most; labels (n,).

    Principal directions of the means: of all planes, it shows most of the variance between classes.
    """
    matrices(features=features)  # or a ValueError
    if len(np.unique(labels)) < 2:
        raise ValueError("labels: got one class, accepted: two or more")
    means = np.stack([features[labels == c].mean(axis=0) for c in np.unique(labels)])
    origin = means.mean(axis=0)
    _, _, directions = np.linalg.svd(means - origin, full_matrices=False)
    axes = directions[:2]
    # The sign of a singular vector is arbitrary, and libraries differ: make the largest positive.
    largest = np.abs(axes).argmax(axis=1)
    return Plane(origin, axes * np.sign(axes[np.arange(2), largest])[:, None])


def _test_emoji(style: str) -> data.Emoji:
    emoji = data.load(style, parts="test", size=64)
    names = [data.concepts()[i].label for i in emoji.concept.tolist()]
    return emoji[torch.tensor([name in CLASSES for name in names])]


def _labels(emoji: data.Emoji) -> np.ndarray:
    return np.array([CLASSES.index(data.concepts()[i].label) for i in emoji.concept.tolist()])
