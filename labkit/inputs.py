"""Checks that public functions share: each names the argument, what was given, what is accepted."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # much of the package starts faster without torch
    from torch import Tensor

LARGEST, SMALLEST = 1e38, 1e-37  # about what float32 holds; 1 / SMALLEST is finite too
HELD = "(float32 must hold it)"


def refused(name: str, got: object, accepted: object, kind: type = ValueError) -> Exception:
    """An error that names the argument, what was given, and what is accepted: `raise` it."""
    return kind(f"{name}: got {got}, accepted: {accepted}")


def check_choice(argument: str, given: Sequence, accepted: Sequence, *, once: bool = False) -> None:
    """Raise a ValueError that names the argument, what was given, and what is accepted.

    once: a value that is given twice is refused, too.
    """
    unknown = [value for value in given if value not in accepted]
    if unknown or not given:
        raise refused(argument, unknown or "nothing", ", ".join(map(str, accepted)))
    if once and len(set(given)) < len(given):
        raise refused(argument, given, "each once")


def canonical(value: Any) -> float | str:
    """1, 1.0 and "1" are one value, True and "TRUE", and None and nan, which are an empty field."""
    word = "" if value is None or value != value else str(value)
    if word.lower() in ("true", "false"):
        return word.lower()
    try:
        return word if "_" in word or np.isnan(float(word)) else float(word)
    except ValueError:
        return word


def chosen(argument: str, given: Sequence, accepted: Sequence) -> list:
    """Those of `accepted` that are `canonical`ly given: a table may hold 5 as "5", and none as nan.

    Raises ValueError as `check_choice` does.
    """
    known = {canonical(value): value for value in accepted}
    found = [known.get(canonical(value), value) for value in given]
    check_choice(argument, found, list(known.values()))
    return found


def whole(name: str, value: int, low: int, high: int | None = None, high_name: str = "") -> int:
    """`value` as an int. Raises TypeError for what is no whole number, ValueError out of range."""
    try:
        number = operator.index(value)
    except TypeError:
        raise refused(name, repr(value), "a whole number", TypeError) from None
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        to = f" to {high_name} = {high}" if high_name else f" to {high}"
        raise refused(name, repr(value), f"{low}{' or more' if high is None else to}")
    return number


def real(name: str, value: float, high: float) -> float:
    """`value` as a float from 0 to `high`. Raises TypeError for no number, or else ValueError."""
    return min(_number(name, value, f"a number from 0 to {high:g}", 0.0, high + 1e-12), high)


def between(name: str, value: float, low: float, high: float) -> float:
    """`value` as a float strictly between. Raises TypeError for no number, or else ValueError."""
    accepted = f"a number above {low:g} and below {high:g}"
    number = _number(name, value, accepted, low, high)
    if number in (low, high):
        raise refused(name, value, accepted)
    return number


def at_least_0(name: str, value: float) -> float:
    """`value` as a float from 0 to LARGEST. Raises TypeError for no number, or else ValueError."""
    return _number(name, value, f"a number of at least 0 {HELD}", 0.0)


def above_0(name: str, value: float) -> float:
    """`value` as a float, SMALLEST to LARGEST. Raises TypeError for no number, else ValueError."""
    return _number(name, value, f"a number above 0 {HELD}", SMALLEST)


def finite(name: str, value: float) -> float:
    """`value` as a float within +-LARGEST. Raises TypeError for no number, or else ValueError."""
    return _number(name, value, f"a finite number {HELD}")


def _number(
    name: str, value: float, accepted: str, low: float = -LARGEST, high: float = LARGEST
) -> float:
    value = value.detach() if hasattr(value, "detach") else value
    try:
        number = float("no number" if isinstance(value, str) else value)
    except (TypeError, ValueError, RuntimeError):
        raise refused(name, repr(value), accepted, TypeError) from None
    if not low <= number <= high:
        raise refused(name, value, accepted)
    return number


def as_tensor(name: str, values: Tensor | np.ndarray | Sequence) -> Tensor:
    """`values` as a tensor, NumPy arrays too, whichever way round they lie in memory."""
    import torch

    if isinstance(values, np.ndarray):
        values = np.require(values, requirements=("C", "W"))  # torch takes no other
    try:
        return torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        got = getattr(values, "dtype", type(values).__name__)
        raise refused(name, got, "a tensor or array of numbers", TypeError) from None


def as_images(name: str, images: Tensor | np.ndarray) -> Tensor:
    """`images` as a tensor; ValueError for floats (n, 3, h, w) on another scale than [0, 1].

    Two axes are let pass whatever they hold: features that stand in the place of images.
    """
    images = as_tensor(name, images)
    if images.ndim == 4 and images.is_floating_point():
        in_range(name, images)
    return images


def in_range(name: str, images: Tensor) -> None:
    """Raise a ValueError for floating images that leave [0, 1] by more than rounding."""
    low, high = (x.item() for x in images.aminmax()) if images.numel() else (0, 0)
    if not -1e-3 <= low <= high <= 1 + 1e-3:
        accepted = "uint8 in [0, 255] or floats in [0, 1], not standardised (the encoders do that)"
        raise refused(name, f"floats from {low:.3g} to {high:.3g}", accepted)


def matrices(**features: Tensor | np.ndarray) -> list[np.ndarray]:
    """Features as float64 matrices; a ValueError names one that is none, or is not finite.

    Finite squares are asked for too. (NumPy's decompositions may never return from an infinity.)
    """
    found = []
    for name, values in features.items():
        values = values.detach().cpu().double() if hasattr(values, "detach") else values
        matrix = np.asarray(values, dtype=float)
        largest = np.abs(matrix).max(initial=0)
        if matrix.ndim != 2 or 0 in matrix.shape or not largest < 1e100:
            got = f"shape {matrix.shape}, largest {largest:.3g}"
            raise refused(name, got, "(n, dim), both 1 or more, finite")
        found.append(matrix)
    return found


def all_finite(**tensors: Tensor) -> None:
    """Raise a ValueError that names a tensor with numbers, or lengths of rows, not finite."""
    for name, x in tensors.items():
        lengths = x.detach().norm(dim=-1) if x.is_floating_point() else x
        if not lengths.isfinite().all():
            accepted = "finite ones (if they come from training, lower lr)"
            raise refused(name, "nan, infinite or too large numbers", accepted)


def pairs(**sides: Tensor) -> None:
    """Raise a ValueError unless all are finite floating tensors of one shape (n, dim) and type.

    Row i of one then matches row i of another.
    """
    for name, x in sides.items():
        if not hasattr(x, "is_floating_point") or not x.is_floating_point():
            got = getattr(x, "dtype", type(x).__name__)
            raise refused(name, got, "a floating torch.Tensor (n, dim)")
        if x.dim() != 2 or 0 in x.shape:
            raise refused(name, f"shape {tuple(x.shape)}", "(n, dim), both 1 or more")
    (first, one), *others = sides.items()
    for name, two in others:
        for what in ("shape", "dtype", "device"):
            wanted, got = (getattr(side, what) for side in (one, two))
            if got != wanted:
                wanted, got = ((tuple(x) if what == "shape" else x) for x in (wanted, got))
                raise refused(name, f"{what} {got}", f"that of {first}, {wanted}")
    all_finite(**sides)
