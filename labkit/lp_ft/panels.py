"""Notebook 06: when does fine-tuning distort features, and when is it worth it? The exact model."""

from __future__ import annotations

from functools import lru_cache

import ipywidgets
import numpy as np

from labkit.looks import LOOKS
from labkit.lp_ft import theory as model
from labkit.lp_ft.figures import draw_crossover, draw_losses
from labkit.lp_ft.theory import FEATURE_ERRORS, Distortion, final_errors
from labkit.ui.panel import Panel, panel

DIM, RANK, STEPS = 100, 5, 500


def sweep_errors(head_scale: float, subspace_dim: int, samples: int, seed: int) -> np.ndarray:
    """Final OOD losses of ft, lp and lp_ft at each of FEATURE_ERRORS: (3, errors)."""
    problems = [
        model.draw_problem(DIM, RANK, samples, subspace_dim, error, head_scale, seed)
        for error in FEATURE_ERRORS
    ]
    return model.final_losses(problems[0], [p.B0 for p in problems], STEPS)


def compute_theory(
    feature_error: float, head_scale: float, subspace_dim: int, samples: int, seed: int,
    sweep=sweep_errors,
) -> Distortion:  # fmt: skip
    """Train all three on one instance; `sweep` may remember curves, which take half the time."""
    run = model.simulate(DIM, RANK, samples, subspace_dim, feature_error, head_scale, seed, STEPS)
    return Distortion(run, sweep(head_scale, subspace_dim, samples, seed))


def draw_theory(axes: np.ndarray, result: Distortion) -> None:
    draw_losses(axes[0], result)
    draw_crossover(axes[1], result)


def describe_theory(result: Distortion) -> str:
    run, where = result.run, result.crossover
    ood, id_ = (
        ", ".join(f"{LOOKS[m].name} {error:.2f}" for m, error in final_errors(run, loss).items())
        for loss in ("ood_loss", "id_loss")
    )
    beyond = "at no feature error" if result.never_behind else "at some, not at the largest"
    if where is not None:
        beyond = f"beyond a feature error of {where:.2f}"
    return (
        f"With feature error {run.problem.feature_error:.2f}, a head of length "
        f"{np.linalg.norm(run.problem.v0):.2f}, {len(run.problem.X)} samples in "
        f"{len(run.problem.subspace)} of {DIM} dimensions, errors end out of distribution at "
        f"{ood}; in distribution at {id_}. Fine-tuning's OOD error cannot go below "
        f"{run.bound**0.5:.2f}. It moves the features by {run.ft.moved_inside[-1]:.2f} inside the "
        f"training span and by {run.ft.moved_outside[-1]:.2f} outside, LP-FT by "
        f"{run.lp_ft.moved_inside[-1]:.2f} and {run.lp_ft.moved_outside[-1]:.2f}. "
        f"Fine-tuning beats LP-FT {beyond}."
    )


def theory() -> Panel:
    """Turn the quality of the features and the head; all three methods are trained anew."""
    remembered = lru_cache(maxsize=1)(sweep_errors)  # while only the feature error moves

    def compute(feature_error, head_scale, subspace_dim, samples, seed) -> Distortion:
        return compute_theory(feature_error, head_scale, subspace_dim, samples, seed, remembered)

    return panel(
        compute,
        draw_theory,
        describe_theory,
        size=(11.5, 4.4),
        columns=2,
        title="When does fine-tuning distort features? A two-layer linear model, solved",
        feature_error=ipywidgets.FloatSlider(
            0.0, min=0, max=1.4, step=0.05, description="Feature error ε"
        ),
        head_scale=(0.0, 1.0, 0.05, 0.3),
        subspace_dim=ipywidgets.IntSlider(20, 10, 60, description="ID dimensions"),
        samples=(10, 100, 1, 40),
        seed=(0, 19, 1, 0),
    )
