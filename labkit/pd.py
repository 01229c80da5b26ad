"""pandas, loaded when it is first used: what makes no table starts without it, and sooner."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    import pandas

    return getattr(pandas, name)
