"""Recorded takes as what the browser draws: one dictionary that JSON can hold.

Arrays are base64 of little-endian integers, distances in units of their largest; scene_data.js
reads them. Nearest neighbours, accuracies and movements are computed here: the browser draws.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from labkit import data
from labkit.looks import LOOKS
from labkit.lp_ft import distortion
from labkit.lp_ft.distortion import CLASSES, SIDES, Plane, Take, Track, plane_of, share_shown

NEIGHBOURS = 3
TILE = 48  # pixels of an emoji in the sprite sheet
SHORT = {"probe": "LP", "fine-tuning": "FT", "lp-ft": "LP-FT", "wise-ft": "WiSE-FT"}


def pack(takes: Mapping[str, Take]) -> dict[str, Any]:
    """A scene of one or more takes, by the names that readers choose among."""
    packed = {n: pack_take(take) | {"said": describe(n, take)} for n, take in takes.items()}
    emoji = [take.emoji[side] for take in takes.values() for side in SIDES]
    return _scene(packed, {data.STYLES[int(shown.style[0])]: shown for shown in emoji})


def unpack(recording: dict[str, Any]) -> dict[str, Any]:
    """The scene of a file that holds packed takes, with the pictures that they are of."""
    settings = [take["setting"] for take in recording["takes"].values()]
    styles = dict.fromkeys(setting[f"{side}_style"] for setting in settings for side in SIDES)
    return _scene(recording["takes"], {style: distortion.unseen_emoji(style) for style in styles})


def _scene(takes: dict[str, Any], emoji: Mapping[str, data.Emoji]) -> dict[str, Any]:
    return {
        "classes": CLASSES,
        "methods": {m: {"name": SHORT[m], "color": LOOKS[m].color} for m in SHORT},
        "styles": {style: pack_style(shown) for style, shown in emoji.items()},
        "takes": takes,
    }


def pack_style(emoji: data.Emoji) -> dict[str, Any]:
    """The pictures of one side in one row, with names, classes and concepts."""
    concepts = [data.concepts()[i] for i in emoji.concept.tolist()]
    row = np.concatenate(list(emoji.images.numpy().transpose(0, 2, 3, 1)), axis=1)
    size, buffer = (TILE * len(concepts), TILE), io.BytesIO()
    sheet = Image.fromarray(row).resize(size, Image.Resampling.LANCZOS)
    sheet.save(buffer, "webp", quality=82)
    return {
        "tile": TILE,
        "sheet": f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}",
        "names": [concept.name for concept in concepts],
        "concepts": emoji.concept.tolist(),
        "labels": [CLASSES.index(concept.label) for concept in concepts],
    }


def pack_take(take: Take) -> dict[str, Any]:
    """One take, finished or not, seen in its own plane."""
    plane = plane_of(take)
    return {
        "setting": asdict(take.setting),
        "steps": take.steps.tolist(),
        "view": view_of(take, plane),
        "before": text(neighbours(take.tracks["probe"], 0)),
        "tracks": {method: pack_track(take, method, plane) for method in take.tracks},
    }


def pack_track(take: Take, method: str, plane: Plane) -> dict[str, Any]:
    track = take.tracks[method]
    moved = {side: np.linalg.norm(track.moved(side), axis=2) for side in SIDES}  # (f, n)
    places = {side: (track.features[side] - plane.origin) @ plane.axes.T for side in SIDES}
    unit = max(np.abs(x).max() for x in places.values()) / 32767
    farthest = max(x.max() for x in moved.values()) or 1.0
    frames = range(len(track.features["id"]))
    return {
        "frames": len(frames),
        "unit": float(unit),
        "places": {s: text(np.rint(x / unit).astype("<i2")) for s, x in places.items()},
        "farthest": float(farthest),
        "drift": {s: text(np.rint(255 * x / farthest).astype("u1")) for s, x in moved.items()},
        "predicted": {s: text(x.astype("u1")) for s, x in track.predicted.items()},
        "accuracy": {s: take.accuracy(method, s).tolist() for s in SIDES},
        "moved": {s: x.mean(axis=1).tolist() for s, x in moved.items()},
        "shown": [
            share_shown(plane, np.concatenate([track.moved(s)[i] for s in SIDES])) for i in frames
        ],
        "after": text(neighbours(track, -1)),
    }


def view_of(take: Take, plane: Plane) -> dict[str, float]:
    """The window of the plane: its middle, half width and half height, and how far marks leave it.

    It holds the pretrained features. Training may throw them ten times as far: `reach` is the
    farthest in half windows, and the browser draws what is outside closer to the window.
    """
    places = [
        (track.features[side] - plane.origin) @ plane.axes.T
        for track in take.tracks.values() for side in SIDES
    ]  # fmt: skip
    starts = np.concatenate([x[0] for x in places])  # (n, 2)
    low, high = starts.min(axis=0), starts.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-6)
    reach = max(1.0, *(float((np.abs(x - middle) / half).max()) for x in places))
    numbers = {"x": middle[0], "y": middle[1], "w": half[0], "h": half[1], "reach": reach}
    return {name: float(number) for name, number in numbers.items()}


def neighbours(track: Track, frame: int) -> np.ndarray:
    """The NEIGHBOURS nearest of every image, among both sides' images, ID first: (n, 3) uint8.

    By Euclidean distance of the whole features. An image's own row is left out.
    """
    x = np.concatenate([track.features[side][frame] for side in SIDES]).astype(float)
    squared = (x**2).sum(axis=1)
    distance = squared[:, None] + squared - 2 * x @ x.T
    np.fill_diagonal(distance, np.inf)
    return distance.argsort(axis=1, kind="stable")[:, :NEIGHBOURS].astype("u1")


def text(content: np.ndarray) -> str:
    return base64.b64encode(content.tobytes()).decode("ascii")


def describe(name: str, take: Take) -> str:
    """How a take ends, in words: for where nothing can be drawn."""
    setting = take.setting
    ends = [
        f"{SHORT[m]} {take.accuracy(m, 'id')[-1]:.0%} and {take.accuracy(m, 'ood')[-1]:.0%}"
        for m in take.tracks
    ]
    return (
        f"{name}: after {setting.steps} steps, fine-tuning at learning rate {setting.ft_lr:g} and "
        f"LP-FT at {setting.lp_ft_lr:g}, right in {setting.id_style} (ID) and "
        f"{setting.ood_style} (OOD): {', '.join(ends)}."
    )
