"""The two-layer linear model in which fine-tuning provably distorts features, solved exactly.

Kumar et al., ICLR 2022, section 3: f(x) = v'Bx with a head v (k,) and features B (k, d).
Pretraining left B0 within eps of the ideal B*; the truth is w* = B*'v*. ID inputs fill a subspace
of dimension m, OOD inputs all of R^d. `simulate` trains three ways, all by plain gradient descent
on the mean squared error:

    ft      head and features together, from a random head
    lp      the head alone (linear probing)
    lp_ft   head and features together, from linear probing's solution

Gradient descent rather than the paper's gradient flow: people run it, and an autograd loop can
check it to rounding (test_theory.py). A step of at most the inverse curvature follows the
flow: the final losses differ by a few per cent at most. It stays cheap, because the gradient with
respect to B is v times a combination of training inputs, so B moves in their span only: in
coordinates of that span a step takes microseconds, and linear probing has a closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from labkit.inputs import whole
from labkit.lp_ft.theory_bound import lower_bound
from labkit.lp_ft.theory_model import Problem, Span, draw_problem, span_of


class Trajectory(NamedTuple):
    """What training does, at recorded steps; the first axis of every array is time."""

    step: np.ndarray  # (t,) int, 0 first, then about evenly spaced in log(step)
    time: np.ndarray  # (t,) = learning_rate * step: comparable across methods
    learning_rate: float
    v: np.ndarray  # (t, k)
    B: np.ndarray  # (t, k, d)
    train_loss: np.ndarray  # (t,) mean squared error on X
    id_loss: np.ndarray  # (t,) expected squared error, inputs standard normal in the subspace
    ood_loss: np.ndarray  # (t,) expected squared error, inputs standard normal in R^d
    head_distance: np.ndarray  # (t,) |v - v*|
    moved_inside: np.ndarray  # (t,) |B - B0| (Frobenius) within the span of the rows of X
    moved_outside: np.ndarray  # (t,) and orthogonally to it


class Simulation(NamedTuple):
    """The three methods on one problem. Losses are relative to |w*|^2 = 1, that of predicting 0."""

    ft: Trajectory
    lp: Trajectory
    lp_ft: Trajectory
    bound: (
        float  # ft.ood_loss never goes below (labkit.lp_ft.theory_bound); 0 where nothing is known
    )
    problem: Problem


def simulate(
    dim: int = 100, rank: int = 5, samples: int = 40, subspace_dim: int = 20,
    feature_error: float = 0.0, head_scale: float = 0.3, seed: int = 0, steps: int = 1000,
) -> Simulation:  # fmt: skip
    """Train all three methods on the instance that `draw_problem` makes of these arguments.

    Raises ValueError or TypeError naming an argument that no instance can have.
    """
    steps = whole("steps", steps, 1)
    problem = draw_problem(dim, rank, samples, subspace_dim, feature_error, head_scale, seed)
    span, probed = span_of(problem.X), probe(problem)
    ft, lp_ft = fine_tune(problem, [problem.B0] * 2, [problem.v0, probed.v[-1]], recorded(steps))
    return Simulation(ft, probed, lp_ft, bound_of(problem, ft, span), problem)


def bound_of(problem: Problem, run: Trajectory, span: Span) -> float:
    """The OOD loss that this fine-tuning run never goes below.

    Flow would conserve vv' - BB'. What gradient descent makes of it is measured, and allowed for.
    """
    balance = run.v[:, :, None] * run.v[:, None, :] - run.B @ run.B.transpose(0, 2, 1)  # (t, k, k)
    imbalance = float(np.linalg.norm(balance - balance[0], axis=(1, 2)).max())
    return lower_bound(
        problem.B0, run.v[0], problem.v_star, span.axes, problem.feature_error, imbalance
    )


def fine_tune(
    problem: Problem, features: Sequence[np.ndarray], heads: Sequence[np.ndarray], at: np.ndarray
) -> list[Trajectory]:
    """Gradient descent on head and features from each (B0, v0), recorded at the steps `at`."""
    B0, span = np.stack(features), span_of(problem.X)
    rates, V, D = descend(problem, span, B0, np.stack(heads), at)
    trajectories = []
    for i, rate in enumerate(rates):
        moved = (D[:, i] - B0[i] @ span.axes.T) @ span.axes  # (t, k, d)
        trajectories.append(measure(problem, span, at, rate, V[:, i], B0[i], moved))
    return trajectories


def descend(
    problem: Problem, span: Span, B0: np.ndarray, v0: np.ndarray, at: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Many runs side by side, B0 (b, k, d) and v0 (b, k), in coordinates of the span.

    With D = B axes' (k, r) and residual e = D'v - axes w*, the loss is sum_i moments_i e_i^2, and
    a step is v -= 2 rate D (moments e), D -= 2 rate v (moments e)'. Returns the rates (b,), and v
    (t, b, k) and D (t, b, k, r) at the steps `at`.
    """
    target = span.axes @ problem.w_star  # (r,)
    # Largest curvature: 2 moments_1 (|v|^2 + |D|^2), where |D| <= 1 at first and |v| grows by 1.
    rates = 1 / (2 * span.moments[0] * ((v0**2).sum(axis=1) + 2))  # (b,)
    pull = 2 * rates[:, None, None] * span.moments  # (b, 1, r)
    v, D = v0[:, None, :].copy(), B0 @ span.axes.T  # rows (b, 1, k), (b, k, r)
    V, Ds = np.empty((len(at), *v0.shape)), np.empty((len(at), *D.shape))
    step = 0
    for i, stop in enumerate(at):
        for _ in range(step, stop):
            gradient = v @ D
            gradient -= target
            gradient *= pull  # (b, 1, r)
            head_step = gradient @ D.transpose(0, 2, 1)  # (b, 1, k)
            D -= v.transpose(0, 2, 1) @ gradient
            v -= head_step
        step, V[i], Ds[i] = stop, v[:, 0], D
    return rates, V, Ds


