"""The panels without code, in large type, for a projector: served by Voila.

    python -m labkit classroom            # opens the list of notebooks in the browser
    python -m labkit classroom --no-browser --port 8899

Each page holds the panels of one notebook and runs only the cells tagged `setup`, so that it is
there in seconds. Tab and the arrow keys move the controls.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.course.notebooks import NOTEBOOKS, chosen, read, tags
from labkit.files import told

LARGE = 1.35  # as large as a panel can be on a projector of 1280 pixels
STYLE = f"""%%html
<style>
  body {{ zoom: {LARGE}; }}
  .labkit-panel {{ margin: 8px auto; }}
  .jp-OutputPrompt, .jp-InputPrompt {{ display: none !important; }}
</style>"""


def panel_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The panels of a notebook, and the cells they need, which show nothing."""
    cells = [cell for cell in notebook.cells if tags(cell) & {"setup", "panel"}]
    for cell in cells:
        if "panel" not in tags(cell):
            cell.source = f"%%capture\n{cell.source}"
    return cells


def write_pages(folder: Path) -> list[Path]:
    """A page of panels for each notebook that has any, in order."""
    pages = []
    for path in chosen(NOTEBOOKS, ()):
        notebook = read(path)
        notebook.cells = [nbformat.v4.new_code_cell(STYLE), *panel_cells(notebook)]
        if any("panel" in tags(cell) for cell in notebook.cells):
            pages.append(folder / path.name)
            nbformat.write(notebook, pages[-1])
    return pages


def command(folder: Path, options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "voila", str(folder), "--classic_tree=True",
            "--VoilaConfiguration.show_tracebacks=True", *options]  # fmt: skip


def main() -> int:
    with told("TMPDIR"), tempfile.TemporaryDirectory() as folder:
        write_pages(Path(folder))
        env = os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"}  # this environment's kernel
        try:
            return subprocess.run(command(Path(folder), sys.argv[1:]), env=env).returncode
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
