"""Notebook 06: when does fine-tuning distort features, and when is it worth it? The exact model."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import ipywidgets
import numpy as np

from labkit import plots
from labkit.lp_ft import theory as model
from labkit.ui.panel import Panel, panel

DIM, RANK, STEPS = 100, 5, 500
FEATURE_ERRORS = np.linspace(0, 1.4, 8)  # from perfect features to nearly orthogonal ones


class Distortion(NamedTuple):
    """One instance trained three ways, and how the ends change with the feature error alone."""

    run: model.Simulation
    finals: np.ndarray  # (3, len(FEATURE_ERRORS)) final OOD losses of ft, lp, lp_ft


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
    others = (head_scale, subspace_dim, samples, seed)
    run = model.simulate(DIM, RANK, samples, subspace_dim, feature_error, head_scale, seed, STEPS)
    return Distortion(run, sweep(*others))


def crossover(finals: np.ndarray) -> float | None:
    """The feature error from which on fine-tuning beats LP-FT; None if it does not at the end."""
    behind = finals[0] - finals[2]  # positive where fine-tuning is worse
    worse = np.flatnonzero(behind >= 0)
    if not len(worse):
        return float(FEATURE_ERRORS[0])
    i = worse[-1]
    if i == len(FEATURE_ERRORS) - 1:
        return None
    share = behind[i] / (behind[i] - behind[i + 1])
    return float(FEATURE_ERRORS[i] + share * (FEATURE_ERRORS[i + 1] - FEATURE_ERRORS[i]))


def never_behind(finals: np.ndarray) -> bool:
    """Whether LP-FT ends below fine-tuning at every feature error."""
    return bool((finals[0] >= finals[2]).all())


def final_errors(run: model.Simulation) -> dict[str, float]:
    """Root-mean-square OOD errors at the end, by the name of plots.METHODS."""
    names = {"ft": "fine-tuning", "lp": "probe", "lp_ft": "lp-ft"}
    return {key: float(getattr(run, name).ood_loss[-1] ** 0.5) for name, key in names.items()}


def draw_theory(axes: np.ndarray, result: Distortion) -> None:
    ends = final_errors(result.run)
    best = min(ends, key=ends.get)
    if ends["probe"] < 0.005 and ends["lp-ft"] < 0.005:
        headline = f"Only fine-tuning errs OOD: {ends['fine-tuning']:.2f}"
    else:
        headline = f"Best OOD: {plots.METHODS[best].name}, {ends[best]:.2f}"
    plots.draw_losses(axes[0], result.run, headline)
    where = crossover(result.finals)
    verdict = f"FT beats LP-FT from ε = {where:.2f}" if where is not None else (
        "LP-FT wins at every ε" if never_behind(result.finals) else "Neither wins at every ε"
    )  # fmt: skip
    plots.draw_crossover(axes[1], FEATURE_ERRORS, result.finals, result.run, verdict)


def describe_theory(result: Distortion) -> str:
    run, where = result.run, crossover(result.finals)
    ends = ", ".join(f"{plots.METHODS[m].name} {e:.2f}" for m, e in final_errors(run).items())
    ids = ", ".join(
        f"{plots.METHODS[key].name} {getattr(run, name).id_loss[-1] ** 0.5:.2f}"
        for name, key in (("ft", "fine-tuning"), ("lp", "probe"), ("lp_ft", "lp-ft"))
    )
    beyond = f"beyond a feature error of {where:.2f}" if where is not None else (
        "at no feature error" if never_behind(result.finals) else "at some, not at the largest"
    )  # fmt: skip
    return (
        f"With feature error {run.problem.feature_error:.2f}, a head of length "
        f"{np.linalg.norm(run.problem.v0):.2f}, {len(run.problem.X)} samples in "
        f"{len(run.problem.subspace)} of {DIM} dimensions, errors end out of distribution at "
        f"{ends}; in distribution at {ids}. Fine-tuning's OOD error cannot go below "
        f"{run.bound**0.5:.2f}. It moves the features by {run.ft.moved_inside[-1]:.2f} inside the "
        f"training span and by {run.ft.moved_outside[-1]:.2f} outside, LP-FT by "
        f"{run.lp_ft.moved_inside[-1]:.2f} and {run.lp_ft.moved_outside[-1]:.2f}. "
        f"Fine-tuning beats LP-FT {beyond}."
    )


def theory() -> Panel:
    """Turn the quality of the features and the head; all three methods are trained anew."""
    remembered = lru_cache(maxsize=1)(sweep_errors)  # while only the feature error moves

    def compute(feature_error, head_scale, subspace_dim, samples, seed) -> Distortion:
        return compute_theory(
            feature_error, head_scale, subspace_dim, samples, seed, sweep=remembered
        )

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
        head_scale=ipywidgets.FloatSlider(0.3, min=0, max=1, step=0.05, description="Head scale"),
        subspace_dim=ipywidgets.IntSlider(20, 10, 60, description="ID dimensions"),
        samples=ipywidgets.IntSlider(40, 10, 100, description="Samples"),
        seed=ipywidgets.IntSlider(0, 0, 19, description="Seed"),
    )
