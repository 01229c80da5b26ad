"""Watch fine-tuning move features: every test image's place in one plane, step by step.

The plane belongs to the *pretrained* features and never changes, so that whatever moves in it has
moved. Two dimensions hide most of a feature vector; `Frames.inside` says how much of the movement
the plane shows.
"""

from __future__ import annotations

import copy
from collections.abc import Generator as Computation
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, nn

from labkit import data, tasks, transfer
from labkit.inputs import above_0, at_least_0, check_choice, matrices, whole

CLASSES = ("face", "animal", "food and drink", "vehicle")  # four can be told apart at ten metres
HEADS = ("random", "zero", "linear probe")
SIDES = ("id", "ood")
METHODS_SHOWN = ("probe", "fine-tuning", "lp-ft", "wise-ft")
FRAMES = 13  # about as many are recorded of each training


@dataclass(frozen=True)
class ExplorerSetting:
    """What the explorer trains, and on what."""

    id_style: str = "twemoji"
    ood_style: str = "fluent-mono"  # may be the ID style: then both sides show the same images
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

    at: np.ndarray  # (f,) training steps; for WiSE-FT the share of the fine-tuned weights
    points: dict[str, np.ndarray]  # each (f, n, 2), in the plane
    regions: dict[str, np.ndarray]  # each (f, classes, 3): logits a x + b y + c at plane's points
    predicted: dict[str, np.ndarray]  # each (f, n), classes
    accuracy: dict[str, np.ndarray]  # each (f,)
    moved: dict[str, np.ndarray]  # each (f,), mean Euclidean distance from the pretrained feature
    inside: np.ndarray  # (f,) share of the squared movement that the plane shows


class Scene(NamedTuple):
    """Everything the explorer draws."""

    setting: ExplorerSetting
    labels: dict[str, np.ndarray]  # each (n,)
    names: dict[str, list[str]]
    concepts: dict[str, list[int]]  # positions; the same emoji on both sides has the same
    images: dict[str, np.ndarray]  # each (n, 3, 64, 64) uint8
    frames: dict[str, Frames]  # by method


Share = tuple[float, str]  # how much is done, and what is going on


def record(
    encoder: nn.Module, setting: ExplorerSetting, before: Scene | None = None
) -> Computation[Share, None, Scene]:
    """Train FT and LP-FT, interpolate WiSE-FT, and record them all; yields progress between steps.

    `before` is an earlier scene, of which everything that `setting` leaves alone is used again.
    """
    trial, frames = Trial(encoder, setting), reusable(before, setting)
    frames["probe"] = trial.frames({0: trial.probe.model})
    if "fine-tuning" not in frames:
        frames["fine-tuning"], _ = yield from trial.train("fine-tuning", 0)
    if "lp-ft" not in frames:
        frames["lp-ft"], end = yield from trial.train("lp-ft", 1)
        yield 0.95, "WiSE-FT: averaging weights"
        shares = np.linspace(0, 1, 11).round(1).tolist()
        averages = {a: transfer.interpolate(trial.probe.model, end, a) for a in shares}
        frames["wise-ft"] = trial.frames(averages)
    return trial.scene({method: frames[method] for method in METHODS_SHOWN})


def finish(computation: Computation[Share, None, Scene], progress=None) -> Scene:
    """Run a `record` to its end."""
    while True:
        try:
            done, text = next(computation)
        except StopIteration as end:
            return end.value
        if progress is not None:
            progress(done, text)


def reusable(before: Scene | None, setting: ExplorerSetting) -> dict[str, Frames]:
    """The frames of an earlier scene that would come out the same."""

    def same(*names: str) -> bool:
        return all(getattr(before.setting, n) == getattr(setting, n) for n in names)

    if before is None or not same("id_style", "ood_style", "shots", "steps", "seed"):
        return {}
    kept = dict(before.frames)
    if not same("ft_lr", "head", "head_scale"):
        del kept["fine-tuning"]
    if not same("lp_ft_lr"):
        del kept["lp-ft"], kept["wise-ft"]
    return kept


