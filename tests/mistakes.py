"""Numbers that a user might pass in place of another, and whether an answer is finite."""

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

EXTREMES = (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), -float("inf"))


def mistakes(good: int | float) -> st.SearchStrategy:
    """What might be passed instead of a good number; whole ones stay small, as large take long."""
    if isinstance(good, int):
        return st.integers(-3, 40)
    return st.sampled_from(EXTREMES) | st.floats()


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
