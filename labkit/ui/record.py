"""A panel recorded along each of its controls: what a page without a kernel can show of it.

From the first values one control moves at a time, while the others rest; the first two check boxes
combine with everything. A control of another kind than panels have rests where it is.
"""

import inspect
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from labkit.ui import narrow
from labkit.ui.controls import Chips
from labkit.ui.steps import finish
from labkit.ui.style import RC, figure

SLIDER, MENU, TRAINED = 8, 20, 3  # settings of a slider, of a menu, of a control of a training
PAPER = ("light",)  # the one theme, or all would be twice as large: a dark page shows it on paper
BOXES = 2  # check boxes that combine with everything


class Line(NamedTuple):
    """The settings of one control that are recorded; `rest` is the place of its first value."""

    name: str
    values: list
    told: dict[str, Any]  # what the page needs to know: label, kind, options, rest


def line_of(name: str, control: Any, most: int = 0) -> Line:
    """What is recorded of a control: `most` settings, by default as many as its kind has."""
    kind, values, labels = _settings(control)
    rest = min(range(len(values)), key=lambda place: not _same(values[place], control.value))
    most = min(most or (SLIDER if kind == "range" else MENU), len(values))
    places = sorted({*np.linspace(0, len(values) - 1, most).round().astype(int).tolist(), rest})
    told = {"label": control.description, "kind": kind, "rest": places.index(rest)}
    told["options"] = [labels[place] for place in places]
    return Line(name, [values[place] for place in places], told)


def _settings(control: Any) -> tuple[str, list, list[str]]:
    """Kind, values and labels of all settings of a control; of a text, what it suggests."""
    first = control.value
    if isinstance(control, ipywidgets.Checkbox):
        return "checkbox", [False, True], ["off", "on"]
    is_number = isinstance(first, (int, float))
    if is_number and getattr(control, "step", None) and hasattr(control, "max"):
        steps = int((control.max - control.min) / control.step + 1e-9)  # what is left is no step
        places = control.min + control.step * np.arange(steps + 1)
        if isinstance(control, ipywidgets.FloatLogSlider):
            places = control.base**places
        kind = type(first)  # a whole number stays one
        values = [kind(round(value, 12)) for value in places.tolist()]
        if not any(_same(value, first) for value in values):  # it begins between two
            values = sorted([*values, first])
        form = getattr(control, "readout_format", "d")
        return "range", values, [format(value, form) for value in values]
    if isinstance(control, Chips):
        values = [first, *itertools.combinations(first, len(first) - 1)]
        return "select", values, [", ".join(value) for value in values]
    if isinstance(getattr(control, "index", None), int):  # one of its options, and not several
        labels, values = zip(*control._options_full, strict=True)
        kind = "range" if isinstance(control, ipywidgets.SelectionSlider) else "select"
        return kind, list(values), list(labels)
    suggested = control.options if isinstance(control, ipywidgets.Combobox) else ()
    values = list(dict.fromkeys([first, *suggested]))
    return "select", values, list(map(str, values))


def _same(value: Any, first: Any) -> bool:
    return value == first or (isinstance(first, float) and bool(np.isclose(value, first)))


def settings(lines: list[Line]) -> Iterator[tuple[int, ...]]:
    """Every recorded state, as a place on each line; some come more than once."""
    boxes = [i for i, line in enumerate(lines) if line.told["kind"] == "checkbox"][:BOXES]
    for ticks in itertools.product((0, 1), repeat=len(boxes)):
        start = [line.told["rest"] for line in lines]
        for i, tick in zip(boxes, ticks, strict=True):
            start[i] = tick
        for i, line in enumerate(lines):
            yield from ((*start[:i], place, *start[i + 1 :]) for place in range(len(line.values)))
        yield tuple(start)  # of no line, too


def recorded(panel: Any) -> dict[str, Any]:
    """The pictures of a panel, as JSON: controls, frames, and the frame of each state.

    A state that `compute` refuses with a ValueError has its words instead of a picture, as live.
    """
    most, picture = (TRAINED if panel.picture.action else 0), panel.picture
    lines = [line_of(name, control, most) for name, control in panel.controls.items()]
    lines = [line for line in lines if len(line.values) > 1]
    frames: dict[str, dict[str, Any]] = {}
    states: dict[str, int] = {}
    least, phone = 0, True
    for state in dict.fromkeys(settings(lines)):
        moved = {line.name: line.values[at] for line, at in zip(lines, state, strict=True)}
        try:
            fig, alt = _drawn(panel, panel.values | moved)
        except ValueError as refused:
            frame = {"alt": str(refused)}
        else:
            least = least or narrow.least(fig)
            with rc_context(RC):
                frame = narrow.both(fig, phone, PAPER) | {"alt": alt}
            phone = bool(frame["narrow"])  # one way for all states
        key = repr(frame)
        frames.setdefault(key, frame)
        states[",".join(map(str, state))] = [*frames].index(key)
    return {
        "title": picture.title, "width": picture.width, "least": least, "states": states,
        "controls": [line.told for line in lines], "frames": [*frames.values()],
    }  # fmt: skip


def _drawn(panel: Any, values: dict[str, Any]) -> tuple[Figure, str]:
    """A new figure of what a panel would show, and its words; the panel stays as it is."""
    result, canvas = panel.compute(**values), panel.canvas
    if inspect.isgenerator(result):
        result = finish(result)
    with rc_context({**RC, "axes.axisbelow": True}):
        fig, axes = figure(canvas.rows, canvas.columns, canvas.size)
        canvas.draw(axes, result)
    return fig, panel.describe(result)
