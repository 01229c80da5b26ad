"""A picture that needs no kernel: one script and its content, as a widget and as a static page.

The script is an ES module with `mount(el, content, host)`. alive.js makes an anywidget of it; on a
page without a kernel `alive` calls it without a host. `panel` is for what Python draws.
"""

import html
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets
from anywidget import AnyWidget

from labkit.ui.controls import HERE, joined, read, replace_earlier


class Stage(AnyWidget):
    """What the browser draws and asks for; `Alive` gives it a script."""

    title = traitlets.Unicode().tag(sync=True)
    content = traitlets.Dict().tag(sync=True)
    live = traitlets.Dict().tag(sync=True)  # what came after the content, for its `add`
    request = traitlets.Dict().tag(sync=True)  # what the reader asks for, and its number
    progress = traitlets.Float(-1.0).tag(sync=True)  # negative: nothing is being computed
    error = traitlets.Unicode().tag(sync=True)


class Alive(ipywidgets.VBox):
    """A script with its content; `said` is what it shows, in words."""

    def __init__(
        self, title: str, scripts: Sequence[Path], sheet: Path, content: dict, said: str
    ) -> None:
        self.said, self._script, self._sheet = said, joined(*scripts), sheet
        kind = type("Stage", (Stage,), {
            "_esm": f"{self._script}\n{read(HERE / 'alive.js')}", "_css": styles(sheet),
        })  # fmt: skip
        self.stage = kind(title=title, content=content)
        super().__init__([self.stage])
        self.add_class("labkit-panel").add_class("labkit-wide")
        replace_earlier(self)

    def let_go(self) -> None:
        """Leave the browser, and forget the content."""
        self.stage.close()
        self.close()
        self.stage.content, self.stage.live = {}, {}

    @property
    def error(self) -> str | None:
        return self.stage.error or None

    def _repr_mimebundle_(self, **kwargs: Any):
        """Add the page, for where no widget can run; "alive" tells `python -m labkit site`."""
        bundle = dict(super()._repr_mimebundle_(**kwargs) or {})
        page = alive(self._script, self._sheet, self.stage.content, self.stage.title)
        return bundle | {"text/plain": self.said, "text/html": page}, {"alive": True}


def styles(sheet: Path) -> str:
    return read(HERE / "panel.css", sheet)


def alive(script: str, sheet: Path, content: Mapping[str, Any], title: str) -> str:
    """HTML in which the script draws its content, without kernel, server and network.

    What only a kernel can do stands in content["kernel"] and is left out.
    """
    here = {name: part for name, part in content.items() if name != "kernel"}
    packed = json.dumps(here, separators=(",", ":")).replace("</", "<\\/")
    name, title = f"labkit-{zlib.crc32(title.encode())}", html.escape(title, quote=True)
    return (
        f'<style>{styles(sheet)}</style>\n<div id="{name}" class="labkit-panel labkit-wide" '
        f'role="group" aria-label="{title}"></div>\n<script type="module">\n{script}\n'
        f'mount(document.getElementById("{name}"), {packed});\n</script>'
    )
