"""Notebook 02: sinusoids, and the objective over two parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from labkit import meta, plots
from labkit.meta import batched, sinusoids
from labkit.meta import landscape as land
from labkit.ui.panel import Panel, panel
from labkit.ui.raster import Place

# ------------------------------------------------ sinusoids: A is a few steps from theta


class Adapted(NamedTuple):
    """One sinusoid before and after adaptation, and the mean error of tasks like it."""

    x: np.ndarray  # (points,)
    truth: np.ndarray  # (points,)
    functions: dict[str, np.ndarray]  # method -> (points,) after all steps
    support: tuple[np.ndarray, np.ndarray]  # x and y, each (shots,)
    errors: dict[str, np.ndarray]  # method -> (steps + 1,), the mean over tasks
    inside: bool  # whether theta was trained on such amplitudes and phases


TASKS_LIKE_IT = 12


def compute_sinusoids(
    networks: Mapping[str, nn.Module],
    amplitude: float,
    phase: float,
    shots: int,
    steps: int,
    inner_lr: float,
    order: str = "second",
    noise: float = 0.0,
    seed: int = 0,
) -> Adapted:
    """Adapt every network to `shots` points of a sin(x - b), with a and b near what is asked for.

    `networks`: the thetas of `sinusoids.METHODS`; `order` picks "maml" or "fomaml".
    """
    near = sinusoids.Sines((amplitude - 0.1, amplitude + 0.1), (phase - 0.1, phase + 0.1), noise)
    generator = torch.Generator().manual_seed(seed)
    batch = sinusoids.sample(TASKS_LIKE_IT, shots, 40, generator, near)
    x = torch.linspace(*sinusoids.RANGE, 101)[:, None]
    exact = sinusoids.sample(
        1, shots, 1, generator, sinusoids.Sines((amplitude,) * 2, (phase,) * 2)
    )
    noisy = exact.support_y + noise * torch.randn(exact.support_y.shape, generator=generator)
    support_x = torch.cat([exact.support_x, batch.support_x])
    support_y = torch.cat([noisy, batch.support_y])
    chosen = {
        method: networks["fomaml" if method == "maml" and order == "first" else method]
        for method in ("maml", "reptile", "joint", "random")
    }
    functions, errors = {}, {}
    for method, network in chosen.items():
        descent = meta.GradientDescent(network, inner_lr, steps, F.mse_loss, first_order=True)
        path = descent.path(support_x, support_y)
        functions[method] = _curve(network, path[-1], x)
        errors[method] = _errors(network, path, batch)
    return Adapted(
        x[:, 0].numpy(),
        amplitude * np.sin(x[:, 0].numpy() - phase),
        functions,
        (exact.support_x[0, :, 0].numpy(), noisy[0, :, 0].numpy()),
        errors,
        _trained_on(amplitude, phase),
    )


def _curve(network: nn.Module, weights: batched.Weights, x: torch.Tensor) -> np.ndarray:
    """The first task's function; where it left the numbers, it left the picture too."""
    first = {name: w[:1] for name, w in weights.items()}
    with torch.no_grad():
        return batched.forward(network, first, x[None])[0, :, 0].nan_to_num(1e6).numpy()


def _errors(network: nn.Module, path: list[batched.Weights], batch: meta.TaskBatch) -> np.ndarray:
    """The mean error of all tasks but the first after each step, (steps + 1,), in one pass."""
    weights = {name: torch.cat([step[name][1:] for step in path]) for name in path[0]}
    x, y = (part.repeat(len(path), 1, 1) for part in (batch.query_x, batch.query_y))
    with torch.no_grad():
        squares = (batched.forward(network, weights, x) - y).square()
    errors = squares.unflatten(0, (len(path), -1)).mean(dim=(1, 2, 3))
    return errors.nan_to_num(np.inf, posinf=np.inf).numpy()


def _trained_on(amplitude: float, phase: float) -> bool:
    (low_a, high_a), (low_b, high_b) = sinusoids.AMPLITUDES, sinusoids.PHASES
    return low_a <= amplitude <= high_a and low_b <= phase <= high_b


def draw_sinusoids(axes, result: Adapted) -> None:
    steps = len(result.errors["maml"]) - 1
    where = "In the trained range" if result.inside else "Out of range"
    best = min(result.errors, key=lambda method: result.errors[method][-1])
    finding = f"{where}: {plots.look_of(best).name} wins"
    title = f"One task; points: {len(result.support[0])}, steps: {steps}"
    plots.draw_functions(axes[0], result.x, result.truth, result.functions, result.support, title)
    plots.draw_errors(axes[1], result.errors, finding)


