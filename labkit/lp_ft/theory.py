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

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from labkit.inputs import matrices, real, whole
from labkit.lp_ft.theory_bound import lower_bound

# ---------------------------------------------------------------- an instance


class Problem(NamedTuple):
    """One instance; every matrix named after the paper has orthonormal rows."""

    X: np.ndarray  # (n, d) training inputs, standard normal in the ID subspace
    subspace: np.ndarray  # (m, d), orthonormal rows
    B_star: np.ndarray  # (k, d)
    B0: np.ndarray  # (k, d), at distance feature_error from B_star, also up to rotation
    v_star: np.ndarray  # (k,), of length 1
    v0: np.ndarray  # (k,), normal, of length head_scale on average (root mean square)
    feature_error: float

    @property
    def w_star(self) -> np.ndarray:
        return self.B_star.T @ self.v_star  # (d,)


class Span(NamedTuple):
    """The span of the training inputs, in the principal axes of their second moments."""

    axes: np.ndarray  # (r, d), orthonormal rows
    moments: np.ndarray  # (r,), eigenvalues of X'X / n, largest first


def draw_problem(
    dim: int, rank: int, samples: int, subspace_dim: int, feature_error: float, head_scale: float,
    seed: int,
) -> Problem:  # fmt: skip
    """Draw an instance. Each part has its own random stream, so one argument changes one part."""
    dim = whole("dim", dim, 1)
    rank = whole("rank", rank, 1, dim, "dim")
    samples = whole("samples", samples, 1)
    subspace_dim = whole("subspace_dim", subspace_dim, 1, dim, "dim")
    farthest = 2**0.5 if rank < dim else 0.0  # B of full rank differ by a rotation only
    feature_error = real("feature_error", feature_error, farthest)
    head_scale, seed = real("head_scale", head_scale, 1e3), whole("seed", seed, 0)
    streams = [np.random.default_rng([seed, part]) for part in range(5)]
    features, ideal, inputs, truth, head = (stream.standard_normal for stream in streams)
    other = min(rank, dim - rank)
    frame = np.linalg.qr(features((rank + other, dim)).T)[0].T  # (rank + other, d)
    subspace = np.linalg.qr(ideal((subspace_dim, dim)).T)[0].T
    X = inputs((samples, subspace_dim)) @ subspace
    v_star = truth(rank)
    return Problem(
        X, subspace, frame[:rank], turned(frame, rank, feature_error),
        v_star / np.linalg.norm(v_star), head_scale * head(rank) / rank**0.5, feature_error,
    )  # fmt: skip


def turned(frame: np.ndarray, rank: int, error: float) -> np.ndarray:
    """B0: the first `rank` rows of `frame` turned towards the others until |B0 - B*| = error.

    Raises ValueError for an error above 2, the farthest that two unit vectors can be apart.
    """
    (frame,) = matrices(frame=frame)
    rank, error = whole("rank", rank, 1, len(frame), "rows of frame"), real("error", error, 2)
    angle = 2 * np.arcsin(error / 2)  # a chord of the unit circle
    B0, other = frame[:rank].copy(), frame[rank : 2 * rank]
    B0[: len(other)] = np.cos(angle) * B0[: len(other)] + np.sin(angle) * other
    return B0


def span_of(X: np.ndarray) -> Span:
    """The span of the rows of X (n, d), finite; its dimension r is at most min(n, m)."""
    (X,) = matrices(X=X)
    _, singular, axes = np.linalg.svd(X, full_matrices=False)
    rank = int((singular > 1e-12 * singular[0]).sum())  # the svd also lists directions without data
    return Span(axes[:rank], singular[:rank] ** 2 / len(X))


# ---------------------------------------------------------------- all three methods on it


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
    bound: float  # ft.ood_loss never goes below (`theory_bound`); 0 where nothing is known
    problem: Problem


def simulate(
    dim: int = 100, rank: int = 5, samples: int = 40, subspace_dim: int = 20,
    feature_error: float = 0.0, head_scale: float = 0.3, seed: int = 0, steps: int = 1000,
    head_rate: float = 1.0,
) -> Simulation:  # fmt: skip
    """Train all three methods on the instance that `draw_problem` makes of these arguments.

    `head_rate`: how many times as fast as the features the head learns when both do.
    Raises ValueError or TypeError naming an argument that no instance can have.
    """
    steps, head_rate = whole("steps", steps, 1), real("head_rate", head_rate, 1e6)
    problem = draw_problem(dim, rank, samples, subspace_dim, feature_error, head_scale, seed)
    probed = probe(problem)
    starts = [problem.B0] * 2, [problem.v0, probed.v[-1]]
    ft, lp_ft = fine_tune(problem, *starts, recorded(steps), head_rate)
    return Simulation(ft, probed, lp_ft, bound_of(problem, ft), problem)


