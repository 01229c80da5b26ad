"""Notebook 02: a task, sinusoids, a two-parameter landscape, and few-shot episodes."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.ticker import MultipleLocator

from labkit.figures import describe_dots, draw_curves, draw_dots, name_methods
from labkit.looks import LOOKS
from labkit.ui.images import OWN, draw_sheet, tiles
from labkit.ui.schematic import arrow, box, note, picture, prepare
from labkit.ui.style import INK, label_ends, style

TASKS = (("#cc7a29", "o"), ("#3366ff", "s"), ("#197380", "D"))  # of the landscape: no method's
# The sweep's columns: what was learned upstream, and what is done with a support set.
FEW_SHOT = {
    "clip_logistic": LOOKS["probe"]._replace(name="logistic head, CLIP features"),
    "clip_prototypes": LOOKS["prototypes"]._replace(name="prototypes, CLIP features"),
    "prototypes": LOOKS["prototypes"]._replace(
        name="prototypes, meta-trained", marker="$\\mathbf{P}$"
    ),
    "maml": LOOKS["maml"],
    "maml_head": LOOKS["maml"]._replace(name="MAML, head only", marker="$\\mathbf{H}$"),
    "scratch": LOOKS["scratch"],
}
# Of the sinusoids; "random" weights are where scratch starts.
SINUSOIDS = {
    "maml": LOOKS["maml"],
    "fomaml": LOOKS["maml"]._replace(name="first-order MAML", marker="4"),
    "reptile": LOOKS["reptile"],
    "joint": LOOKS["joint"],
    "random": LOOKS["scratch"]._replace(name="random"),
}


@style()
def draw_sinusoids(axes: Sequence[Axes], result) -> None:
    """Left: one task. Right: the mean squared error of tasks like it, on a logarithmic axis."""
    draw_functions(axes[0], result)
    ax, (low, high) = axes[1], (1e-2, 1e3)
    for method, error in result.errors.items():
        look, shown = SINUSOIDS[method], np.clip(error, low, high)
        ax.plot(np.arange(len(shown)), shown, color=look.color, marker=look.marker)
        beyond = np.flatnonzero(error > high)  # an arrow says that the curve goes on
        ax.plot(beyond, np.full(len(beyond), high / 1.3), "^", color=look.color, ms=12)
    ax.set_yscale("log", subs=[])
    ends = [np.clip(error[-1], 10**-1.3, 10**2.3) for error in result.errors.values()]
    label_ends(ax, 10.3, ends, [SINUSOIDS[method] for method in result.errors], 0.36)
    best = min(result.errors, key=lambda method: result.errors[method][-1])
    where = "In the trained range" if result.inside else "Out of range"
    outcome = f"{SINUSOIDS[best].name} wins" if result.errors[best][-1] < high else "all diverge"
    ax.set_title(f"{where}: {outcome}")
    ax.set(ylim=(low, high), xlim=(-0.3, 10.3), xlabel="inner steps k",
           ylabel="squared error, new points")  # fmt: skip
    ax.xaxis.set_major_locator(MultipleLocator(2))  # set_xticks makes them all, every time


@style()
def draw_errors(ax: Axes, errors: pd.DataFrame, where: str, zero: float) -> str:
    """Errors over seeds after k steps, on a logarithmic axis that ends where nobody would care.

    errors: by method and seed, columns k0, k1, ...; zero: that of always answering 0. Returns what
    the picture shows, in words.
    """
    errors = errors.filter(regex=r"^k\d+$")
    steps = [int(name[1:]) for name in errors]
    most, least, curves = 300.0, 0.1, {}
    for method, found in errors.clip(least, most).groupby("method", sort=False):
        band = {"mean": found.median(), "low": found.min(), "high": found.max()}
        curves[method] = pd.DataFrame(band).set_axis(steps)
    ax.set_yscale("log")
    draw_curves(ax, curves, SINUSOIDS, gap=0.2)
    ax.axhline(zero, color=INK, lw=1, ls=":")
    medians = errors.groupby("method").median()
    best = medians["k1"].idxmin()
    worse = (medians[f"k{steps[-1]}"] > zero).sum()
    ends_well = medians.loc[best, f"k{steps[-1]}"] < zero
    outcome = "leads" if ends_well else "leads, then breaks"
    told = f"{where.capitalize()}: {SINUSOIDS[best].name} {outcome}"
    ax.set(ylim=(least, 2 * most), xlabel="inner steps k", title=told)
    end = f"after {steps[-1]}, {worse} of {len(curves)} are worse than always answering 0."
    return f"{told}; {end}"


@style()
def draw_functions(ax: Axes, result) -> None:
    """One task: the true function, the points A may see, and each method's f after adaptation."""
    ax.plot(result.x, result.truth, color=INK, linewidth=6, alpha=0.35)
    for method, y in result.functions.items():
        ax.plot(result.x, y.clip(-20, 20), color=SINUSOIDS[method].color)
    ax.plot(*result.support, "o", color=INK, markersize=9, zorder=5)
    steps = len(result.errors["maml"]) - 1
    ax.set(xlim=(-5, 5), ylim=(-9, 9), xlabel="x", ylabel="y",
           title=f"A saw {len(result.support[0])} points, took {steps} steps")  # fmt: skip