class Trial:
    """The task, the test images and the plane that all methods of one setting share."""

    def __init__(self, encoder: nn.Module, setting: ExplorerSetting) -> None:
        self.encoder, self.setting = encoder, setting
        draw = Generator().manual_seed(setting.seed)
        task = tasks.style_shift((setting.id_style,), (), classes=CLASSES)
        self.task = tasks.few_shot(task, setting.shots, draw)
        self.emoji = {s: _test_emoji(getattr(setting, f"{s}_style")) for s in SIDES}  # to be shown
        self.images = {side: data.half_size(emoji.images) for side, emoji in self.emoji.items()}
        self.labels = {side: _labels(emoji) for side, emoji in self.emoji.items()}
        self.probe = transfer.linear_probe(encoder, self.task)
        self.start = {s: transfer.features(encoder, x).numpy() for s, x in self.images.items()}
        train = self.task.train
        x = transfer.features(encoder, train.images).numpy()
        self.plane = class_plane(x, train.labels.numpy())

    def first(self, method: str) -> transfer.Classifier:
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

    def train(
        self, method: str, before: int
    ) -> Computation[Share, None, tuple[Frames, transfer.Classifier]]:
        """Train one method, `before` others being done; returns its frames and last network."""
        setting, model, found = self.setting, self.first(method), {}
        lr = setting.lp_ft_lr if method == "lp-ft" else setting.ft_lr
        schedule = transfer.Schedule(setting.steps, freeze_norm=method == "lp-ft")
        generator = Generator().manual_seed(setting.seed)
        wanted = set(np.linspace(0, setting.steps, min(FRAMES, setting.steps + 1)).round().tolist())
        for step in transfer.train(model, self.task, lr, generator, schedule):
            if step in wanted:
                found[step] = self.frame(model)
            done = (before + step / setting.steps) / 2.2  # the rest is WiSE-FT's
            yield done, f"{method}: step {step} of {setting.steps}"
        return gather(found), model

    def frames(self, models: dict[float, transfer.Classifier]) -> Frames:
        return gather({at: self.frame(model) for at, model in models.items()})

    def frame(self, model: transfer.Classifier) -> dict[str, dict[str, Any]]:
        """What one network makes of the test images, side by side."""
        weight, bias = (x.detach().numpy() for x in model.head.parameters())
        origin, axes = self.plane
        found = {}
        for side, images in self.images.items():
            x = transfer.features(model.encoder, images).numpy()  # (n, dim)
            moved = x - self.start[side]
            points = (x - origin) @ axes.T  # (n, 2)
            # The head is drawn on the slice of feature space that runs through the images' mean.
            centre = x.mean(axis=0) - points.mean(axis=0) @ axes
            predicted = (x @ weight.T + bias).argmax(axis=1)
            found[side] = {
                "points": points,
                "regions": np.column_stack([weight @ axes.T, weight @ centre + bias]),
                "predicted": predicted,
                "accuracy": (predicted == self.labels[side]).mean(),
                "moved": np.linalg.norm(moved, axis=1).mean(),
                "squared": np.array([np.square(moved @ axes.T).sum(), np.square(moved).sum()]),
            }
        return found

    def scene(self, frames: dict[str, Frames]) -> Scene:
        concepts = {side: emoji.concept.tolist() for side, emoji in self.emoji.items()}
        names = {side: [data.concepts()[i].name for i in c] for side, c in concepts.items()}
        images = {side: emoji.images.numpy() for side, emoji in self.emoji.items()}
        return Scene(self.setting, self.labels, names, concepts, images, frames)


def gather(found: dict[float, dict]) -> Frames:
    """Stack single frames, by their step or share."""

    def stack(what: str) -> dict[str, np.ndarray]:
        return {side: np.stack([frame[side][what] for frame in found.values()]) for side in SIDES}

    shown, total = sum(stack("squared").values()).T  # (f,) each
    inside = np.divide(shown, total, out=np.ones_like(shown), where=total > 0)
    stacks = map(stack, ("points", "regions", "predicted", "accuracy", "moved"))
    return Frames(np.array(list(found), dtype=float), *stacks, inside)


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
