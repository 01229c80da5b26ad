"""Instances of the two-layer linear model: what pretraining knows, and where the inputs lie."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from labkit.inputs import matrices, real, whole


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
    head_scale = real("head_scale", head_scale, 1e3)
    seed = whole("seed", seed, 0)
    streams = [np.random.default_rng([seed, part]) for part in range(5)]
    features, ideal, inputs, truth, head = (stream.standard_normal for stream in streams)
    other = min(rank, dim - rank)
    frame = np.linalg.qr(features((rank + other, dim)).T)[0].T  # (rank + other, d)
    subspace = np.linalg.qr(ideal((subspace_dim, dim)).T)[0].T
    X = inputs((samples, subspace_dim)) @ subspace
    v_star = truth(rank)
    problem = Problem(
        X, subspace, frame[:rank], frame[:rank], v_star / np.linalg.norm(v_star),
        head_scale * head(rank) / rank**0.5, 0.0,
    )  # fmt: skip
    return problem._replace(B0=turned(frame, rank, feature_error), feature_error=feature_error)


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
