"""The objective of meta-learning where it can be seen whole: theta has two numbers.

Each task is a line to be fitted by f(x) = theta_1 + theta_2 x. Its loss is quadratic, so k steps of
gradient descent, the objective sum_i L(D_i, A(D_i, theta)) and its minimiser theta^ are exact.
"""

from typing import NamedTuple

import numpy as np

from labkit.inputs import between, matrices, whole

# Three tasks, centred, so that intercept and slope do not mix. The wider a task's points lie, the
# steeper its loss in the slope, and the faster gradient descent learns that slope.
INPUTS = np.array([[-0.5, 0.0, 0.5], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])  # (tasks, points)
OPTIMA = np.array([[1.6, -1.2], [-1.4, 1.6], [0.2, 0.4]])  # (tasks, 2): intercept and slope
POINTS = np.stack([INPUTS, OPTIMA[:, :1] + OPTIMA[:, 1:] * INPUTS], axis=1)  # (tasks, 2, points)
PHI = np.stack([np.ones_like(INPUTS), INPUTS], axis=2)  # (tasks, points, 2)
HESSIANS = PHI.transpose(0, 2, 1) @ PHI / INPUTS.shape[1]  # (tasks, 2, 2)
STABLE = 2 / np.linalg.eigvalsh(HESSIANS).max()  # a larger rate overshoots for ever
LIMIT = 3.0  # both parameters are shown from -LIMIT to LIMIT


class Landscape(NamedTuple):
    """Everything the picture shows, for one theta, number of steps and inner learning rate."""

    theta: np.ndarray  # (2,)
    paths: np.ndarray  # (tasks, steps + 1, 2), from theta
    losses: np.ndarray  # (tasks,): L(D_i, f_i) after the steps
    grid: np.ndarray  # (points,), both axes
    objective: np.ndarray  # (points, points), rows theta_2: the sum of the losses after the steps
    best: np.ndarray  # (2,): theta^
    best_value: float
    steps: int
    optima: np.ndarray = OPTIMA  # (tasks, 2)
    points: np.ndarray = POINTS  # (tasks, 2, points): x and y


def contraction(steps: int, lr: float) -> np.ndarray:
    """(tasks, 2, 2): what `steps` steps do to theta - theta_i, which is (I - lr H_i)^steps."""
    return np.linalg.matrix_power(np.eye(2) - lr * HESSIANS, steps)


def curvature(steps: int, lr: float) -> np.ndarray:
    """(tasks, 2, 2): the Hessian of L(D_i, A(D_i, theta)) in theta."""
    shrink = contraction(steps, lr)
    return shrink.transpose(0, 2, 1) @ HESSIANS @ shrink


def minimiser(steps: int, lr: float) -> np.ndarray:
    """theta^ = argmin_theta sum_i L(D_i, A(D_i, theta)), (2,)."""
    g = curvature(steps, lr)
    return np.linalg.solve(g.sum(axis=0), (g @ OPTIMA[:, :, None]).sum(axis=0))[:, 0]


def values(theta: np.ndarray, steps: int, lr: float) -> np.ndarray:
    """L(D_i, A(D_i, theta)) for theta (..., 2) -> (..., tasks): half the mean squared error."""
    away = theta[..., None, :] - OPTIMA  # (..., tasks, 2)
    return 0.5 * np.einsum("...ti,tij,...tj->...t", away, curvature(steps, lr), away)


def landscape(theta: np.ndarray, steps: int, lr: float, points: int = 41) -> Landscape:
    """Adapt every task from `theta`, and evaluate the objective on a grid; 0 < lr < STABLE."""
    steps, points = whole("steps", steps, 0), whole("points", points, 1)
    lr = between("lr", lr, 0, STABLE)
    (theta,) = matrices(theta=np.reshape(theta, (1, 2)))[0]
    away = [(contraction(k, lr) @ (theta - OPTIMA)[:, :, None])[:, :, 0] for k in range(steps + 1)]
    grid, best = np.linspace(-LIMIT, LIMIT, points), minimiser(steps, lr)
    plane = np.stack(np.meshgrid(grid, grid), axis=2)  # (points, points, 2)
    paths, found = OPTIMA[:, None] + np.stack(away, axis=1), values(plane, steps, lr).sum(axis=2)
    value = float(values(best, steps, lr).sum())
    return Landscape(theta, paths, values(theta, steps, lr), grid, found, best, value, steps)
