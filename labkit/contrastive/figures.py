"""Notebook 03: what the contrastive loss sees, what it learns, and how far that carries."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from labkit import data, figures
from labkit.looks import LOOKS, Look
from labkit.ui.images import draw_images, draw_sheet, tiles
from labkit.ui.schematic import arrow, box, note, picture, prepare, vector
from labkit.ui.style import INK, label_end, log_ticks, place_ticks, shorten, style

HEAT = "viridis"  # even steps of lightness, readable without colour vision
CLIP = LOOKS["clip"].color

# ------------------------------------------------ panels: fixed limits and ticks, texts that clip


@style()
def draw_training(axes: np.ndarray, snapshot) -> None:
    """SimCLR as it trains: the similarity of two views of each image, and the loss so far."""
    left, right = axes
    draw_matrix(left, snapshot.similarity, snapshot.images, "View 1 against view 2")
    losses, chance = np.asarray(snapshot.losses), snapshot.chance
    right.axhline(chance, color=INK, linewidth=1, linestyle=":")
    right.annotate(f"guessing among all: log {round(math.exp(chance))} = {chance:.2f}",
                   (0, chance), xytext=(4, 4), textcoords="offset points", fontsize=12)  # fmt: skip
    right.plot(np.arange(1, len(losses) + 1), losses, color=LOOKS["simclr"].color)
    right.set(xlim=(0, snapshot.steps), ylim=(0, 1.15 * chance))
    right.set(xlabel="training steps", title=f"Loss {losses[-1]:.2f} after {len(losses)} steps")


@style()
def draw_matrix(ax: Axes, values: np.ndarray, images: np.ndarray, title: str, high=None) -> None:
    """A heat map (n, n) with the images (n, 3, size, size) of its rows and columns as ticks."""
    n = len(values)
    low = 0.0 if high is not None else min(-0.2, float(values.min()))
    ax.imshow(values, cmap=HEAT, vmin=low, vmax=high or 1.0, extent=(0, n, n, 0))
    draw_sheet(ax, tiles(images, 1), (-1.2, -0.2, n, 0))
    draw_sheet(ax, tiles(images, n), (0, n, -0.2, -1.2))
    ax.set(xlim=(-1.3, n), ylim=(n, -1.3), aspect="equal", title=title)
    ax.axis("off")


@style()
def draw_push(axes: np.ndarray, result) -> None:
    """How the loss divides its push: for a whole batch, and for one image's hardest negatives."""
    left, right = axes
    draw_matrix(left, result.shares, result.emoji.images, "Share of the push", high=0.5)
    left.plot([-1.25, -0.15], [result.anchor + 1] * 2, color=CLIP, lw=4)
    hardest, count, names = result.emoji[result.order], len(result.order), result.emoji.captions
    share, cosine = result.shares[result.anchor], result.cosines[result.anchor]
    right.barh(np.arange(count), share[result.order], color=CLIP, height=0.75)
    for place, i in enumerate(result.order):
        right.annotate(f"{shorten(names[i], 16)} ({cosine[i]:.2f})", (share[i], place),
                       xytext=(6, 0), textcoords="offset points", va="center", fontsize=13,
                       clip_on=True)  # fmt: skip
    draw_sheet(right, tiles(hardest.images, 1), (-0.3, -0.02, count - 0.5, -0.5))
    right.set(xlim=(-0.31, 1.7), ylim=(count - 0.5, -0.5), aspect="auto")
    place_ticks(right.xaxis, [0, 0.5, 1], ["0", "50 %", "100 %"])
    right.set_yticks([])
    right.spines["left"].set_visible(False)
    right.set_xlabel("share of the marked row (cosine)")
    right.set_title(f"On average, half from {result.half:.1f} of {len(result.shares) - 1}")