def describe_sinusoids(result: Adapted) -> str:
    parts = [
        f"{plots.look_of(method).name} {error[0]:.3g} before and {error[-1]:.3g} after"
        for method, error in result.errors.items()
    ]
    where = "inside" if result.inside else "outside"
    return (
        f"Squared error on new points of sinusoids {where} the trained range, before and after "
        f"{len(result.errors['maml']) - 1} steps on {len(result.support[0])} points: "
        f"{'; '.join(parts)}."
    )


def sinusoid_panel(networks: Mapping[str, nn.Module]) -> Panel:
    """Adapt `networks` (the thetas of `sinusoids.METHODS`) to any sinusoid, live."""

    def compute(**values) -> Adapted:
        return compute_sinusoids(networks, **values)

    return panel(
        compute,
        draw_sinusoids,
        describe_sinusoids,
        size=(11, 4.6),
        columns=2,
        title="One task, few points: what does each θ make of them?",
        amplitude=ipywidgets.FloatSlider(
            3.0, min=0.5, max=8.0, step=0.25, description="Amplitude (trained: to 5)"
        ),
        phase=ipywidgets.FloatSlider(
            1.0, min=0.0, max=6.25, step=0.25, description="Phase (trained: to 3.1)"
        ),
        shots=ipywidgets.IntSlider(10, 1, 20, description="Points"),
        steps=ipywidgets.IntSlider(3, 0, 10, description="Inner steps"),
        inner_lr=ipywidgets.FloatSlider(
            sinusoids.INNER_LR, min=0.0, max=0.1, step=0.005, readout_format=".3f",
            description="Inner rate",
        ),
        order=ipywidgets.Dropdown(options=["second", "first"], description="MAML's order"),
        noise=ipywidgets.FloatSlider(0.0, min=0.0, max=2.0, step=0.1, description="Noise"),
        seed=ipywidgets.IntSlider(0, 0, 9, description="Draw"),
    )  # fmt: skip


# ------------------------------------------------ the whole objective, over two parameters


class Objective(NamedTuple):
    """A `landscape.Landscape` with the tasks themselves."""

    theta: np.ndarray
    paths: np.ndarray
    losses: np.ndarray
    grid: np.ndarray
    objective: np.ndarray
    best: np.ndarray
    best_value: float
    steps: int
    optima: np.ndarray  # (tasks, 2)
    points: list[np.ndarray]  # per task: x and y, (2, points)


def compute_landscape(intercept: float, slope: float, steps: int, inner_lr: float) -> Objective:
    """The objective after `steps` inner steps, and what the tasks do from theta."""
    found = land.landscape(np.array([intercept, slope]), steps, inner_lr)
    points = [np.array([x, a + b * x]) for x, (a, b) in zip(land.INPUTS, land.OPTIMA, strict=True)]
    return Objective(*found, land.OPTIMA, points)


def describe_landscape(result: Objective) -> str:
    losses = ", ".join(f"{loss:.2f}" for loss in result.losses)
    steps = "1 step leaves" if result.steps == 1 else f"{result.steps} steps leave"
    return (
        f"From theta ({result.theta[0]:.1f}, {result.theta[1]:.1f}), {steps} "
        f"the three tasks losses {losses}, in sum {result.losses.sum():.2f}. The best theta is "
        f"({result.best[0]:.2f}, {result.best[1]:.2f}), with {result.best_value:.2f}."
    )


def clicked_theta(_result: Objective, place: Place) -> dict[str, float]:
    """A click on the plane moves theta there, to the sliders' steps."""
    if place.axes != 0:
        return {}
    return {"intercept": round(place.x, 1), "slope": round(place.y, 1)}


def objective_landscape() -> Panel:
    """Move theta by two sliders or a click; see the objective, every f_i, and theta^ follow."""
    return panel(
        compute_landscape,
        plots.draw_landscape,
        describe_landscape,
        size=(11, 4.8),
        columns=2,
        title="Move θ (or click the plane): how well does every task start from there?",
        click=clicked_theta,
        intercept=ipywidgets.FloatSlider(-2.0, min=-3, max=3, step=0.1, description="θ₁ intercept"),
        slope=ipywidgets.FloatSlider(-2.0, min=-3, max=3, step=0.1, description="θ₂ slope"),
        steps=ipywidgets.IntSlider(1, 0, 20, description="Inner steps k"),
        inner_lr=ipywidgets.FloatSlider(
            0.3, min=0.05, max=0.5, step=0.05, description="Inner rate"
        ),
    )
