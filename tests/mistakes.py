"""Ways to get an argument wrong, for tests that every function answers them or says what is wrong.

A wrong value (NaN, infinite, extreme, out of range) must be answered by a finite result or by an
error that names an argument. A wrong form (type, dtype, device) or size (axes, rows, labels) may be
refused in the words of Python, NumPy or torch, where these say as much.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

FORM, SIZE, VALUE = "form", "size", "value"
Mistake = tuple[str, Any]  # one of these, and what is passed instead


def mistakes(good: Any) -> st.SearchStrategy[Mistake]:
    """What a user might pass instead of `good`."""
    if isinstance(good, Tensor):
        return tensors(good)
    if isinstance(good, np.ndarray):
        return tensors(torch.from_numpy(good)).map(as_array)
    if isinstance(good, str):
        return forms(None, 3) | values("", "zorple", good.upper())
    if isinstance(good, (list, tuple)):
        return sequences(good)
    if isinstance(good, int):
        return forms(None, "1", 1.5, math.nan, [good]) | st.integers(-3, 40).map(value)
    return forms(None, "1", [good], 1j) | numbers()


def forms(*wrong: Any) -> st.SearchStrategy[Mistake]:
    return st.sampled_from([(FORM, x) for x in wrong])


def of_size(*wrong: Any) -> st.SearchStrategy[Mistake]:
    return st.sampled_from([(SIZE, x) for x in wrong])


def values(*wrong: Any) -> st.SearchStrategy[Mistake]:
    return st.sampled_from([(VALUE, x) for x in wrong])


def value(x: Any) -> Mistake:
    return VALUE, x


def numbers() -> st.SearchStrategy[Mistake]:
    extremes = (0.0, -1.0, 1e-4, 1e4, 1e6, 1e30, 1e-30, math.nan, math.inf, -math.inf)
    return values(*extremes) | st.floats().map(value)


def sequences(good: list | tuple) -> st.SearchStrategy[Mistake]:
    kind = type(good)
    sizes, wrong = [kind(), good[:1], kind([*good, *good])], []
    if isinstance(good[0], float):
        wrong += [kind([x, *good[1:]]) for x in (math.nan, math.inf, -1.0, 1e30)]
        wrong += [kind(good[:1] * len(good))]
    if isinstance(good[0], str):
        wrong += [kind(["zorple", *good[1:]])]
    return forms(None, 3) | of_size(*sizes) | (values(*wrong) if wrong else st.nothing())


def tensors(good: Tensor) -> st.SearchStrategy[Mistake]:
    """Nothing, one row, all rows the same, one number spoilt; other axes, types and devices."""
    rows = [good[:0], good[:1], good.repeat(2, *[1] * (good.ndim - 1))]
    rows += [good.flatten(), good[None], good[..., None]]
    wrong, other = [good[:1].expand_as(good).clone()], [good.to("meta"), good.bool()]
    if good.is_floating_point():
        spoilt = (0.0, math.nan, math.inf, -math.inf, 1e30, -1e30, 1e-30)
        wrong += [with_first(good, x) for x in spoilt]
        wrong += [torch.zeros_like(good), good * 1e30, good * 1e-30]
        rows += [good[..., :0], good[..., :1]]
        other += [good.double(), good.half(), good.long()]
    elif good.dtype == torch.uint8:
        floats = good.float() / 255
        wrong += [with_first(floats, x) for x in (math.nan, math.inf, 255.0, -1.0)]
        rows += [good[:, :1], good[:, :, :0], good[:, :, :1]]
        other += [floats.double(), good.long()]
    else:
        rows += [with_first(good, x) for x in (-1, -100, 3, 1000)]
        other += [good.float(), good.int(), good.to(torch.uint8)]
    return forms(None, "x", 3, good.tolist(), *other) | of_size(*rows) | values(*wrong)


def with_first(good: Tensor, x: float) -> Tensor:
    spoilt = good.clone()
    spoilt.view(-1)[0] = x
    return spoilt


def as_array(mistake: Mistake) -> Mistake:
    kind, x = mistake
    is_here = isinstance(x, Tensor) and x.device.type == "cpu"
    return kind, x.numpy() if is_here else x


# ---------------------------------------------------------------- what came of it


def numbers_in(result: Any) -> list[np.ndarray]:
    """All numbers of a result: of tensors, arrays, and what holds them."""
    if isinstance(result, Tensor):
        return [] if result.is_meta else [result.detach().double().numpy()]
    if isinstance(result, torch.nn.Module):
        return numbers_in(list(result.state_dict().values()))
    if isinstance(result, dict):
        return numbers_in(list(result.values()))
    if isinstance(result, (list, tuple)):
        return [x for part in result for x in numbers_in(part)]
    if hasattr(result, "__dataclass_fields__"):
        return numbers_in([getattr(result, name) for name in result.__dataclass_fields__])
    if isinstance(result, (np.ndarray, np.generic, int, float)):
        x = np.asarray(result)
        return [x.astype(float)] if x.dtype.kind in "biuf" else []
    return []


def is_finite(result: Any) -> bool:
    return all(np.isfinite(x).all() for x in numbers_in(result))


# Errors of Python, NumPy and torch that say what is wrong with a form or a size.
PLAIN = (TypeError, ValueError, IndexError, AttributeError, RuntimeError, NotImplementedError)