def bound_of(problem: Problem, run: Trajectory) -> float:
    """The OOD loss that this fine-tuning run never goes below.

    Flow would conserve vv' - BB'. What gradient descent makes of it is measured, and allowed for.
    """
    balance = run.v[:, :, None] * run.v[:, None, :] - run.B @ run.B.transpose(0, 2, 1)  # (t, k, k)
    imbalance = float(np.linalg.norm(balance - balance[0], axis=(1, 2)).max())
    axes, error = span_of(problem.X).axes, problem.feature_error
    return lower_bound(problem.B0, run.v[0], problem.v_star, axes, error, imbalance)


def fine_tune(
    problem: Problem, features: Sequence[np.ndarray], heads: Sequence[np.ndarray], at: np.ndarray,
    head_rate: float = 1.0,
) -> list[Trajectory]:  # fmt: skip
    """Gradient descent on head and features from each (B0, v0), recorded at the steps `at`."""
    B0, span = np.stack(features), span_of(problem.X)
    rates, V, D = descend(problem, span, B0, np.stack(heads), at, head_rate)
    moved = (D - B0 @ span.axes.T) @ span.axes  # (t, b, k, d)
    return [
        measure(problem, span, at, rate, V[:, i], B0[i], moved[:, i])
        for i, rate in enumerate(rates)
    ]


def descend(
    problem: Problem, span: Span, B0: np.ndarray, v0: np.ndarray, at: np.ndarray,
    head_rate: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Many runs side by side, B0 (b, k, d) and v0 (b, k), in coordinates of the span.

    With D = B axes' (k, r) and residual e = D'v - axes w*, the loss is sum_i moments_i e_i^2, and
    a step is v -= 2 head_rate rate D (moments e), D -= 2 rate v (moments e)'. Returns the features'
    rates (b,), and v (t, b, k) and D (t, b, k, r) at the steps `at`.
    """
    target = span.axes @ problem.w_star  # (r,)
    # Largest curvature, in steps of the features: 2 moments_1 (|v|^2 + head_rate |D|^2), where
    # |D| <= 1 at first and |v| grows by 1.
    rates = 1 / (2 * span.moments[0] * ((v0**2).sum(axis=1) + 1 + head_rate))  # (b,)
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
            v -= head_rate * head_step
        step, V[i], Ds[i] = stop, v[:, 0], D
    return rates, V, Ds


def probe(problem: Problem) -> Trajectory:
    """Gradient descent on the head alone, in closed form, up to its limit.

    The limit is the least-squares head nearest to v0. It is unique, and so v* where eps = 0, when
    samples and subspace_dim are both at least the rank.
    """
    span = span_of(problem.X)
    scale = np.sqrt(span.moments)  # (r,)
    features = scale[:, None] * (span.axes @ problem.B0.T)  # (r, k): X B0' / sqrt(n), rows rotated
    # Along each of these axes of the head the loss is a parabola of its own: 2 singular^2 is its
    # curvature, and `limit` where it is least.
    U, singular, axes = np.linalg.svd(features, full_matrices=False)  # (r, j), (j,), (j, k)
    seen = singular > 1e-8 * singular[0]  # the others would take 1e17 steps, and so stay at v0
    aim = U.T @ (scale * (span.axes @ problem.w_star))  # (j,)
    axes, singular, limit = axes[seen], singular[seen], aim[seen] / singular[seen]
    start = axes @ problem.v0  # (j,)
    rate = 1 / (4 * singular[0] ** 2)  # half the inverse curvature
    shrink = np.log1p(-((singular / singular[0]) ** 2) / 2)  # log of what a step leaves, (j,)
    at = recorded(int(np.ceil(-37 / shrink[-1])))  # until e^-37 of the distance is left: rounding
    left = np.exp(at[:, None] * shrink) * (start - limit)  # (t, j)
    left[-1] = 0
    v = problem.v0 + (limit + left - start) @ axes  # (t, k)
    return measure(problem, span, at, rate, v, problem.B0, np.zeros((len(at), 1, 1)))


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