@style()
def draw_landscape(axes: Sequence[Axes], result) -> None:
    """Left: sum_i L(D_i, A(D_i, theta)) over theta, with paths. Right: the functions themselves.

    Its symbols are Unicode: a formula costs three milliseconds in every frame.
    """
    plane, lines = axes
    draw_heights(plane, result)
    for path, optimum, (color, marker) in zip(result.paths, result.optima, TASKS, strict=True):
        plane.plot(*path.T, color=color, marker=".", markersize=10)
        plane.plot(*optimum, marker, color=color, markersize=11, mfc="none", mew=2.5)
    plane.plot(*result.theta, "o", color=INK, markersize=12, zorder=6, clip_on=False,
               in_layout=False)  # fmt: skip
    plane.plot(*result.best, "*", color=LOOKS["maml"].color, markersize=20, zorder=5)
    limit = result.grid[-1]
    away = 0.15 if result.theta[1] > 0 else -0.6  # from the middle, where the paths go
    best, theta = result.best + [0.18, 0.1], result.theta + [-0.1, away]
    for place, name, color in ((best, "θ\u0302", LOOKS["maml"].color), (theta, "θ", INK)):
        # Where it stands, or at the nearest edge: then no layout has to make room for it.
        x, y = place.clip(-limit, limit - 0.4)
        plane.text(x, y, name, color=color, fontsize=20, in_layout=False, zorder=7)
    plane.set_title(f"θ costs {result.losses.sum():.2g}, the best θ\u0302 {result.best_value:.2g}")
    plane.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="θ₁ (intercept)",
              ylabel="θ₂ (slope)")  # fmt: skip
    x = np.linspace(-2.5, 2.5, 2)
    lines.plot(x, result.theta[0] + result.theta[1] * x, color=INK, linestyle=":", linewidth=3)
    for path, points, (color, marker) in zip(result.paths, result.points, TASKS, strict=True):
        lines.plot(*points, marker, color=color, markersize=9)
        lines.plot(x, path[-1, 0] + path[-1, 1] * x, color=color)
    steps = f"{result.steps} step{'' if result.steps == 1 else 's'}"
    lines.set(xlim=(-2.5, 2.5), ylim=(-6, 6), xlabel="x", ylabel="y",
              title=f"Each fᵢ is {steps} from θ (dotted)")  # fmt: skip


def draw_heights(ax: Axes, result) -> None:
    """Contours from the best objective up, filled, each with its value: as many at any k."""
    grid, z, least = result.grid, result.objective, result.best_value
    levels = least + (z.max() - least) * 2.0 ** np.arange(-6, 1)
    shades = [to_rgba(INK, 0.035 * i) for i in range(len(levels))]
    ax.contourf(grid, grid, z, levels=[0, *levels], colors=shades)
    column, row = (np.abs(grid - place).argmin() for place in result.best)
    rays = {"x": z[row, column:], "y": z[row:, column]}  # rightwards and upwards from the best
    along = max(rays, key=lambda axis: rays[axis][-1])
    for level in levels[:-1:2]:
        place = column if along == "x" else row
        place = grid[min(place + np.searchsorted(rays[along], level), len(grid) - 1)]
        at = (place, grid[row]) if along == "x" else (grid[4], place)
        ax.text(*at, f"{level:.2g}", fontsize=11, ha="center", va="center", clip_on=True)


