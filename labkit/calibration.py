"""Is a classifier as sure as it is right? Reliability diagram, ECE, temperature scaling.

Confidence is the largest softmax probability. A classifier is calibrated when, of the answers it
gives with confidence c, a share c is right.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import softmax
from torch import Tensor

from labkit.inputs import above_0, matrices, refused, whole

COLDEST, HOTTEST = 0.01, 100.0  # where `fit_temperature` looks


@dataclass(frozen=True, eq=False)
class Answers:
    """What a classifier said of each image, and whether it was right.

    Tensors and lists are kept as arrays. Raises ValueError for two halves that do not fit, or
    confidences that are none.
    """

    confidence: np.ndarray  # (n,) in [0, 1]
    right: np.ndarray  # (n,) bool

    def __post_init__(self) -> None:
        sure = shares("confidence", self.confidence)
        found = np.asarray(self.right.cpu() if isinstance(self.right, Tensor) else self.right)
        if found.shape != sure.shape or found.dtype != bool:
            raise refused("right", f"{found.shape} {found.dtype}", f"{sure.shape} bool")
        for name, values in {"confidence": sure, "right": found}.items():
            object.__setattr__(self, name, values)


def answers(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> Answers:
    """Read the answers off logits (n, classes), divided by `temperature`; labels (n,) are indices.

    The temperature changes how sure an answer is, never which it is. Raises ValueError for shapes
    that do not fit, logits that are not finite, or a temperature that is not above 0.
    """
    x, y = _checked(logits, labels)
    probabilities = softmax(x / above_0("temperature", temperature), axis=1)
    return Answers(probabilities.max(axis=1), x.argmax(axis=1) == y)


class Reliability(NamedTuple):
    """A reliability diagram: the answers in bins of equal width by confidence."""

    count: np.ndarray  # (bins,)
    confidence: np.ndarray  # (bins,) mean in the bin, nan where it is empty
    accuracy: np.ndarray  # (bins,)

    def mean(self, of_bins: np.ndarray) -> float:
        """Over all answers; empty bins count for nothing."""
        return float(np.nansum(self.count * of_bins) / self.count.sum())


def reliability(given: Answers, bins: int = 10) -> Reliability:
    """Group answers by confidence (DeGroot & Fienberg 1983; Guo et al. 2017, equation 1)."""
    bins = whole("bins", bins, 1)
    inner = np.arange(1, bins) / bins  # a bin ends with its edge, and begins after the one before
    place = np.searchsorted(inner, given.confidence, side="left")
    count, sure, right = (
        np.bincount(place, weights=x, minlength=bins) for x in (None, given.confidence, given.right)
    )
    with np.errstate(invalid="ignore"):  # 0 / 0 is an empty bin
        return Reliability(count, sure / count, right / count)


def calibration_error(given: Answers, bins: int = 10) -> float:
    """Expected calibration error (ECE; Naeini et al. 2015; Guo et al. 2017, equation 3).

    The mean over answers of |accuracy - confidence| of their bin. Few images leave it well above 0
    for a calibrated classifier too, since the accuracy of a bin is then a matter of luck.
    """
    found = reliability(given, bins)
    return found.mean(np.abs(found.accuracy - found.confidence))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Temperature scaling (Guo et al. 2017, section 4.2): the T that makes validation likeliest.

    The loss is convex in 1 / T: its minimum is where its slope is 0. It is looked for from COLDEST
    to HOTTEST, which are the answers where it lies outside: a classifier that is always right would
    have T = 0 and gets COLDEST. Raises ValueError as `answers` does.
    """
    x, y = _checked(logits, labels)
    ahead = x - x[np.arange(len(y)), y][:, None]  # (n, classes): of the right class's logit

    def slope(inverse: float) -> float:
        return (softmax(inverse * ahead, axis=1) * ahead).sum(axis=1).mean()

    if slope(1 / COLDEST) <= 0:
        return COLDEST
    if slope(1 / HOTTEST) >= 0:
        return HOTTEST
    return 1 / brentq(slope, 1 / HOTTEST, 1 / COLDEST)


def shares(name: str, values: np.ndarray) -> np.ndarray:
    """One or more numbers from 0 to 1, (n,) float; a ValueError names what is none."""
    values = values.detach().cpu() if isinstance(values, Tensor) else values
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x) or not ((x >= 0) & (x <= 1)).all():
        raise refused(name, f"shape {x.shape}", "(n,), from 0 to 1")
    return x


def _checked(logits: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Logits of any floating type as float64, and labels; a ValueError names what is no good."""
    (x,) = matrices(logits=logits)
    y = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if y.shape != x.shape[:1] or y.dtype.kind not in "iu":
        raise refused("labels", f"shape {y.shape} of {y.dtype}", f"{len(x)} integers")
    if y.min() < 0 or y.max() >= x.shape[1]:
        accepted = f"0 to {x.shape[1] - 1}, as in logits"
        raise refused("labels", f"{y.min()} to {y.max()}", accepted)
    return x, y
