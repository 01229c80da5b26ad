"""The capstone's figures with their words: what is there, what is twice, curve and mistakes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from labkit.capstone.collection import Collection
from labkit.capstone.conclusions import TESTS, Calibration, curves_of
from labkit.capstone.measure import Curve
from labkit.figures import describe_curves, describe_reliability, draw_curves, draw_reliability
from labkit.ui.images import draw_images, label_grid
from labkit.ui.style import Picture, figure, log_ticks, percent_axis, shorten, style


@style()
def draw_titled(ax: Axes, images: np.ndarray, titles: list[str], columns: int, title: str) -> None:
    """Pictures with words below; a figure without any says so in its title."""
    if len(images):
        draw_images(ax, images, titles, columns)
    ax.axis("off")
    ax.set_title(title)


def samples(collection: Collection, columns: int = 10) -> Picture:
    """Some images of each class that has any, a row for each, with their number."""
    there, labels = np.unique(collection.labels.numpy(), return_inverse=True)
    counts = np.bincount(labels)
    ends = np.cumsum(counts)[:, None] - 1 - np.linspace(counts - 1, 0, columns, axis=1)
    rows = np.argsort(labels, kind="stable")[ends.round().astype(int).ravel()]
    fig, ax = figure(size=(11, 0.9 * len(counts) + 0.5))
    named = dict(zip(np.array(collection.classes)[there].tolist(), counts.tolist(), strict=True))
    draw_titled(ax, collection.images[rows], [], columns,
                f"{len(collection)} images, {counts.min()} to {counts.max()} a class")  # fmt: skip
    ax.set_xlim(left=-3.2 * collection.images.shape[-1])
    with style():
        label_grid(ax, [f"{shorten(c)}  {n}" for c, n in named.items()], [],
                   collection.images.shape[-1])  # fmt: skip
    told = ", ".join(f"{c} {n}" for c, n in named.items())
    return Picture(fig, f"A few images of each class, with the number of all. {told}.")


def draw_pairs(ax: Axes, collection: Collection, pairs: pd.DataFrame, shown: int = 8) -> None:
    """The last (least alike) of some pairs, one image above the other, with their distance."""
    last = pairs.tail(shown)
    marks = [f"{d:.3f}" + " mirrored" * m for d, m in zip(last["distance"], last["mirrored"])]  # noqa: B905
    rows = np.r_[last["a"], last["b"]].astype(int)
    torn = (collection.groups[pairs["a"]] != collection.groups[pairs["b"]]).sum()
    title = f"{len(pairs)} pairs of near-duplicates, {torn} across groups"
    draw_titled(ax, collection.images[rows], [""] * len(last) + marks, len(last), title)


def describe_pairs(collection: Collection, pairs: pd.DataFrame) -> str:
    rows = pairs[["a", "b"]].tail(3).to_numpy()
    told = "; ".join(f"{collection.names[a]} and {collection.names[b]}" for a, b in rows)
    last = f", the last ones {told}" * bool(told)
    return f"Below each pair is how far apart its pictures are. {len(pairs)} pairs{last}."


def twice(collection: Collection, pairs: pd.DataFrame) -> Picture:
    fig, ax = figure(size=(11, 3.6))
    draw_pairs(ax, collection, pairs)
    return Picture(fig, describe_pairs(collection, pairs))


@style()
def learning(curve: Curve, chance: float) -> Picture:
    """Accuracy against labels for each class, in distribution and (where measured) out of it."""
    tests = {s: name.capitalize() for s, name in TESTS.items() if s in curve.table}
    fig, axes = figure(1, len(tests), size=(7 * len(tests) + 1, 4.8), squeeze=False)
    words = []
    for ax, (score, name) in zip(axes[0], tests.items(), strict=True):
        found = curves_of(curve, score)
        draw_curves(ax, found, gap=0.07, chance=chance)
        ends = found["probe"].index
        log_ticks(ax, ends, [f"{n:.0f}" for n in ends])
        percent_axis(ax)
        best = max(c["mean"].iloc[-1] for c in found.values())
        title = f"{name}: {best:.0%} at best"
        ax.set(xlabel="labels for each class", ylabel="accuracy", title=title)
        words.append(f"{name}: {describe_curves(found)}")
    return Picture(fig, "Accuracy by labels for each class. " + " ".join(words))


def calibrated(found: Calibration) -> Picture:
    fig, axes = figure(1, 2, size=(10, 4.8))
    both = {"As it is": found.plain, "Temperature-scaled": found.scaled}
    draw_reliability(axes, both)
    return Picture(fig, describe_reliability(both))


def mistaken(collection: Collection, mistakes: pd.DataFrame, shown: int = 8) -> Picture:
    """The surest mistakes: the picture, its label, the answer."""
    one_each = mistakes.groupby(collection.groups[mistakes["row"]], sort=False).head(1)
    first = list(one_each.head(shown).itertuples())
    names = [f"{shorten(m.label, 12)}\n→ {shorten(m.answer, 11)}" for m in first]
    titles = [f"{n}\n{m.confidence:.0%} sure" for n, m in zip(names, first, strict=True)]
    fig, ax = figure(size=(13, 3.2))
    images = collection.images[[m.row for m in first]]
    draw_titled(ax, images, titles, len(first), f"{len(mistakes)} mistakes; the surest ones")
    told = [f"{m.name} ({m.label}) taken for {m.answer}, {m.confidence:.0%} sure" for m in first]
    shown = "Below each picture stand its label, the answer, and how sure that was."
    return Picture(fig, f"{shown} {len(mistakes)} mistakes. {'; '.join(told[:4])}")
