"""What fine-tuning does to features, recorded: every test image at every few steps of training.

`record` trains and remembers; `plane_of` says from where to look at it. `scene` makes of both what
the browser draws; `explorer` trains from there.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, nn

from labkit import data, tasks, transfer
from labkit.inputs import above_0, at_least_0, check_choice, matrices, refused, whole
from labkit.ui.steps import Step

CLASSES = ("face", "animal", "food and drink", "vehicle")  # four can be told apart at ten metres
HEADS = ("random", "zero", "linear probe")
SIDES = ("id", "ood")
METHODS_SHOWN = ("probe", "fine-tuning", "lp-ft", "wise-ft")
FRAMES = 16  # about as many are recorded of each training
SHOWN = 0.42  # of FT's squared movement, which the plane shows where any two axes can


@dataclass(frozen=True)
class ExplorerSetting:
    """What the explorer trains, and on what."""

    id_style: str = "fluent-flat"
    ood_style: str = "fluent-mono"  # may be the ID style: then both sides show the same images
    shots: int = 20  # labelled images per class
    ft_lr: float = 0.1  # the largest of the sweep's grid
    head: str = "random"  # what fine-tuning starts from
    head_scale: float = 1.0
    lp_ft_lr: float = 0.0003
    steps: int = 60
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


class Track(NamedTuple):
    """One method's networks, one after the other; "id" and "ood" are the two sets of images."""

    features: dict[str, np.ndarray]  # each (f, n, dim)
    predicted: dict[str, np.ndarray]  # each (f, n), classes

    def moved(self, side: str) -> np.ndarray:
        """Every image's way from its pretrained feature, (f, n, dim)."""
        return self.features[side] - self.features[side][0]


class Take(NamedTuple):
    """One setting, recorded; while it trains, tracks are shorter than `steps`."""

    setting: ExplorerSetting
    steps: np.ndarray  # (f,) training steps
    tracks: dict[str, Track]  # by method
    emoji: dict[str, data.Emoji]  # the test images, 64 pixels; every one is classified and shown
    labels: dict[str, np.ndarray]  # each (n,)
    train: tuple[np.ndarray, np.ndarray]  # pretrained features (m, dim) and labels (m,) of training

    def accuracy(self, method: str, side: str) -> np.ndarray:
        """The share that each network gets right, (f,)."""
        return (self.tracks[method].predicted[side] == self.labels[side]).mean(axis=1)


def record(
    encoder: nn.Module, setting: ExplorerSetting, before: Take | None = None
) -> Iterator[Step]:
    """Train FT and LP-FT side by side and record them; after every step, the take so far.

    WiSE-FT is, at each step, half the probe's weights and half of FT's (Wortsman et al. 2022).
    `before` is an earlier take, of which what `setting` leaves alone is used again.
    """
    trial = Trial(encoder, setting, reusable(before, setting))
    trainings = [trial.train(m) for m in ("fine-tuning", "lp-ft") if m not in trial.kept]
    for done, _ in enumerate(zip_longest(*trainings)):
        yield Step(done / setting.steps, "", trial.take())
    if not trainings:
        yield Step(1.0, "", trial.take())


def reusable(before: Take | None, setting: ExplorerSetting) -> dict[str, Track]:
    """The tracks of an earlier take that would come out the same."""

    def same(*names: str) -> bool:
        return all(getattr(before.setting, n) == getattr(setting, n) for n in names)

    if before is None or not same("id_style", "ood_style", "shots", "steps", "seed"):
        return {}
    kept = set(METHODS_SHOWN)
    if not same("ft_lr", "head", "head_scale"):
        kept -= {"fine-tuning", "wise-ft"}
    if not same("lp_ft_lr"):
        kept -= {"lp-ft"}
    return {method: track for method, track in before.tracks.items() if method in kept}


