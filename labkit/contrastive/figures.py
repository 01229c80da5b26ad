"""Notebook 03: what the contrastive loss sees, what it learns, and how far that carries."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from labkit.evaluate import Interval
from labkit.looks import METHODS
from labkit.ui.images import draw_sheet, tiles
from labkit.ui.style import INK, label_end, percent_axis, place_ticks, shorten, spread, style

HEAT = "viridis"  # even steps of lightness, readable without colour vision


@style()
def draw_training(axes: np.ndarray, snapshot) -> None:
    """SimCLR as it trains: the similarity of two views of each image, and the loss so far."""
    left, right = axes
    draw_matrix(left, snapshot.similarity, snapshot.images, "View 1 against view 2")
    left.set_xlabel("")
    losses, chance = np.asarray(snapshot.losses), snapshot.chance
    right.axhline(chance, color=INK, linewidth=1, linestyle=":")
    right.annotate(f"guessing among all: log {round(math.exp(chance))} = {chance:.2f}",
                   (0, chance), xytext=(4, 4), textcoords="offset points", fontsize=12)  # fmt: skip
    right.plot(np.arange(1, len(losses) + 1), losses, color=METHODS["simclr"].color)
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
    draw_matrix(left, result.shares, result.images, "Share of the push", high=0.5)
    left.plot([-1.25, -0.15], [result.anchor + 1] * 2, color=METHODS["clip"].color, lw=4)
    order, count = result.order, len(result.order)  # hardest first
    share, cosine = result.shares[result.anchor][order], result.cosines[result.anchor][order]
    right.barh(np.arange(count), share, color=METHODS["clip"].color, height=0.75)
    for place, (value, similarity, name) in enumerate(
        zip(share, cosine, result.names, strict=True)
    ):
        right.annotate(f"{shorten(name, 16)} ({similarity:.2f})", (value, place), xytext=(6, 0),
                       textcoords="offset points", va="center", fontsize=13,
                       clip_on=True)  # fmt: skip
    strip = tiles(result.images[order], 1)
    draw_sheet(right, strip, (-0.3, -0.02, count - 0.5, -0.5))
    right.set(xlim=(-0.31, 1.7), ylim=(count - 0.5, -0.5), aspect="auto")
    place_ticks(right.xaxis, [0, 0.5, 1], ["0", "50 %", "100 %"])
    right.set_yticks([])
    right.spines["left"].set_visible(False)
    right.set_xlabel("share of the marked row (cosine)")
    right.set_title(f"On average, half from {result.half:.1f} of {len(result.shares) - 1}")


@style()
def draw_views(ax: Axes, result) -> None:
    """Each emoji, its two views, and its nearest neighbour under the trained encoder."""
    rows = (result.originals, *(view.repeat(2, 2).repeat(2, 3) for view in result.views))
    rows = (*rows, result.neighbours)  # each (n, 3, 64, 64)
    names = ("emoji", "view 1", "view 2", "nearest to\nview 1")
    count, tops = len(result.names), (0, 1.35, 2.4, 3.85)
    for images, name, top in zip(rows, names, tops, strict=True):
        picture = tiles(images, count, gap=(0, 16))
        draw_sheet(ax, picture, (0, 1.25 * count, top + 1, top), "nearest")
        ax.text(-0.15, top + 0.5, name, ha="right", va="center", fontsize=13, clip_on=True)
    for i in range(count):
        found, mark = shorten(result.neighbour_names[i], 14), "✓" if result.found[i] else "✗"
        for top, text in (
            (1.05, shorten(result.names[i], 14)),
            (3.45, f"cosine {result.cosines[i]:.2f}"),
            (4.9, f"{mark} {found}"),
        ):
            place = (1.25 * i + 0.5, top)
            ax.text(*place, text, ha="center", va="top", fontsize=12, clip_on=True)
    ax.set(xlim=(-1.3, 7.5), ylim=(5.25, -0.05), aspect="equal")
    ax.set_title(f"{sum(result.found)} of {count} emoji are still recognised from one view")
    ax.axis("off")


@style()
def draw_styles(ax: Axes, curves: dict[str, Sequence[Interval]], styles, outside, chance, title):
    """Accuracy in every style, a line per encoder; styles without labels stand apart, dashed.

    curves: method -> an interval per style; outside: how many of the last styles are OOD.
    """
    x = np.arange(len(styles)) + np.r_[np.zeros(len(styles) - outside), np.full(outside, 0.5)]
    inside = len(styles) - outside
    for method, intervals in curves.items():
        look, (mean, low, high) = METHODS[method], np.array(intervals).T
        for part, line in ((slice(0, inside), "-"), (slice(inside, None), "--")):
            ax.fill_between(x[part], low[part], high[part], color=look.color, alpha=0.2, lw=0)
            ax.plot(x[part], mean[part], line, color=look.color, marker=look.marker)
    ends = spread([intervals[-1].mean for intervals in curves.values()], 0.05)
    for method, end in zip(curves, ends, strict=True):
        label_end(ax, x[-1], end, METHODS[method].name, METHODS[method].color)
    ax.axhline(chance, color=INK, linewidth=1, linestyle=":")
    ax.annotate("largest class", (x[inside - 1], chance), xytext=(8, 4), fontsize=12,
                textcoords="offset points")  # fmt: skip
    ax.set_xticks(x, styles, rotation=30, ha="right", fontsize=12)
    top = max(interval.high for intervals in curves.values() for interval in intervals)
    percent_axis(ax, high=math.ceil(10 * top + 0.5) / 10)
    ax.set(ylabel="accuracy", title=title)


@style()
def draw_information(ax: Axes, batches: Sequence[int], bounds: dict[str, Sequence[float]]) -> None:
    """The bound on the mutual information (nats) against the batch size, under its ceiling."""
    ceiling = [math.log(n) for n in batches]
    ax.plot(batches, ceiling, ":", color=INK)
    color, lines = METHODS["clip"].color, ("-", "--", "-.")
    for values, line in zip(bounds.values(), lines, strict=False):
        ax.plot(batches, values, line, color=color, marker="o")
    ends = spread([ceiling[-1], *(values[-1] for values in bounds.values())], 0.5)
    for name, end in zip(["ceiling: log N", *bounds], ends, strict=True):
        label_end(ax, batches[-1], end, name, color if name in bounds else INK)
    ax.set_xscale("log", base=2)
    ax.set_xticks(batches, [str(n) for n in batches])
    ax.minorticks_off()
    ax.set(xlabel="batch size N (N - 1 negatives)", ylabel="log N - loss (nats)")
    ax.set_title("A batch of N can show log N nats at most")


@style()
def draw_geometry(axes: np.ndarray, temperatures: Sequence[float], rows: Sequence[dict]) -> None:
    """Three properties of the features against the temperature they were trained at.

    rows: a {"gap": , "alignment": , "uniformity": } per temperature.
    """
    titles = {
        "gap": "modality gap",
        "alignment": "distance² of pairs",
        "uniformity": "uniformity (low: even)",
    }
    for ax, (key, title) in zip(axes, titles.items(), strict=True):
        ax.plot(temperatures, [row[key] for row in rows], color=METHODS["clip"].color, marker="o")
        ax.set_xscale("log")
        ax.set_xticks(temperatures, [f"{t:g}" for t in temperatures])
        ax.minorticks_off()
        ax.set(xlabel="temperature", title=title)
        ax.title.set_fontsize(14)
    axes[0].set_ylim(bottom=0)


def describe_styles(curves: dict[str, Sequence[Interval]], styles: Sequence[str]) -> str:
    """The alternative text of `draw_styles`."""
    parts = []
    for method, intervals in curves.items():
        means = [interval.mean for interval in intervals]
        worst = int(np.argmin(means))
        parts.append(
            f"{METHODS[method].name} from {min(means):.0%} ({styles[worst]}) to {max(means):.0%}"
        )
    return f"Accuracy in each of {len(styles)} styles: {'; '.join(parts)}."
