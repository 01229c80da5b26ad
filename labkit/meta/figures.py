"""Notebook 02: adaptation on sinusoids, a two-parameter landscape, and few-shot episodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MultipleLocator

from labkit.looks import METHODS
from labkit.ui.images import draw_sheet
from labkit.ui.style import INK, label_end, percent_axis, spread, style

TASKS = (("#d55e00", "o"), ("#0078bb", "s"), ("#009e73", "D"))  # of the landscape: not methods
# The sweep's columns: what was learned upstream, and what is done with a support set.
FEW_SHOT = {
    "clip_logistic": METHODS["probe"]._replace(name="logistic head, CLIP features"),
    "clip_prototypes": METHODS["prototypes"]._replace(name="prototypes, CLIP features"),
    "prototypes": METHODS["prototypes"]._replace(name="prototypes, meta-trained"),
    "maml": METHODS["maml"],
    "maml_head": METHODS["maml"]._replace(name="MAML, head only"),
    "scratch": METHODS["scratch"],
}


def look_of(method: str):
    """The look of a method of the sinusoids: "random" weights are where scratch starts."""
    return METHODS["scratch"]._replace(name="random") if method == "random" else METHODS[method]


@style()
def draw_functions(ax: Axes, x: np.ndarray, truth: np.ndarray, functions: dict[str, np.ndarray],
                   support: tuple[np.ndarray, np.ndarray], title: str) -> None:  # fmt: skip
    """One task: the true function, the points A may see, and each method's f after adaptation."""
    ax.plot(x, truth, color=INK, linewidth=6, alpha=0.35)
    for method, y in functions.items():
        ax.plot(x, y.clip(-20, 20), color=look_of(method).color)
    ax.plot(*support, "o", color=INK, markersize=9, zorder=5)
    ax.set(xlim=(-5, 5), ylim=(-9, 9), xlabel="x", ylabel="y", title=title)


@style()
def label_functions(ax: Axes, result) -> None:
    """Name each function where it ends, at the right of `draw_functions`."""
    ends = spread([y[-1].clip(-8, 8) for y in result.functions.values()], 1.6)
    for method, end in zip(result.functions, ends, strict=True):
        look = look_of(method)
        label_end(ax, 5, end, look.name, look.color)


@style()
def draw_errors(ax: Axes, errors: dict[str, np.ndarray], title: str) -> None:
    """Mean squared error on new points against inner steps, on a logarithmic axis."""
    low, high = 1e-2, 1e3
    for method, error in errors.items():
        shown = np.clip(error, low, high)
        ax.plot(np.arange(len(shown)), shown, color=look_of(method).color,
                marker=look_of(method).marker)  # fmt: skip
    ends = [np.log10(np.clip(error[-1], 10**-1.3, 10**2.3)) for error in errors.values()]
    for method, end in zip(errors, spread(ends, 0.36), strict=True):
        look = look_of(method)
        label_end(ax, 10.3, 10**end, look.name, look.color)
    ax.set_yscale("log", subs=[])
    ax.set(ylim=(low, high), xlim=(-0.3, 10.3), title=title,
           xlabel="inner steps k", ylabel="squared error, new points")  # fmt: skip
    ax.xaxis.set_major_locator(MultipleLocator(2))  # set_xticks makes them all, every time