@style()
def draw_views(ax: Axes, result) -> None:
    """Each emoji, its two views, and its nearest neighbour under the trained encoder."""
    rows = {  # each (n, 3, 64, 64)
        "emoji": result.emoji.images,
        **{f"view {i}": v.repeat(2, 2).repeat(2, 3) for i, v in enumerate(result.views, 1)},
        "nearest to\nview 1": result.neighbours.images,
    }
    count, tops = len(result.emoji), (0, 1.35, 2.4, 3.85)
    for (name, images), top in zip(rows.items(), tops, strict=True):
        picture = tiles(images, count, gap=(0, 16))
        draw_sheet(ax, picture, (0, 1.25 * count, top + 1, top), "nearest")
        ax.text(-0.15, top + 0.5, name, ha="right", va="center", fontsize=13, clip_on=True)
    names, neighbours = result.emoji.captions, result.neighbours.captions
    for i in range(count):
        mark = "✓" if result.found[i] else "✗"
        for top, text in (
            (1.05, shorten(names[i], 14)),
            (3.45, f"cosine {result.cosines[i]:.2f}"),
            (4.9, f"{mark} {shorten(neighbours[i], 14)}"),
        ):
            place = (1.25 * i + 0.5, top)
            ax.text(*place, text, ha="center", va="top", fontsize=12, clip_on=True)
    ax.set(xlim=(-1.3, 7.5), ylim=(5.25, -0.05), aspect="equal")
    ax.set_title(f"{sum(result.found)} of {count} emoji are still recognised from one view")
    ax.axis("off")


@style()
def draw_search(axes: np.ndarray, result) -> None:
    """Above: the nearest images of every style to the words; below: a picture's nearest captions.

    The title names words that the text encoder reads by their letters. The pictures found have no
    names: a click on one asks what it is, and twenty texts would take longer than all the rest.
    """
    top, bottom = axes
    columns, rows = len(data.STYLES), len(result.found) // len(data.STYLES)
    draw_sheet(top, tiles(result.found.images, columns), (0, columns, rows, 0))
    for j, name in enumerate(data.STYLES):
        top.text(j + 0.5, rows + 0.1, name.replace("-", "\n"), ha="center", va="top", fontsize=11,
                 linespacing=1, clip_on=True)  # fmt: skip
    top.set(xlim=(-0.05, columns + 0.05), ylim=(rows + 0.7, 0), aspect="equal")
    top.axis("off")
    top.set_title(_search_title(result), fontsize=15)
    _draw_captions(bottom, result)


def _search_title(result) -> str:
    question = f"the {result.picture.captions[0]} itself"
    if result.words:
        question = f"“{shorten(result.words, 24)}”"
    if result.nothing_known:
        return f"{question}: no letters CLIP knows, so the answer is arbitrary"
    if result.unknown:
        unknown = shorten(", ".join(result.unknown), 18)
        return f"Nearest to {question}; read by letters: {unknown}"
    return f"Nearest to {question}, first row first"


def _draw_captions(ax: Axes, result) -> None:
    (name,) = result.picture.captions
    places, own = np.arange(len(result.captions)), [text == name for text in result.captions]
    colors = [CLIP if mine else to_rgba(INK, 0.4) for mine in own]
    ax.barh(places, result.cosines, color=colors, height=0.7)
    for place, text, value, mine in zip(places, result.captions, result.cosines, own, strict=True):
        ax.annotate(f"{'✓ ' if mine else ''}{text}", (max(value, 0), place), xytext=(6, 0),
                    textcoords="offset points", va="center", fontsize=13,
                    fontweight="bold" if mine else "normal", clip_on=True)  # fmt: skip
    draw_sheet(ax, tiles(result.picture.images, 1), (-0.36, -0.05, 3.9, 0.1))
    ax.set(xlim=(-0.4, 1.7), ylim=(len(places) - 0.4, -0.6), xlabel="cosine with the picture")
    place_ticks(ax.xaxis, [0, 0.5, 1])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    rank = f"number {result.rank} of {len(data.concepts()):,}"
    ax.set_title(f"What is this? Its own name, {shorten(name, 18)}, is {rank}", fontsize=15)