def probe(problem: Problem) -> Trajectory:
    """Gradient descent on the head alone, in closed form, up to its limit.

    The limit is the least-squares head nearest to v0. It is unique, and so v* where eps = 0, when
    samples and subspace_dim are both at least the rank.
    """
    span = span_of(problem.X)
    modes = _modes(problem, span, problem.B0)
    start = modes.axes @ problem.v0  # (j,)
    largest = modes.singular[0] ** 2
    rate = 1 / (4 * largest)  # half the inverse curvature
    shrink = np.log1p(-(modes.singular**2) / largest / 2)  # log of what a step leaves, (j,)
    at = recorded(int(np.ceil(-37 / shrink[-1])))  # until e^-37 of the distance is left: rounding
    left = np.exp(at[:, None] * shrink) * (start - modes.limit)  # (t, j)
    left[-1] = 0
    v = problem.v0 + (modes.limit + left - start) @ modes.axes  # (t, k)
    still = np.zeros((len(at), 1, 1))
    return measure(problem, span, at, rate, v, problem.B0, still)


class Modes(NamedTuple):
    """Directions of the head in which the loss of a linear probe is a separate parabola each."""

    axes: np.ndarray  # (j, k), orthonormal rows
    singular: np.ndarray  # (j,), largest first; the curvature is 2 singular^2
    limit: np.ndarray  # (j,), where along each axis the loss is least


def _modes(problem: Problem, span: Span, B0: np.ndarray) -> Modes:
    scale = np.sqrt(span.moments)  # (r,)
    features = scale[:, None] * (span.axes @ B0.T)  # (r, k): X B0' / sqrt(n), its rows rotated
    U, singular, axes = np.linalg.svd(features, full_matrices=False)  # (r, j), (j,), (j, k)
    seen = singular > 1e-8 * singular[0]  # the others would take 1e17 steps, and so stay at v0
    wanted = scale * (span.axes @ problem.w_star)  # (r,)
    return Modes(axes[seen], singular[seen], (U.T @ wanted)[seen] / singular[seen])


def final_losses(problem: Problem, features: Sequence[np.ndarray], steps: int) -> np.ndarray:
    """The last OOD losses of ft, lp and lp_ft, (3, b), for each of b features B0 (k, d)."""
    span = span_of(problem.X)
    probed = []
    for B0 in features:
        modes = _modes(problem, span, B0)
        probed.append(problem.v0 + (modes.limit - modes.axes @ problem.v0) @ modes.axes)
    heads = np.stack([*[problem.v0] * len(features), *probed])  # (2b, k)
    B0 = np.stack([*features, *features])  # (2b, k, d)
    _, V, D = descend(problem, span, B0, heads, np.array([steps]))
    B = B0 + (D[0] - B0 @ span.axes.T) @ span.axes

    def ood(v: np.ndarray, B: np.ndarray) -> np.ndarray:
        return (((v[:, None, :] @ B)[:, 0] - problem.w_star) ** 2).sum(axis=1)

    ft, lp_ft = ood(V[0], B).reshape(2, -1)
    return np.stack([ft, ood(heads, B0)[len(features) :], lp_ft])


def measure(
    problem: Problem, span: Span, at: np.ndarray, rate: float, v: np.ndarray, B0: np.ndarray,
    moved: np.ndarray,
) -> Trajectory:  # fmt: skip
    """Everything recorded about one run; v: (t, k), moved: B - B0, (t, k, d) or (t, 1, 1) zeros."""
    B = np.broadcast_to(B0 + moved, (len(at), *B0.shape))
    error = (v[:, None, :] @ B)[:, 0] - problem.w_star  # (t, d)
    change = B - B0
    inside = change @ span.axes.T  # (t, k, r)
    outside = change - inside @ span.axes
    return Trajectory(
        step=at, time=rate * at, learning_rate=float(rate), v=v, B=B,
        train_loss=((error @ span.axes.T) ** 2) @ span.moments,
        id_loss=((error @ problem.subspace.T) ** 2).sum(axis=1),
        ood_loss=(error**2).sum(axis=1),
        head_distance=np.linalg.norm(v - problem.v_star, axis=1),
        moved_inside=np.linalg.norm(inside, axis=(1, 2)),
        moved_outside=np.linalg.norm(outside, axis=(1, 2)),
    )  # fmt: skip


def recorded(steps: int, points: int = 100) -> np.ndarray:
    """About `points` whole numbers from 0 to `steps`, evenly spaced in their logarithm."""
    steps, points = whole("steps", steps, 1), whole("points", points, 1)
    spaced = np.rint(np.geomspace(1, steps, points)).astype(np.int64)
    return np.unique([0, *spaced[:-1], steps])
