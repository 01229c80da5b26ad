"""Controls -> compute -> draw: the only wiring code in the lab.

    panel(compute, draw, describe, shots=(1, 20), method=["probe", "fine-tuning"])

`compute(**values)` returns a result, `draw(axes, result)` draws it and `describe(result)` says it
in a sentence or two: the picture's alternative text. All three are pure: no globals, no widgets.
"""

import base64
import gc
import html
import inspect
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import ipywidgets
import traitlets
from anywidget import AnyWidget

from labkit.ui import narrow, record
from labkit.ui.controls import HERE, joined, read, replace_earlier, widget_for
from labkit.ui.png import png
from labkit.ui.raster import Canvas, Place
from labkit.ui.steps import Runner, Step

STALE = "Settings changed: press {} to update the picture."
EMPTY = "Press {} to see the result."
HEADING = '<div class="labkit-title" role="heading" aria-level="3">{}</div>'
COARSEST, SHARPEST = 0.5, 1.5  # 2 would take half as long again, for little to see


def panel(
    compute: Callable[..., Any],
    draw: Callable[[Any, Any], None],
    describe: Callable[[Any], str],
    *,
    size: tuple[float, float] = (9, 4.5),
    columns: int = 1,
    rows: int = 1,
    button: str = "",
    title: str | None = None,
    click: Callable[[Any, Place], dict[str, Any]] | None = None,
    **controls: Any,
) -> "Panel":
    """Return a panel that shows `draw(axes, compute(**values))` for the values of its controls.

    A control is an ipywidgets value widget or short for one: `True` (check box), `(low, high)`,
    `(low, high, step)` or `(low, high, step, value)` (slider), a list or dict (menu), a str (text).
    It is labelled by its name, `shots_per_class` by "Shots per class".

    Every change recomputes at once, or with `button="Train"` a press of that button does. A
    `compute` that yields `labkit.ui.steps.Step`s is drawn as it goes, and can be stopped.
    `click(result, place)` says which controls a click on the picture sets, and to what: a shortcut
    for those who use a mouse, beside controls that everyone can reach.
    """
    for name, function in {"compute": compute, "draw": draw, "describe": describe}.items():
        if not callable(function):
            raise TypeError(f"{name}: got {function!r}, accepted: a function")
    widgets, canvas = _widgets(compute, controls), Canvas(draw, rows, columns, size)
    return Panel(compute, describe, canvas, widgets, button, title, click)


class Picture(AnyWidget):
    """What the browser shows below the controls; panel.js draws it.

    A frame travels as PNG, with the pixels that the screen shows: tests/browser/measure_latency.py
    says what else was tried.
    """

    _esm = joined(HERE / "panel.js")
    _css = read(HERE / "panel.css")
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
    stop_request = traitlets.Int(0).tag(sync=True)
    reset_request = traitlets.Int(0).tag(sync=True)
    clickable = traitlets.Bool(False).tag(sync=True)
    clicked = traitlets.List().tag(sync=True)  # how many clicks so far; shares across and down