SIZE, STEP, LINES = 64, 72, 30  # of a picture, from one to the next, of the lines below a query
VIEW = (370, 355)  # width and height, the same for every episode: see `labkit.ui.raster`
LETTERS, TOP = "ABCDE", 24  # TOP: where the support begins, below its letters
CENTRED = {"ha": "center", "fontweight": "bold", "in_layout": False}


@cache
def letter_mark(letter: str) -> Path:
    """A letter as a marker: ten queries with five letters each would be fifty texts."""
    outline = TextPath((0, 0), letter, size=1, prop=FontProperties(weight="bold"))
    middle = outline.get_extents().extents.reshape(2, 2).mean(axis=0)
    size = Path([(0.45, 0)])  # a point: all letters at one scale, which a marker's farthest sets
    return Path.make_compound_path(Path(outline.vertices - middle, outline.codes), size)


def small_support(support: np.ndarray) -> np.ndarray:
    """A cell for each class, its shots two abreast: (rows, columns, 4) uint8, SIZE wide each.

    support: (ways, shots, 3, SIZE, SIZE) uint8.
    """
    if support.shape[1] == 1:
        return tiles(support[:, 0], len(support), (0, STEP - SIZE))
    halves = support[..., ::2, ::2]
    cells = [tiles(shots, 2, (2, 2))[:, :SIZE] for shots in halves]
    return np.concatenate([np.pad(c, ((0, 0), (0, STEP - c.shape[1]), (0, 0))) for c in cells], 1)


def query_corner(query: int, shots: int) -> np.ndarray:
    """Where the upper left corner of a query's picture lies in the view."""
    support = SIZE if shots == 1 else (shots + 1) // 2 * (SIZE // 2 + 2)
    row, column = divmod(query, len(LETTERS))
    return np.array([column * STEP, TOP + support + 30 + row * (SIZE + LINES + 4)])


def letter_at(shots: int, queries: int, x: float, y: float) -> tuple[int, str] | None:
    """The query and the letter below it at a place of the view."""
    for query in range(queries):
        right, down = (x, y) - query_corner(query, shots)
        if 0 <= right < SIZE and SIZE <= down < SIZE + LINES:
            return query, LETTERS[int(right * len(LETTERS) / SIZE)]
    return None


@style()
def draw_episode(ax: Axes, result) -> None:
    """A column per class, queries below, and A to E to choose from, or who was right."""
    shots, queries = result.support.shape[1], len(result.query)
    support = small_support(result.support)
    draw_sheet(ax, support, (0, support.shape[1], TOP + len(support), TOP))
    asked = tiles(result.query, len(LETTERS), (LINES + 4, STEP - SIZE))
    corners = np.array([query_corner(query, shots) for query in range(queries)])
    top = corners[0, 1]
    draw_sheet(ax, asked, (0, asked.shape[1], top + len(asked), top))
    for way, letter in enumerate(LETTERS):
        ax.text(way * STEP + SIZE / 2, TOP - 4, letter, **CENTRED, fontsize=17, va="bottom")
    ask = "Queries" if result.revealed else "Queries: click the letter that each belongs to"
    ax.text(0, top - 5, ask, fontsize=14, va="bottom", in_layout=False)
    if result.revealed:
        for (x, y), mark in zip(corners, result.marks, strict=True):
            ax.text(x + SIZE / 2, y + SIZE + 2, mark, **CENTRED, fontsize=13, va="top")
    else:
        draw_choices(ax, corners, result.mine)
    ax.set(xlim=(-2, VIEW[0]), ylim=(VIEW[1], 0), aspect="equal", title=result.title)
    ax.axis("off")


