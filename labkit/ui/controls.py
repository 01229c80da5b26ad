"""What every widget here shares: script, title, controls in short notation, and its end."""

import sys
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import Any
from weakref import WeakSet

import ipywidgets
import traitlets
from anywidget import AnyWidget

HERE = Path(__file__).parent


def read(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def joined(*scripts: Path) -> str:
    """One ES module: what all widgets share, then a widget's own files, which need no import."""
    return read(HERE / "controls.js", *scripts)


class Dice(AnyWidget, ipywidgets.ValueWidget):
    """A button that draws anew: its value, a seed, runs from 0 to `max` and starts again."""

    _esm = HERE / "dice.js"
    value = traitlets.Int(0).tag(sync=True)
    min, step = 0, 1
    max = traitlets.Int(9).tag(sync=True)
    description = traitlets.Unicode("Draw again").tag(sync=True)


class Chips(AnyWidget, ipywidgets.ValueWidget):
    """A menu from which one takes several: its value holds some of its options, in their order."""

    _esm = joined(HERE / "chips.js")
    options = traitlets.Tuple().tag(sync=True)  # words
    value = traitlets.Tuple().tag(sync=True)
    pictures = traitlets.Tuple().tag(sync=True)  # URLs of data, one for each option, or none
    description = traitlets.Unicode().tag(sync=True)


def menu(label: str, options: list | tuple | dict, value: Any = None) -> ipywidgets.Dropdown:
    """A menu with a label, which begins with its first option unless a value is given."""
    first = {} if value is None else {"value": value}
    return ipywidgets.Dropdown(options=options, description=label, **first)


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
    real = [isinstance(n, (int, float)) and type(n) is not bool and isfinite(n) for n in numbers]
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
    exponent = Decimal(f"{step:.6g}").normalize().as_tuple().exponent  # 0.05: -2
    return ipywidgets.FloatSlider(
        round(value, 12), min=low, max=high, step=step, description=label,
        readout_format=f".{max(0, -exponent)}f",
    )  # fmt: skip


_latest: dict[str, tuple[int, WeakSet]] = {}  # cell -> its last run, and what that made


def replace_earlier(widget: ipywidgets.Widget) -> None:
    """Let go of the widgets that an earlier run of this cell made; `widget` is of this run.

    ipywidgets keeps every widget, and IPython every result in `Out`, until the kernel ends, each
    with its images and features: a student who runs a cell twenty times would lose 2 GB to one
    panel. So each has a method `let_go()` that leaves the browser and forgets everything large.
    """
    cell, run = running_cell()
    if not cell:
        return
    before, made = _latest.get(cell, (run, WeakSet()))
    if before != run:
        for earlier in made:
            earlier.let_go()
        made = WeakSet()
    made.add(widget)
    _latest[cell] = run, made


def running_cell() -> tuple[str, int]:
    """What JupyterLab calls the running cell, and the run's number; ("", 0) elsewhere."""
    shell = kernel()
    if not shell:
        return "", 0
    cell = shell.get_parent().get("metadata", {}).get("cellId", "")
    return cell, shell.execution_count


def kernel() -> Any:
    """The shell of the kernel that this runs in, or None. IPython is asked only if it is loaded."""
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return shell if hasattr(shell, "get_parent") else None