class Trial:
    """The task, the test images and the probe that all methods of one setting share."""

    def __init__(
        self, encoder: nn.Module, setting: ExplorerSetting, kept: Mapping[str, Track] = {}
    ) -> None:
        self.encoder, self.setting, self.kept = encoder, setting, kept
        draw = Generator().manual_seed(setting.seed)
        task = tasks.style_shift((setting.id_style,), (), classes=CLASSES)
        self.task = tasks.few_shot(task, setting.shots, draw)
        self.emoji = {s: unseen_emoji(getattr(setting, f"{s}_style")) for s in SIDES}
        self.images = {side: data.half_size(emoji.images) for side, emoji in self.emoji.items()}
        shown = self.emoji.items()
        self.labels = {side: data.labels_of(x.concept, CLASSES).numpy() for side, x in shown}
        self.probe = transfer.linear_probe(encoder, self.task).model
        frames = min(FRAMES, setting.steps + 1)
        self.steps = np.unique(np.linspace(0, setting.steps, frames).round().astype(int))
        self.found = {method: [] for method in METHODS_SHOWN if method not in kept}
        if "probe" in self.found:
            self.found["probe"] = [self.frame(self.probe)]
        x = transfer.features(encoder, self.task.train.images).numpy()
        self.examples = x, self.task.train.labels.numpy()

    def first(self, method: str) -> transfer.Classifier:
        """The network that a method starts from."""
        if method == "lp-ft":
            return copy.deepcopy(self.probe)
        generator = Generator().manual_seed(self.setting.seed)
        model = transfer.new_classifier(self.encoder, len(CLASSES), generator)
        if self.setting.head == "linear probe":
            model.head.load_state_dict(self.probe.head.state_dict())
        scale = 0.0 if self.setting.head == "zero" else self.setting.head_scale
        with torch.no_grad():
            for parameter in model.head.parameters():
                parameter *= scale
        return model

    def train(self, method: str) -> Iterator[int]:
        """Train one method and record it, yielding the steps done."""
        setting, model = self.setting, self.first(method)
        lr = setting.lp_ft_lr if method == "lp-ft" else setting.ft_lr
        schedule = transfer.Schedule(setting.steps, freeze_norm=method == "lp-ft", record_every=0)
        generator = Generator().manual_seed(setting.seed)
        for step in transfer.train(model, self.task, lr, generator, schedule):
            if step in self.steps:
                self.found[method].append(self.frame(model))
                if method == "fine-tuning":
                    half = transfer.interpolate(self.probe, model, 0.5)
                    self.found["wise-ft"].append(self.frame(half))
            yield step

    def frame(self, model: transfer.Classifier) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """What one network makes of the test images: features (n, dim) and classes (n,)."""
        found = {side: transfer.features(model.encoder, x) for side, x in self.images.items()}
        return {s: (x.numpy(), model.head(x).argmax(dim=1).numpy()) for s, x in found.items()}

    def take(self) -> Take:
        """What has been recorded up to now."""
        tracks = self.kept | {m: gather(frames) for m, frames in self.found.items() if frames}
        shown = {method: tracks[method] for method in METHODS_SHOWN if method in tracks}
        return Take(self.setting, self.steps, shown, self.emoji, self.labels, self.examples)


def gather(frames: list[dict[str, tuple[np.ndarray, np.ndarray]]]) -> Track:
    def stack(what: int) -> dict[str, np.ndarray]:
        return {side: np.stack([frame[side][what] for frame in frames]) for side in SIDES}

    return Track(stack(0), stack(1))


# ---------------------------------------------------------------- from where to look


class Plane(NamedTuple):
    """Two directions of feature space: x -> axes (x - origin)."""

    origin: np.ndarray  # (dim,)
    axes: np.ndarray  # (2, dim), orthonormal: classes differ along the first, FT moves along both


def plane_of(take: Take) -> Plane:
    """The plane that shows the pretrained classes and what fine-tuning has done up to now."""
    track = take.tracks["fine-tuning"]
    moved = np.concatenate([track.moved(side)[-1] for side in SIDES])
    return moving_plane(*take.train, moved)


def moving_plane(features: np.ndarray, labels: np.ndarray, moved: np.ndarray) -> Plane:
    """Class axis and main direction of movement; features (m, dim), labels (m,), moved (n, dim).

    The vertical axis is the main direction of `moved`. The horizontal one, orthogonal to it, is
    where the class means differ most, turned towards the next direction of movement only as far as
    the plane needs to show the share SHOWN of the squared movement, or all that two axes can show.
    """
    matrices(features=features, moved=moved)  # or a ValueError
    if len(np.unique(labels)) < 2:
        raise refused("labels", "one class", "two or more")
    means = np.stack([features[labels == c].mean(axis=0) for c in np.unique(labels)])
    origin = means.mean(axis=0)
    between = means - origin
    still = not moved.any()
    up = np.linalg.svd(between if still else moved, full_matrices=False)[2][1 if still else 0]
    up = up * (np.sign(moved.mean(axis=0) @ up) or 1)  # an axis has no sign: it moves upwards
    parts = [scaled_without(up, x) for x in (between, moved)]
    if not np.any(parts[0]) and not np.any(parts[1]):  # all is along `up`: any other axis will do
        parts[0] = np.linalg.svd(up[None])[2][-1:]
    for turn in np.linspace(0, 1, 21):
        both = np.concatenate([(1 - turn) ** 0.5 * parts[0], turn**0.5 * parts[1]])
        across = np.linalg.svd(both, full_matrices=False)[2][0]
        across = across * (np.sign(across[np.abs(across).argmax()]) or 1)
        plane = Plane(origin, np.stack([across, up]))
        if share_shown(plane, moved) >= SHOWN:
            break
    return plane


def scaled_without(axis: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Rows x (n, dim) less their parts along a unit vector, of norm 1 in all; 0 where none is left.

    What is left of rows along the axis is rounding, and no direction.
    """
    rest = x - np.outer(x @ axis, axis)
    size = np.linalg.norm(rest)
    return rest / size if size > 1e-9 * np.linalg.norm(x) else np.zeros_like(rest)


def share_shown(plane: Plane, moved: np.ndarray) -> float:
    """The share of the squared movement (..., dim) that lies in the plane; 1 if nothing moves."""
    total = np.square(moved).sum()
    return float(np.square(moved @ plane.axes.T).sum() / total) if total else 1.0


def unseen_emoji(style: str) -> data.Emoji:
    """The test images of CLASSES in one style, 64 pixels."""
    emoji = data.load(style, parts="test", size=64)
    return emoji[data.labels_of(emoji.concept, CLASSES) >= 0]
