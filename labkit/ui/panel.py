"""Controls -> compute -> draw: the only wiring code in the lab.

    panel(compute, draw, describe, shots=(1, 20), method=["probe", "fine-tuning"])

`compute(**values)` returns a result, `draw(axes, result)` draws it and `describe(result)` says it
in a sentence or two: the picture's alternative text. All three are pure: no globals, no widgets.
"""

from __future__ import annotations

import base64
import gc
import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import ipywidgets
import traitlets
from anywidget import AnyWidget

from labkit.ui import narrow, record
from labkit.ui.controls import HERE, heading, replace_earlier, script, widget_for
from labkit.ui.raster import Canvas, Place, png

STALE = "Settings changed: press {} to update the picture."
EMPTY = "Press {} to see the result."
COARSEST, SHARPEST = 0.5, 1.5  # 2 would take half as long again, for little to see


def panel(
    compute: Callable[..., Any],
    draw: Callable[[Any, Any], None],
    describe: Callable[[Any], str],
    *,
    size: tuple[float, float] = (9, 4.5),
    columns: int = 1,
    rows: int = 1,
    run: str = "live",
    label: str = "Train",
    title: str | None = None,
    initial: Any = None,
    click: Callable[[Any, Place], dict[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
    **controls: Any,
) -> Panel:
    """Return a panel that shows `draw(axes, compute(**values))` for the values of its controls.

    A control is an ipywidgets value widget or short for one: `True` (check box), `(low, high)`,
    `(low, high, step)` or `(low, high, step, value)` (slider), a list or dict (menu), a str (text).
    It is labelled by its name, `shots_per_class` by "Shots per class", or by what `labels` says:
    `panel(..., labels={"n": "Labels in all"}, n=(12, 450, 1, 48))`.

    run="live" recomputes at every change; run="button" waits for the button called `label`. If
    `compute` has a parameter `progress`, it is called as `progress(fraction, text="")`.
    `initial` is a result for the controls' first values, shown before anything is computed.
    `click(result, place)` says which controls a click on the picture sets, and to what: a shortcut
    for those who use a mouse, beside controls that everyone can reach.
    """
    if run not in ("live", "button"):
        raise ValueError(f"run: got {run!r}, accepted: 'live' or 'button'")
    for name, function in {"compute": compute, "draw": draw, "describe": describe}.items():
        if not callable(function):
            raise TypeError(f"{name}: got {function!r}, accepted: a function")
    widgets = _widgets(compute, controls, labels or {})
    canvas = Canvas(draw, rows, columns, size)
    action = label if run == "button" else ""
    return Panel(compute, describe, canvas, widgets, action, title, initial, click)


class Picture(AnyWidget):
    """What the browser shows below the controls; panel.js draws it.

    A frame travels as PNG, with the pixels that the screen shows: tests/browser/measure_latency.py
    says what else was tried.
    """

    _esm = script(HERE / "panel.js")
    _css = (HERE / "panel.css").read_text(encoding="utf-8")
    frame = traitlets.Bytes().tag(sync=True)
    frames = traitlets.Int(0).tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    screen = traitlets.Float(SHARPEST).tag(sync=True)  # pixels shown for each of `width`
    theme = traitlets.Unicode().tag(sync=True)  # "light" or "dark", once the page has told
    alt = traitlets.Unicode().tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    action = traitlets.Unicode().tag(sync=True)  # label of the button; "" for a live panel
    note = traitlets.Unicode().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)  # what a screen reader is told
    error = traitlets.Unicode().tag(sync=True)
    stale = traitlets.Bool(False).tag(sync=True)
    progress = traitlets.Float(-1.0).tag(sync=True)  # negative: nothing is running
    run_request = traitlets.Int(0).tag(sync=True)
    runs = traitlets.Int(0).tag(sync=True)
    reset_request = traitlets.Int(0).tag(sync=True)
    resets = traitlets.Int(0).tag(sync=True)
    clickable = traitlets.Bool(False).tag(sync=True)
    clicked = traitlets.List().tag(sync=True)  # how many clicks so far; shares across and down


class Panel(ipywidgets.VBox):
    """A live figure with its controls; made by `panel()`. Tests read its attributes."""

    def __init__(self, compute, describe, canvas, controls, label, title, initial, click=None):
        self.compute, self.describe, self.canvas, self.click = compute, describe, canvas, click
        self.controls: dict[str, ipywidgets.ValueWidget] = controls
        self.result: Any = None
        self._initial_values = self.values
        self._shown_values: dict | None = None
        self._lock = threading.Lock()  # held while computing or drawing
        self._wanted = self._quiet = False
        self.picture = Picture(
            action=label, title=title or "", width=round(100 * canvas.size[0]),
            clickable=click is not None,
        )  # fmt: skip
        grid = ipywidgets.Box(list(controls.values())).add_class("labkit-controls")
        super().__init__([*heading(title), grid, self.picture])
        self.add_class("labkit-panel")
        for control in controls.values():
            control.observe(self._changed, "value")
        self.picture.observe(self._run_requested, "run_request")
        self.picture.observe(self._reset_requested, "reset_request")
        self.picture.observe(self._screen_changed, ["screen", "theme"])
        self.picture.observe(self._clicked, "clicked")
        replace_earlier(self)
        if initial is not None:
            self._guard(lambda: self._show(initial, self.values))
        elif label:
            self._tell(note=EMPTY.format(label))
        else:
            self.run()

    @property
    def values(self) -> dict[str, Any]:
        return {name: control.value for name, control in self.controls.items()}

    @property
    def error(self) -> str | None:
        return self.picture.error or None

    @property
    def alt(self) -> str:
        return self.picture.alt

    @property
    def status(self) -> str:
        return self.picture.status

    def png(self) -> bytes:
        """Return the picture that is shown; empty before the first."""
        return self.picture.frame

    def run(self) -> None:
        """Compute and show; while another thread is at it, let that one take the newest values."""
        self._wanted = True
        with nullcontext() if self.picture.action else _undisturbed():
            self._run_wanted()

    def _run_wanted(self) -> None:
        while self._wanted and self._lock.acquire(blocking=False):
            try:
                while self._wanted:
                    self._wanted = False
                    try:
                        self._guard(self._run_once)
                    except Exception:
                        if not self._wanted:  # else newer values wait, and they decide
                            raise
            finally:
                self._lock.release()

    def reset(self) -> None:
        """Put every control back to its first value; a live panel then recomputes once."""
        self.set(**self._initial_values)

    def set(self, **values: Any) -> None:
        """Give several controls new values; a live panel then recomputes once."""
        self._quiet = True
        try:
            for name, value in values.items():
                self.controls[name].value = value
        finally:
            self._quiet = False
        self._changed()

    def let_go(self) -> None:
        """Leave the browser, and forget the results, and what `compute` holds on to."""
        for widget in (*self.controls.values(), self.picture, self):
            widget.close()
        self.controls, self.picture.frame, self.result = {}, b"", None
        self.compute = self.describe = self.click = self.canvas = None

    def _clicked(self, _change) -> None:
        place = self.canvas.locate(*self.picture.clicked[1:])
        if self.click is None or place is None:
            return
        values = self.click(self.result, place)
        if values and values.items() - self.values.items():
            self.set(**values)

    def _changed(self, _change=None) -> None:
        if self._quiet:
            return
        if not self.picture.action:
            self.run()
        elif not self._lock.locked():
            self._mark_stale()

    def _mark_stale(self) -> None:
        stale = self._shown_values is not None and self._shown_values != self.values
        hint = STALE if stale else EMPTY if self._shown_values is None else ""
        self._tell(stale=stale, note=hint.format(self.picture.action))

    def _run_requested(self, _change) -> None:
        if self._lock.locked() or self.picture.run_request != self.picture.runs + 1:
            return  # a second press during the run that it asks for
        try:
            self.run()
        finally:
            self.picture.runs += 1

    def _reset_requested(self, _change) -> None:
        try:
            self.reset()
        finally:
            self.picture.resets = self.picture.reset_request

    def _screen_changed(self, _change) -> None:
        """Draw with the screen's pixels and the page's ink; a run in progress will by itself."""
        before = self.canvas.scale, self.canvas.theme
        self.canvas.scale = min(max(self.picture.screen, COARSEST), SHARPEST)
        self.canvas.theme, nothing_new = self.picture.theme, self._shown_values is None
        nothing_new |= before == (self.canvas.scale, self.canvas.theme) or bool(self.picture.error)
        if nothing_new or not self._lock.acquire(False):
            return
        try:
            self._guard(lambda: self._show(self.result, self._shown_values))
        finally:
            self._lock.release()
        if self._wanted:  # a control moved meanwhile, on another thread
            self.run()

    def _run_once(self) -> None:
        values, extra = self.values, {}
        if "progress" in inspect.signature(self.compute).parameters:
            extra["progress"] = self._progress()
        if self.picture.action:
            self._tell(progress=0.0, note="")
        self._show(self.compute(**extra | values), values)

    def _show(self, result: Any, values: dict) -> None:
        frame, alt = png(self.canvas.render(result)), self.describe(result)
        if not isinstance(alt, str) or not alt.strip():
            raise TypeError(f"describe must return a sentence, not {alt!r}")
        self.result, self._shown_values = result, values
        self._tell(frame=frame, frames=self.picture.frames + 1, alt=alt, error="", progress=-1.0)
        if self.picture.action:
            self._mark_stale()  # a control may have moved meanwhile

    def _guard(self, function: Callable[[], None]) -> None:
        """Call `function`; show an exception in the panel and raise it."""
        try:
            function()
        except BaseException as error:  # KeyboardInterrupt too: the reader stopped a training run
            message = f"{type(error).__name__}: {error}".rstrip(": ")
            self._tell(error=message, progress=-1.0, note="")
            raise

    def _progress(self) -> Callable[..., None]:
        last = 0.0

        def progress(fraction: float, text: str = "") -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= 0.1 or fraction >= 1:
                last = now
                self._tell(progress=min(max(float(fraction), 0.0), 1.0), note=text)

        return progress

    def _tell(self, **changes: Any) -> None:
        """Set the picture's traits in one message."""
        with self.picture.hold_sync():
            for name, value in changes.items():
                setattr(self.picture, name, value)
            self.picture.status = self.picture.error or self.picture.note or self.picture.alt

    def _repr_mimebundle_(self, **kwargs: Any):
        """Add the picture itself, for where no widget can run: GitHub, nbconvert, a saved file.

        JupyterLab saves no widget state unless told to, so nbconvert shows the picture. When
        nbconvert executes too, add --ExecutePreprocessor.store_widget_state=False, or it prefers
        the widget, which shows nothing offline.
        """
        if narrow.wanted():
            return {narrow.MIME: record.recorded(self), "text/plain": self.alt or self.status}, {}
        data = dict(super()._repr_mimebundle_(**kwargs) or {})
        data["text/plain"] = self.alt or self.status
        if not self.png():
            return data, {}
        data["image/png"] = base64.b64encode(self.png()).decode()
        return data, {"image/png": {"width": self.picture.width, "alt": self.alt}}


@contextmanager
def _undisturbed() -> Iterator[None]:
    """For one live frame: no cyclic garbage is collected, and torch takes one thread.

    Collecting would take as long as drawing, and a second thread the core that the browser needs.
    Afterwards both are as before; torch is left alone where nobody has imported it.
    """
    torch, collecting = sys.modules.get("torch"), gc.isenabled()
    threads = torch and torch.get_num_threads()
    gc.disable()
    try:
        if torch:
            torch.set_num_threads(1)
        yield
    finally:
        if torch:
            torch.set_num_threads(threads)
        if collecting:
            gc.enable()


def _widgets(compute: Callable, controls: dict, labels: Mapping[str, str]) -> dict:
    """The controls as labelled widgets; TypeError where they are not what `compute` takes."""
    signature = inspect.signature(compute)
    given = {"progress": None} if "progress" in signature.parameters else {}
    try:
        signature.bind(**given | controls)
    except TypeError as error:
        name = getattr(compute, "__name__", "compute")
        raise TypeError(f"controls: {error}, accepted: those of {name}{signature}") from None
    if unknown := [name for name in labels if name not in controls]:
        raise TypeError(f"labels: got {unknown}, accepted: {', '.join(controls)}")
    return {name: widget_for(name, value, labels.get(name, "")) for name, value in controls.items()}
