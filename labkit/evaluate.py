"""What was learned: neighbours, labels needed, how far things moved."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import data
from labkit.inputs import all_finite, matrices, refused, whole
from labkit.statistics import write_hits
from labkit.tasks import Task, checked, test_concepts
from labkit.training import Fit, features, share_right

ROUNDING = 1e-12  # of float64: what is smaller, in units of what it is left of, is no difference


def nearest(queries: Tensor, gallery: Tensor, count: int) -> Tensor:
    """Rows of `gallery` (m, dim) with the largest cosine to each query (n, dim), as (n, count).

    Raises ValueError when `count` is not between 1 and m, or for other shapes.
    """
    if queries.ndim != 2 or gallery.ndim != 2 or queries.shape[1] != gallery.shape[1]:
        got = f"shapes {tuple(queries.shape)} and {tuple(gallery.shape)}"
        raise refused("queries, gallery", got, "(n, dim) and (m, dim)")
    all_finite(queries=queries, gallery=gallery)
    count = whole("count", count, 1, len(gallery))
    # By default rows shorter than 1e-12 would stay short.
    one, two = (F.normalize(x.float(), dim=1, eps=1e-30) for x in (queries, gallery))
    cosines = one @ two.T  # (n, m)
    return cosines.topk(count, dim=1).indices


def labels_needed(shots: Sequence[float], accuracies: Sequence[float], target: float) -> float:
    """How many labels per class reach `target`, reading a learning curve horizontally.

    Interpolates in log(shots) between the first two neighbours that enclose the target; infinite
    when the curve never gets there, the first value of `shots` when it starts above. Raises
    ValueError for shots that do not rise from above 0, or accuracies that do not belong to them.
    """
    shots, accuracies = np.asarray(shots, dtype=float), np.asarray(accuracies, dtype=float)
    rising = shots.ndim == 1 and len(shots) and shots[0] > 0 and (np.diff(shots) > 0).all()
    if not rising or accuracies.shape != shots.shape or not np.isfinite([shots, accuracies]).all():
        accepted = "rising numbers above 0, and as many accuracies"
        raise refused("shots, accuracies", f"{shots} and {accuracies}", accepted)
    if math.isnan(target):
        raise refused("target", target, "a number")
    if accuracies[0] >= target:
        return float(shots[0])
    reached = np.flatnonzero(accuracies >= target)
    if not len(reached):
        return float("inf")
    i = reached[0]
    share = (target - accuracies[i - 1]) / (accuracies[i] - accuracies[i - 1])
    return float(np.exp(np.log(shots[i - 1]) + share * np.log(shots[i] / shots[i - 1])))


# ---------------------------------------------------------------- how far training moves things


class Movement(NamedTuple):
    """How far features have moved: the mean Euclidean distance, and as a share of their norm."""

    mean: float
    relative: float


def movement(before: Tensor, after: Tensor) -> Movement:
    """Compare features (n, dim) of the same images before and after training.

    Raises ValueError for different shapes, no rows, or features that are all zero before.
    """
    x, y = matrices(before=before, after=after)
    if x.shape != y.shape:
        raise refused("after", f"shape {y.shape}", f"{x.shape}, as before")
    norm = np.linalg.norm(x, axis=1).mean()
    if norm == 0:
        raise ValueError("before: all features are zero, accepted: some that are not")
    mean = np.linalg.norm(y - x, axis=1).mean()
    return Movement(float(mean), float(mean / norm))


class Measure:
    """What a sweep writes down of every network trained on one task from one encoder."""

    def __init__(self, encoder: nn.Module, task: Task) -> None:
        tests = {"id": task.test, **task.ood}
        self.tests = {name: checked(name, test, len(task.classes)) for name, test in tests.items()}
        self.start = self.features(encoder)

    def features(self, encoder: nn.Module) -> dict[str, Tensor]:
        """Test -> features (n, dim) of its images."""
        return {name: features(encoder, test.images) for name, test in self.tests.items()}

    def __call__(self, fit: Fit) -> dict[str, float]:
        """Accuracies and movement of the test images' features; OOD is the mean over its tests.

        A task without any has no such columns.
        """
        found = self.features(fit.model.encoder)
        right = {n: share_right(fit.model.head(x), self.tests[n].labels) for n, x in found.items()}
        moved = {n: movement(self.start[n], x).mean for n, x in found.items()}
        first, *others = self.tests
        sides = {"id": [first], "ood": others} if others else {"id": [first]}
        return {
            "validation": round(fit.validation, 4),
            **{s: round(float(np.mean([right[n] for n in sides[s]])), 4) for s in sides},
            **{f"moved_{s}": float(f"{np.mean([moved[n] for n in sides[s]]):.4g}") for s in sides},
        }


class Recognised:
    """Which drawings of the test concepts (data/emoji/splits.csv) a classifier gets right.

    answers: (images,) classes, or (images, classes) scores, in the order of
    `data.load(parts="test")`.
    """

    def __init__(self, answers: Tensor) -> None:
        emoji = data.load(parts="test")
        self.concept, self.style = emoji.concept, emoji.style
        answers = answers.argmax(dim=1) if answers.ndim == 2 else answers
        self.right = answers == data.labels_of(emoji.concept)

    def _drawn_by(self, styles: Sequence[str]) -> Tensor:
        return torch.isin(self.style, torch.tensor([data.STYLES.index(s) for s in styles]))

    def accuracy(self, *styles: str) -> float:
        """The share of their drawings that is right."""
        return self.right[self._drawn_by(styles)].float().mean().item()

    def hits(self, *styles: str) -> str:
        """The same by concept, for the table's column of hits (`statistics.write_hits`)."""
        rows, among = self._drawn_by(styles), sorted(test_concepts())
        return write_hits(self.right[rows], self.concept[rows], among)


