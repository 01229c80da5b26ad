"""What the tests of all panels share: the settings of a control, and moving through them."""

import re

import ipywidgets

from labkit.ui.controls import Dice
from labkit.ui.panel import Panel
from labkit.ui.style import caption

ALL = 60  # of a menu's options; a longer one is tried at its ends and its middle


def settings(widget) -> list:
    """The ends and the middle of a control, a menu's options, or a few texts."""
    if isinstance(widget, ipywidgets.Text):
        return ["", widget.value + " x", "zorple", "яяя", "{}{}"]
    if isinstance(widget, ipywidgets.Checkbox):
        return [not widget.value, widget.value]
    if isinstance(widget, Dice):
        return [1, widget.max, 0]
    if isinstance(widget, ipywidgets.FloatLogSlider):
        return [widget.base**power for power in (widget.min, -1, widget.max)]
    if isinstance(widget, (ipywidgets.IntSlider, ipywidgets.FloatSlider)):
        middle = widget.min + round((widget.max - widget.min) / widget.step / 2) * widget.step
        return [widget.min, middle, widget.max]
    values = [value for _, value in widget._options_full]
    return values if len(values) <= ALL else [values[0], values[len(values) // 2], values[-1]]


def check_every_control(panel: Panel) -> None:
    """Every setting is a picture, and every control has a label and changes the picture."""
    for name, control in panel.controls.items():
        assert control.description, name
        pictures = {panel.png()}
        for value in settings(control):
            control.value = value
            assert panel.error is None and panel.alt, f"{name} at {value}"
            shown = caption(panel.alt)
            assert len(re.findall(r"\d[\d.,]*", shown)) <= 2, f"a caption is no table: {shown}"
            pictures.add(panel.png())
        assert len(pictures) > 1, name
        panel.reset()


def check_background_reused(panel: Panel, control: str, values: list) -> None:
    """What keeps the answer under 100 ms: words and curves change, the axes do not."""
    before = panel.canvas.hits
    for value in values:
        panel.controls[control].value = value
    assert panel.canvas.hits == before + len(values)
    panel.reset()