class Panel(ipywidgets.VBox):
    """A live figure with its controls; made by `panel()`. Tests read its attributes."""

    def __init__(self, compute, describe, canvas, controls, button, title, click=None):
        self.compute, self.describe, self.canvas, self.click = compute, describe, canvas, click
        self.controls: dict[str, ipywidgets.ValueWidget] = controls
        self.result: Any = None
        self._initial_values = self.values
        self._shown_values: dict | None = None
        self._lock = threading.Lock()  # held while computing or drawing
        self._wanted = self._quiet = False
        self._runner = Runner()
        self.picture = Picture(
            action=button, title=title or "", width=round(100 * canvas.size[0]),
            clickable=click is not None,
        )  # fmt: skip
        grid = ipywidgets.Box(list(controls.values())).add_class("labkit-controls")
        above = [ipywidgets.HTML(HEADING.format(html.escape(title)))] if title else []
        super().__init__([*above, grid, self.picture])
        self.add_class("labkit-panel")
        for control in controls.values():
            control.observe(self._changed, "value")
        self.picture.observe(self._run_requested, "run_request")
        self.picture.observe(lambda _change: self._runner.stop(), "stop_request")
        self.picture.observe(lambda _change: self.reset(), "reset_request")
        self.picture.observe(self._screen_changed, ["screen", "theme"])
        self.picture.observe(self._clicked, "clicked")
        replace_earlier(self)
        if button:
            self._tell(note=EMPTY.format(button))
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
            for _ in self._run_wanted():
                pass

    def _run_wanted(self) -> Generator:
        while self._wanted and self._lock.acquire(blocking=False):
            try:
                while self._wanted:
                    self._wanted = False
                    try:
                        yield from self._run_once()
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
        self._runner.stop()
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
        if not self._lock.locked():  # else a second press, from before the first was answered
            self._wanted = True
            self._runner.start(self._run_wanted())

    def _screen_changed(self, _change) -> None:
        """Draw with the screen's pixels and the page's ink; a run in progress will by itself."""
        before = self.canvas.scale, self.canvas.theme
        self.canvas.scale = min(max(self.picture.screen, COARSEST), SHARPEST)
        self.canvas.theme, nothing_new = self.picture.theme, self._shown_values is None
        nothing_new |= before == (self.canvas.scale, self.canvas.theme) or bool(self.picture.error)
        if nothing_new or not self._lock.acquire(False):
            return
        try:
            with self._guarded():
                self._show(self.result, self._shown_values)
        finally:
            self._lock.release()
        if self._wanted:  # a control moved meanwhile, on another thread
            self.run()

    def _run_once(self) -> Generator:
        values, button, shown = self.values, self.picture.action, self
        with self._guarded():
            if button:
                self._tell(progress=0.0, note="", error="")
                yield  # the button says Stop before anything is computed
            found = self.compute(**values)
            for step in found if inspect.isgenerator(found) else [Step(1.0, "", found)]:
                if step.result is not shown:
                    shown = step.result
                    self._show(shown, values)
                if button:
                    self._tell(progress=step.share, note=step.note, stale=False)
                    yield
            if button:
                self._tell(progress=-1.0)
                self._mark_stale()  # a control may have moved meanwhile

    def _show(self, result: Any, values: dict) -> None:
        frame, alt = png(self.canvas.render(result)), self.describe(result)
        if not isinstance(alt, str) or not alt.strip():
            raise TypeError(f"describe must return a sentence, not {alt!r}")
        self.result, self._shown_values = result, values
        self._tell(frame=frame, frames=self.picture.frames + 1, alt=alt, error="")

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Show in the panel what ends a run before its time; what was drawn stays."""
        try:
            yield
        except GeneratorExit:
            note = self.picture.note
            self._tell(progress=-1.0, note=f"Stopped at {note}." if note else "Stopped.")
            raise
        except (Exception, KeyboardInterrupt) as error:
            message = f"{type(error).__name__}: {error}".rstrip(": ")
            self._tell(error=message, progress=-1.0, note="")
            raise

    def _tell(self, **changes: Any) -> None:
        """Set the picture's traits in one message."""
        with self.picture.hold_sync():
            for name, value in changes.items():
                setattr(self.picture, name, value)
            self.picture.status = self.picture.error or self.picture.note or self.picture.alt

    def _repr_mimebundle_(self, **kwargs: Any):
        """Add the picture itself, for where no widget can run: GitHub, nbconvert, a saved file.

        When nbconvert executes too, add --ExecutePreprocessor.store_widget_state=False, or it
        prefers the widget, which shows nothing offline.
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


def _widgets(compute: Callable, controls: dict) -> dict[str, ipywidgets.ValueWidget]:
    """The controls as labelled widgets; TypeError where they are not what `compute` takes."""
    signature, own = inspect.signature(compute), inspect.signature(panel).parameters
    needed = [n for n, p in signature.parameters.items() if p.default is p.empty]
    if taken := [name for name in needed if name in own and name != "controls"]:
        raise TypeError(f"compute: got the parameter {taken[0]!r}, accepted: none of panel's own")
    try:
        signature.bind(**controls)
    except TypeError as error:
        name = getattr(compute, "__name__", "compute")
        raise TypeError(f"controls: {error}, accepted: those of {name}{signature}") from None
    return {name: widget_for(name, value) for name, value in controls.items()}