class HeadChange(NamedTuple):
    """A linear head (classes, dim) against the one it started from."""

    norm: float  # Frobenius norm now
    norm_before: float
    angle: float  # degrees between the two, as vectors


def head_change(before: Tensor, after: Tensor) -> HeadChange:
    """Norms of two heads and the angle between them.

    A constant added to all classes changes no prediction, so the mean over classes is taken out
    first. Raises ValueError for different shapes or a head without differences between classes.
    """
    v, w = matrices(before=before, after=after)
    if v.shape != w.shape:
        raise refused("after", f"shape {w.shape}", f"{v.shape}, as before")
    totals = np.linalg.norm(v), np.linalg.norm(w)
    v, w = v - v.mean(axis=0), w - w.mean(axis=0)
    sizes = np.linalg.norm(v), np.linalg.norm(w)
    if any(size <= ROUNDING * total for size, total in zip(sizes, totals, strict=True)):
        raise ValueError("before, after: a head that is the same for all classes has no direction")
    cosine = np.clip((v * w).sum() / np.prod(sizes), -1, 1)
    return HeadChange(float(sizes[1]), float(sizes[0]), float(np.degrees(np.arccos(cosine))))


def linear_cka(x: Tensor, y: Tensor, unbiased: bool = False) -> float:
    """Linear centred kernel alignment of features (n, dim) and (n, other dim) of the same images.

    1 for features that differ by a rotation and a scale, which it cannot see: read it beside
    `movement`. Biased: Kornblith et al. 2019, equation 5 (near 1 whenever n is small against dim).
    Unbiased: with the HSIC estimator of Song et al. 2012, as Nguyen et al. 2021 use it; it can be
    negative, down to -1. Raises ValueError for different numbers of rows, fewer than 4 (biased: 2),
    or features that are all the same (unbiased: or all equally far apart, as one-hot rows are).
    """
    x, y = matrices(x=x, y=y)
    least = 4 if unbiased else 2
    if len(x) != len(y) or len(x) < least:
        raise refused("x, y", f"{len(x)} and {len(y)} rows", f"the same, {least} or more")
    x, y = _centred(x), _centred(y)
    hsic = _unbiased_hsic if unbiased else _biased_hsic
    own = 1.0
    for z in (x, y):
        size = hsic(z, z)
        if not size > ROUNDING * _biased_hsic(z, z):
            which = "that are the same for all images" + " or equally far apart" * unbiased
            raise ValueError(f"x, y: features {which} have no alignment")
        own *= size
    return float(hsic(x, y) / np.sqrt(own))


def _centred(x: np.ndarray) -> np.ndarray:
    """Less the mean row, and of size about 1: no square of it is lost or infinite."""
    x = x / (np.abs(x).max() or 1)
    x = x - x.mean(axis=0)
    largest = np.abs(x).max()
    return x / largest if largest > ROUNDING else np.zeros_like(x)


def _biased_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """trace(K L) of the kernels K = x x', L = y y', by the smaller of two products."""
    n, dims = len(x), x.shape[1] * y.shape[1]
    return np.square(x.T @ y).sum() if dims < n * n else ((x @ x.T) * (y @ y.T)).sum()


def _unbiased_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. 2012, equation 5, up to 1 / (n (n - 3)); the kernels' diagonals are left out."""
    n = len(x)
    kernel_x, kernel_y = np.square(x).sum(axis=1), np.square(y).sum(axis=1)  # diagonals (n,)
    rows_x, rows_y = x @ x.sum(axis=0) - kernel_x, y @ y.sum(axis=0) - kernel_y  # row sums (n,)
    both = _biased_hsic(x, y) - kernel_x @ kernel_y
    return both + rows_x.sum() * rows_y.sum() / (n - 1) / (n - 2) - 2 * rows_x @ rows_y / (n - 2)