@style()
def draw_landscape(axes: Sequence[Axes], result) -> None:
    """Left: sum_i L(D_i, A(D_i, theta)) over theta, with paths. Right: the functions themselves.

    Its symbols are Unicode: a formula costs three milliseconds in every frame.
    """
    plane, lines = axes
    levels = result.best_value + np.array([0.05, 0.3, 0.7, 1.5, 3, 6, 12])
    plane.contour(result.grid, result.grid, result.objective, levels=levels, colors=INK,
                  linewidths=1.2, alpha=0.8)  # fmt: skip
    for path, optimum, (color, marker) in zip(result.paths, result.optima, TASKS, strict=True):
        plane.plot(*path.T, color=color, marker=".", markersize=10)
        plane.plot(*optimum, marker, color=color, markersize=11, mfc="none", mew=2.5)
    plane.plot(*result.theta, "o", color=INK, markersize=12, zorder=6, clip_on=False,
               in_layout=False)  # fmt: skip
    plane.plot(*result.best, "*", color=METHODS["maml"].color, markersize=20, zorder=5)
    limit = result.grid[-1]
    away = 0.15 if result.theta[1] > 0 else -0.6  # from the middle, where the paths go
    best, theta = result.best + [0.18, 0.1], result.theta + [-0.1, away]
    for place, name, color in ((best, "θ\u0302", METHODS["maml"].color), (theta, "θ", INK)):
        # Where it stands, or at the nearest edge: then no layout has to make room for it.
        x, y = place.clip(-limit, limit - 0.4)
        plane.text(x, y, name, color=color, fontsize=20, in_layout=False, zorder=7)
    gap = result.losses.sum() - result.best_value
    plane.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="θ₁ (intercept)",
              ylabel="θ₂ (slope)",
              title=f"Objective {result.losses.sum():.2f}: {gap:.2f} above the best")  # fmt: skip
    x = np.linspace(-2.5, 2.5, 2)
    lines.plot(x, result.theta[0] + result.theta[1] * x, color=INK, linestyle=":", linewidth=3)
    for path, points, (color, marker) in zip(result.paths, result.points, TASKS, strict=True):
        lines.plot(*points, marker, color=color, markersize=9)
        lines.plot(x, path[-1, 0] + path[-1, 1] * x, color=color)
    steps = f"{result.steps} step{'' if result.steps == 1 else 's'}"
    lines.set(xlim=(-2.5, 2.5), ylim=(-6, 6), xlabel="x", ylabel="y",
              title=f"Each fᵢ: {steps} from θ (dotted)")  # fmt: skip


SIZE, STEP, LABEL = 64, 74, 22  # of a picture, from one to the next, of the line below a query
VIEW = (
    400,
    345,
)  # the picture's width and height, the same for every episode: see `labkit.ui.raster`


