"""A cell that runs again makes its panels anew; those of its run before are let go.

Otherwise they would stay: ipywidgets keeps every widget, and IPython every result in `Out`, until
the kernel ends, each with the images and features that its panel shows. A student who runs a cell
twenty times would lose 2 GB to one panel.
"""

from __future__ import annotations

import gc
import sys
from typing import Protocol
from weakref import WeakSet


class Replaceable(Protocol):
    def let_go(self) -> None:
        """Leave the browser, and forget everything large."""


_latest: dict[str, tuple[int, WeakSet]] = {}  # cell -> its last run, and what that made


def replace_earlier(widget: Replaceable) -> None:
    """Let go of the widgets that an earlier run of this cell made; `widget` is of this run."""
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
    pass_over_the_living()


def pass_over_the_living() -> None:
    """Collect garbage now, and let later collections look at new objects only.

    With torch loaded a full one takes 200 ms, and while a slider moves one came every forty frames.
    What dies later of all that lives now is collected when the next panel is made.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def running_cell() -> tuple[str, int]:
    """The identity that JupyterLab gives the running cell, and the run's number; ("", 0) elsewhere.

    IPython is asked only where it is loaded already.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    if not hasattr(shell, "get_parent"):  # no kernel
        return "", 0
    cell = shell.get_parent().get("metadata", {}).get("cellId", "")
    return cell, shell.execution_count