def draw_choices(ax: Axes, corners: np.ndarray, mine: Sequence[str]) -> None:
    """A to E below every query, the reader's own choice in a ring. corners: (queries, 2)."""
    width = SIZE / len(LETTERS)
    for place, letter in enumerate(LETTERS):
        x, y = (corners + (width * (place + 0.5), SIZE + 12)).T
        own = np.array([chosen == letter for chosen in mine])
        ax.plot(x[own], y[own], "o", ms=17, color=OWN, mfc="none", mew=3)
        ax.plot(x, y, ls="none", marker=letter_mark(letter), ms=10, color=INK, mew=0)


@style()
def draw_few_shot(
    axes: Sequence[Axes], table: pd.DataFrame, chance: float, guesses: Mapping[str, float]
) -> None:
    """Accuracy with 95 % intervals, an axes for each setting.

    table: mean, low and high by setting, number of shots and method. guesses: method -> what the
    reader expects in the first row, drawn as large open markers.
    """
    for ax, (setting, found) in zip(axes, by_setting(table).items(), strict=True):
        row = found.index[0][0]
        best = FEW_SHOT[found.loc[row, "mean"].idxmax()].name
        title = f"{setting.capitalize()} styles, best at {row}:\n{best}"
        draw_dots(ax, found, FEW_SHOT, chance=chance, title=title, xlabel="query accuracy")
        ax.set(xlim=(0, 1))
    places = {line.get_label(): line.get_ydata()[0] for line in axes[0].lines}
    for method, accuracy in guesses.items():
        name, color, marker = FEW_SHOT[method]
        axes[0].plot(accuracy, places[name], c=color, marker=marker, mfc="none", mew=2, ms=20)
    axes[-1].set_yticklabels([])
    name_methods(axes[0], columns=3)


def by_setting(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Setting -> a table whose rows are named by their number of shots, as `draw_dots` reads it."""
    return {
        setting: found.droplevel(0).rename(index=lambda n: f"{n} shot{'s'[: n > 1]}", level=0)
        for setting, found in table.groupby(level=0, sort=False)
    }


def describe_few_shot(table: pd.DataFrame) -> str:
    """The alternative text of `draw_few_shot`."""
    parts = [f"{s} styles, {describe_dots(t, FEW_SHOT)}" for s, t in by_setting(table).items()]
    return f"Five-way accuracy on unseen concepts, with 95 % intervals. {' '.join(parts)}"


def draw_task(ax: Axes, support: np.ndarray, query: np.ndarray) -> None:
    """D_i through A to f_i, and f_i on new points; support, query: images (n, 3, size, size)."""
    prepare(ax, 14.2, 4.2)
    color = LOOKS["maml"].color
    count = len(support)
    for i, image in enumerate(support):
        picture(ax, (0.6 + i, 2.6), image, 0.85)
        note(ax, (0.6 + i, 1.9), f"class {i + 1}", fontsize=10)
    right = 0.1 + count
    note(ax, (right / 2 + 0.1, 3.5), "support $D_i^s$: one drawing of each")
    arrow(ax, (right, 2.6), (right + 0.8, 2.6))
    middle = right + 2.0
    box(ax, (middle, 2.6), "learn\n$A(D_i^s, \\theta)$", color)
    box(ax, (middle, 0.6), "prior $\\theta$", color, size=(2.2, 0.8))
    arrow(ax, (middle, 1.05), (middle, 1.95), color=color)
    arrow(ax, (middle + 1.15, 2.6), (middle + 2.0, 2.6))
    box(ax, (middle + 2.9, 2.6), "$f_i$", color, size=(1.6, 1.2))
    for i, image in enumerate(query):
        picture(ax, (middle + 2.4 + 1.1 * i, 0.6), image, 0.85)
    end = middle + 2.5 + 1.1 * len(query)
    note(ax, (end + 0.1, 0.6), "query:\nnew drawings", ha="left", fontsize=12)
    arrow(ax, (middle + 2.9, 1.1), (middle + 2.9, 1.95))
    arrow(ax, (middle + 3.7, 2.6), (middle + 4.5, 2.6))
    note(ax, (middle + 4.6, 2.6), "which class?\nhow wrong: $\\hat L$", ha="left")