@style()
def draw_episode(ax: Axes, result) -> None:
    """A support column per class, queries below; ticks and crosses once the model has answered."""
    ways, shots = result.support.shape[:2]
    places = [(way * STEP, shot * STEP) for way in range(ways) for shot in range(shots)]
    top = shots * STEP + 34
    below = [(i % ways * STEP, top + i // ways * (STEP + LABEL)) for i in range(len(result.query))]
    pictures = [*result.support.reshape(-1, *result.support.shape[2:]), *result.query]
    wide, high = (ways - 1) * STEP + SIZE, below[-1][1] + SIZE + LABEL
    sheet = np.zeros((high, wide, 4), np.uint8)  # transparent; one image draws fastest
    for picture, (left, upper) in zip(pictures, places + below, strict=True):
        sheet[upper : upper + SIZE, left : left + SIZE, :3] = picture.transpose(1, 2, 0)
        sheet[upper : upper + SIZE, left : left + SIZE, 3] = 255
    zoom = min(VIEW[0] / wide, (VIEW[1] - 30) / high)  # 30: the line of letters
    start = (VIEW[0] - zoom * wide) / 2

    def write(x: float, y: float, text: str, size: int, **options) -> None:
        ax.text(start + zoom * x, 30 + zoom * y, text, fontsize=size, in_layout=False, **options)

    draw_sheet(ax, sheet, (start, start + zoom * wide, 30 + zoom * high, 30))
    for way in range(ways):
        write(way * STEP + SIZE / 2, -5, "ABCDE"[way], 17, **CENTRED, va="bottom")
    write(0, top - 5, "Queries: which letter?", 15, va="bottom")
    for mark, (left, upper) in zip(result.marks, below, strict=True):
        write(left + SIZE / 2, upper + SIZE + 2, mark, 14, **CENTRED, va="top")
    ax.set(xlim=(0, VIEW[0]), ylim=(VIEW[1], 0), aspect="equal")
    ax.set_title(result.title)
    ax.axis("off")


CENTRED = {"ha": "center", "fontweight": "bold"}


@style()
def draw_steps(ax: Axes, curves: dict[str, tuple[str, str, list[float]]], chance: float,
               title: str) -> None:  # fmt: skip
    """Accuracy on queries against inner steps: name -> (method, line style, accuracies)."""
    ends = spread([accuracy[-1] for *_, accuracy in curves.values()], 0.075)
    for (name, (method, line, accuracy)), end in zip(curves.items(), ends, strict=True):
        color = METHODS[method].color
        ax.plot(range(len(accuracy)), accuracy, color=color, linestyle=line)
        label_end(ax, len(accuracy) - 1, end, name, color)
    ax.axhline(chance, color=INK, linewidth=1, linestyle=":")
    ax.annotate("guessing", (len(accuracy) / 2, chance), xytext=(0, -3), fontsize=12, va="top",
                textcoords="offset points")  # fmt: skip
    percent_axis(ax)
    ax.set(xlim=(0, len(accuracy) - 1), xlabel="inner steps k", ylabel="query accuracy",
           title=title)  # fmt: skip


def describe_steps(curves: dict[str, tuple[str, str, list[float]]]) -> str:
    """The alternative text of `draw_steps`."""
    parts = [f"{name} {a[0]:.0%} to {a[-1]:.0%}" for name, (_, _, a) in curves.items()]
    return f"{'; '.join(parts)}, after {len(next(iter(curves.values()))[2]) - 1} steps."


@style()
def draw_few_shot_guesses(ax: Axes, guesses: dict[str, float]) -> None:
    """The reader's guesses for one shot, as large open markers in the rows of `draw_table`."""
    names = list(FEW_SHOT)[::-1]
    for method, accuracy in guesses.items():
        look = FEW_SHOT[method]
        ax.plot(accuracy, names.index(method) + 0.14, look.marker, color=look.color,
                mfc="none", mew=2, markersize=20)  # fmt: skip


@style()
def draw_table(axes: Sequence[Axes], cells: Sequence, chance: float) -> None:
    """Few-shot accuracy with 95 % intervals: a panel per setting, a row per method, by shots."""
    settings = list(dict.fromkeys(cell.setting for cell in cells))
    for ax, setting in zip(axes, settings, strict=True):
        here = [cell for cell in cells if cell.setting == setting]
        names = list(dict.fromkeys(cell.method for cell in here))
        for cell in here:
            row, look = len(names) - 1 - names.index(cell.method), FEW_SHOT[cell.method]
            mean, low, high = cell.interval
            row += 0.14 if cell.shots == 1 else -0.14
            ax.plot([low, high], [row, row], color=look.color, linewidth=6, alpha=0.4)
            ax.plot(mean, row, look.marker, color=look.color, markersize=10,
                    mfc="none" if cell.shots == 1 else look.color, mew=2)  # fmt: skip
        ax.axvline(chance, color=INK, linewidth=1, linestyle=":")
        ax.set_yticks(range(len(names)), [FEW_SHOT[name].name for name in names[::-1]])
        ax.set(xlim=(0, 1), ylim=(-0.6, len(names) - 0.4), xlabel="query accuracy")
        ax.set_xticks(np.linspace(0, 1, 6), [f"{v:.0%}" for v in np.linspace(0, 1, 6)])
        ax.set_title({"within": "Within, CLIP features win",
                      "across": "Across styles, CLIP hardly leads"}[setting])  # fmt: skip
    axes[-1].set_yticklabels([])


def describe_table(cells: Sequence) -> str:
    """The alternative text of `draw_table`."""
    parts = [
        f"{FEW_SHOT[cell.method].name} {cell.interval.mean:.0%} ({cell.setting}, {cell.shots} shot)"
        for cell in cells
    ]
    return f"Five-way accuracy on unseen concepts: {'; '.join(parts)}."