@style()
def draw_zero_shot(axes: np.ndarray, result) -> None:
    """Accuracy per style with the reader's prompts, the default prompts beside it; and failures."""
    left, right = axes
    places = np.arange(len(data.STYLES))
    mean, low, high = np.array(result.intervals).T
    left.hlines(places, low, high, color=CLIP, lw=5, alpha=0.35)
    left.plot(mean, places, LOOKS["clip"].marker, color=CLIP, markersize=10, ls="none")
    left.plot(result.default, places, "|", color=INK, markersize=16, mew=2.5, ls="none")
    left.axvline(result.chance, color=INK, lw=1, ls=":")
    left.annotate("largest class", (result.chance, -0.75), xytext=(4, 0), fontsize=11,
                  textcoords="offset points", va="center", clip_on=True)  # fmt: skip
    place_ticks(left.yaxis, places, data.STYLES)
    left.set(ylim=(len(places) - 0.4, -1.1), xlabel="accuracy (tick: bare class names)")
    left.set_xlim(0, 1)
    place_ticks(left.xaxis, [0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    unknown = f"; never met: {shorten(', '.join(result.unknown), 18)}" if result.unknown else ""
    left.set_title(f"{result.overall.mean:.0%} over all styles{unknown}", fontsize=15)
    pairs = zip(result.wrong.captions, result.guesses, strict=True)
    said = [f"{shorten(name, 11)}:\n{shorten(guess, 11)}?" for name, guess in pairs]
    draw_images(right, result.wrong.images, said, columns=3)
    right.set_title(f"Wrong: {result.failures:,} of {result.total:,}", fontsize=15)


# ------------------------------------------------ what stands still


@style()
def draw_styles(ax: Axes, table: pd.DataFrame, chance: float, outside: tuple[str, ...]) -> None:
    """Accuracy in every style; those without labels are marked, and counted in the title.

    table: (style, method) -> mean, low, high; outside: the styles without labels.
    """
    one, two = table.index.unique(level=1)[:2]
    ahead = table.xs(one, level=1)["mean"] - table.xs(two, level=1)["mean"]
    one, two, points = LOOKS[one].name, LOOKS[two].name, 100 * ahead[list(outside)].mean()
    title = f"{one} leads {two} in {sum(ahead > 0)} of {len(ahead)} styles"
    title += f", by {points:+.0f} points without labels"
    marked = table.rename(index={name: f"{name}\n(no labels)" for name in outside}, level=0)
    figures.draw_dots(ax, marked, chance=chance, title=title)
    ax.annotate("largest class", (chance, -0.5), xytext=(4, 0), fontsize=12,
                textcoords="offset points", va="top")  # fmt: skip
    (shown,) = (concept for concept in data.concepts() if concept.name == "elephant")
    emoji = data.load(table.index.unique(level=0), parts=shown.part, size=64)
    for row, drawn in enumerate(emoji.of([shown.position]).images):  # in the order of the styles
        draw_sheet(ax, tiles(drawn[None], 1), (0.002, 0.03, row + 0.36, row - 0.36))
    ax.set_xlim(left=0)
    figures.name_methods(ax)


@style()
def draw_information(ax: Axes, bounds: Mapping[str, pd.DataFrame]) -> None:
    """The bound on the mutual information (nats) against the batch size, under its ceiling.

    bounds: features -> the bound ("mean") indexed by batch size.
    """
    batches = next(iter(bounds.values())).index
    ceiling = np.log(batches)
    ax.plot(batches, ceiling, ":", color=INK)
    label_end(ax, batches[-1], ceiling[-1] + 0.3, "ceiling: log N", INK)
    looks = {name: Look(name, CLIP, mark) for name, mark in zip(bounds, "osD", strict=False)}
    figures.draw_curves(ax, bounds, looks, gap=0.5)
    log_ticks(ax, batches, [str(n) for n in batches], base=2)
    most, shown = ceiling[-1], max(curve["mean"].iloc[-1] for curve in bounds.values())
    ax.set(xlabel="batch size N (N - 1 negatives)", ylabel="log N - loss (nats)")
    ax.set_title(f"A batch of {batches[-1]} shows {most:.1f} nats at most, here {shown:.1f}")


def describe_information(bounds: Mapping[str, pd.DataFrame]) -> str:
    batches = next(iter(bounds.values())).index
    ends = ", ".join(f"{name} {curve['mean'].iloc[-1]:.2f}" for name, curve in bounds.items())
    shown = "Each batch gives a lower bound on the mutual information, never above the dotted line."
    return f"{shown} The bound at {batches[-1]}: {ends} nats."


@style()
def draw_geometry(axes: np.ndarray, table: pd.DataFrame) -> None:
    """Three properties of the features against the temperature they were trained at (the index).

    table: columns gap, alignment, uniformity.
    """
    titles = {
        "gap": "modality gap",
        "alignment": "distance² of pairs",
        "uniformity": "uniformity (low: even)",
    }
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        ax.plot(table.index, table[name], color=CLIP, marker="o")
        log_ticks(ax, table.index, [f"{t:g}" for t in table.index])
        ax.set(xlabel="temperature", title=title)
        ax.title.set_fontsize(14)
    axes[0].set_ylim(bottom=0)


def describe_geometry(table: pd.DataFrame) -> str:
    gaps = ", ".join(f"{gap:.2f} at {t:g}" for t, gap in table["gap"].items())
    shown = "Each dot is a head trained at that temperature."
    return f"{shown} Modality gap: {gaps}; alignment and uniformity beside it."


# ------------------------------------------------ schematics


def draw_simclr(ax: Axes, image: np.ndarray, views: np.ndarray) -> None:
    """Two views of an image through one encoder and a projector, pulled together.

    image: (3, size, size); views: two of those.
    """
    prepare(ax, 13.4, 4.6)
    color = LOOKS["simclr"].color
    picture(ax, (0.7, 2.3), image, 1.2)
    for y, view, turn in ((3.4, views[0], 1), (1.2, views[1], -1)):
        arrow(ax, (1.3, 2.3 + 0.3 * turn), (2.3, y))
        picture(ax, (2.9, y), view, 1.1)
        arrow(ax, (3.5, y), (4.3, y))
        box(ax, (5.4, y), "encoder", color)
        arrow(ax, (6.5, y), (7.3, y))
        vector(ax, (7.5, y), color)
        arrow(ax, (7.7, y), (8.5, y))
        box(ax, (9.6, y), "projector", color)
        arrow(ax, (10.7, y), (11.5, y))
        vector(ax, (11.7, y), color, [0.3, 0.8, 0.5] if turn > 0 else [0.4, 0.7, 0.55])
    note(ax, (5.4, 2.3), "the same weights")
    note(ax, (7.5, 2.3), "features\nstay")
    note(ax, (9.6, 2.3), "thrown away\nafterwards")
    arrow(ax, (11.7, 2.85), (11.7, 1.75), both=True, color=color)
    note(ax, (11.9, 2.3), "close,\nall others\napart", ha="left")


def draw_clip(ax: Axes, images: np.ndarray, captions: list[str]) -> None:
    """CLIP's square: a cell for every image and caption, the pairs on its diagonal.

    images: (n, 3, size, size), with n captions.
    """
    n = len(images)
    prepare(ax, n + 7.6, n + 3.8)
    left, middle, color = 5.9, n / 2 + 0.2, CLIP
    box(ax, (2.7, middle), "image\nencoder", color)
    arrow(ax, (3.9, middle), (left - 0.9, middle))
    box(ax, (left + n / 2, n + 1.4), "text encoder", color, size=(n - 0.4, 0.8))
    arrow(ax, (left + n / 2, n + 0.95), (left + n / 2, n + 0.15))
    for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
        y = n - i - 0.3
        picture(ax, (0.5, y), image, 0.85)
        arrow(ax, (0.95, y), (1.6, middle + (y - middle) * 0.25))
        vector(ax, (left - 0.5, y), color, [0.3 + 0.12 * ((2 * i + 3 * k) % 5) for k in range(3)])
        note(ax, (left + i + 0.5, n + 1.95), shorten(caption, 18), rotation=30, ha="left",
             va="bottom", rotation_mode="anchor", fontsize=11)  # fmt: skip
        for j in range(n):
            share = 0.75 if i == j else 0.1
            cell = Rectangle((left + j + 0.06, y - 0.44), 0.88, 0.88, fc=color, alpha=share)
            ax.add_patch(cell)
    note(ax, (left + n / 2, 0.0), "strong: belong together, faint: pushed apart", fontsize=12)
