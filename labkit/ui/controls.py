"""Short notation for a panel's controls: a value in, a labelled ipywidgets widget out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets

HERE = Path(__file__).parent


def script(path: Path) -> str:
    """The JavaScript of a widget: what all widgets share, then its own."""
    return "\n".join(part.read_text(encoding="utf-8") for part in (HERE / "controls.js", path))


def widget_for(name: str, value: Any) -> ipywidgets.ValueWidget:
    """Return the widget that `value` is, or is short for, with a label."""
    label = name.replace("_", " ").capitalize()
    if isinstance(value, ipywidgets.ValueWidget):
        value.description = value.description or label
        return value
    if isinstance(value, bool):
        return ipywidgets.Checkbox(value, description=label)
    if isinstance(value, str):
        return ipywidgets.Text(value, description=label)
    if isinstance(value, (list, dict)) and value:
        return ipywidgets.Dropdown(options=value, description=label)
    if isinstance(value, tuple):
        return _slider(name, label, value)
    raise TypeError(f"control {name!r}: no widget for {value!r}")


def _slider(name: str, label: str, numbers: tuple) -> ipywidgets.ValueWidget:
    real = [isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers]
    if not (2 <= len(numbers) <= 4 and all(real)):
        raise TypeError(f"control {name!r}: expected (low, high[, step[, value]]), got {numbers!r}")
    whole = all(isinstance(n, int) for n in numbers)
    low, high = numbers[:2]
    step = numbers[2] if len(numbers) > 2 else 1 if whole else (high - low) / 100
    if not low < high or step <= 0:
        raise ValueError(f"control {name!r}: needs low < high and step > 0, got {numbers!r}")
    value = numbers[3] if len(numbers) > 3 else low + int((high - low) / 2 / step + 1e-9) * step
    if not low <= value <= high:
        raise ValueError(f"control {name!r}: {value!r} is not between {low!r} and {high!r}")
    if whole:
        return ipywidgets.IntSlider(int(value), low, high, step, description=label)
    return ipywidgets.FloatSlider(
        round(value, 12), min=low, max=high, step=step, description=label,
        readout_format=f".{_places(step)}f",
    )  # fmt: skip


def _places(step: float) -> int:
    """Return how many decimals `step` needs: .05 -> 2, .25 -> 2, .1 -> 1."""
    return next((n for n in range(12) if abs(round(step, n) - step) < step * 1e-6), 12)
