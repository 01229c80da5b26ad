"""Is a classifier as sure as it is right? Reliability diagram, ECE, temperature scaling; in NumPy.

Confidence is the largest softmax probability. A classifier is calibrated when, of the answers it
gives with confidence c, a share c is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from labkit.inputs import above_0, whole

if TYPE_CHECKING:  # panels calibrate, and start faster without torch
    from torch import Tensor

COLDEST, HOTTEST = 0.01, 100.0  # where `fit_temperature` looks


class Answers(NamedTuple):
    """What a classifier said of each image, and whether it was right."""

    confidence: np.ndarray  # (n,) in (0, 1]
    right: np.ndarray  # (n,) bool


def answers(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> Answers:
    """Read the answers off logits (n, classes), divided by `temperature`; labels (n,) are indices.

    The temperature changes how sure an answer is, never which it is. Raises ValueError for shapes
    that do not fit, logits that are not finite, or a temperature that is not above 0.
    """
    logits, labels = _checked(logits, labels)
    probabilities = softmax(logits / above_0("temperature", temperature), axis=1)
    return Answers(probabilities.max(axis=1), logits.argmax(axis=1) == labels)


class Reliability(NamedTuple):
    """A reliability diagram: the answers in bins of equal width by confidence."""

    edges: np.ndarray  # (bins + 1,) from 0 to 1
    count: np.ndarray  # (bins,)
    confidence: np.ndarray  # (bins,) mean in the bin, nan where it is empty
    accuracy: np.ndarray  # (bins,)


def reliability(given: Answers, bins: int = 10) -> Reliability:
    """Group answers by confidence (DeGroot & Fienberg 1983; Guo et al. 2017, equation 1)."""
    bins = whole("bins", bins, 1)
    check_answers(given)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, given.confidence, side="left") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0 / 0 is an empty bin
        mean, right = (
            np.bincount(place, weights=x.astype(float), minlength=bins) / count for x in given
        )
    return Reliability(edges, count, mean, right)


def calibration_error(given: Answers, bins: int = 10) -> float:
    """Expected calibration error (ECE; Naeini et al. 2015; Guo et al. 2017, equation 3).

    The mean over answers of |accuracy - confidence| of their bin. Few images leave it well above 0
    for a calibrated classifier too, since the accuracy of a bin is then a matter of luck.
    """
    found = reliability(given, bins)
    gaps = np.abs(found.accuracy - found.confidence)
    return float(np.nansum(gaps * found.count) / found.count.sum())


def negative_log_likelihood(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> float:
    """The mean cross-entropy of logits (n, classes) divided by `temperature`."""
    logits, labels = _checked(logits, labels)
    temperature = above_0("temperature", temperature)
    return float(-log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean())


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Temperature scaling (Guo et al. 2017, section 4.2): the T that makes validation likeliest.

    The loss is convex in 1 / T, so there is one minimum; it is looked for from 0.01 to 100 (a
    classifier that is always right would have T = 0). Raises ValueError as `answers` does.
    """
    logits, labels = _checked(logits, labels)
    found = minimize_scalar(
        lambda log: negative_log_likelihood(logits, labels, np.exp(log)),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def check_answers(given: Answers) -> None:
    """Raise ValueError for answers whose two halves do not fit, or with no such confidence."""
    shape = shares("confidence", given.confidence).shape
    if np.shape(given.right) != shape or np.asarray(given.right).dtype != bool:
        raise ValueError(f"right: got shape {np.shape(given.right)}, accepted: {shape}, bool")


def shares(name: str, values: np.ndarray) -> np.ndarray:
    """One or more numbers from 0 to 1, (n,) float; a ValueError names what is none."""
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x) or not ((x >= 0) & (x <= 1)).all():
        raise ValueError(f"{name}: got shape {x.shape}, accepted: (n,), from 0 to 1")
    return x


def _checked(logits: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Logits as float64 and labels as integers; a ValueError names the one that is no good."""
    x, y = (np.asarray(v.detach().cpu() if hasattr(v, "detach") else v) for v in (logits, labels))
    if x.ndim != 2 or 0 in x.shape or not np.isfinite(x).all():
        raise ValueError(f"logits: got shape {x.shape}, accepted: (n, classes), n >= 1, all finite")
    if y.shape != x.shape[:1] or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"labels: got shape {y.shape} of {y.dtype}, accepted: {len(x)} integers")
    if y.min() < 0 or y.max() >= x.shape[1]:
        raise ValueError(
            f"labels: got {y.min()} to {y.max()}, accepted: 0 to {x.shape[1] - 1}, as in logits"
        )
    return x.astype(float), y
