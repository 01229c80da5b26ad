"""The panels without code, in large type, for a projector: served by Voila.

    python -m labkit classroom            # opens the list of notebooks in the browser
    python -m labkit classroom --no-browser --port 8899

Each page holds the panels of one notebook and runs only the cells they depend on, so that it is
there in seconds. Tab and the arrow keys move the controls.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from labkit.course.cells import called, needed, nodes, sources
from labkit.files import told

ROOT = Path(__file__).resolve().parents[2]
LARGE = 1.35  # as large as a panel can be on a projector of 1280 pixels
STYLE = f"""
%%html
<style>
  body {{ zoom: {LARGE}; }}
  .labkit-panel {{ margin: 8px auto; }}
  .jp-OutputPrompt, .jp-InputPrompt {{ display: none !important; }}
</style>
"""


def is_panel(source: str) -> bool:
    """Whether a cell ends by showing a panel: `explorers.name(...)`, or a name for one."""
    body = ast.parse(source).body if nodes(source) else []
    if not body or not isinstance(body[-1], ast.Expr):
        return False
    shown = body[-1].value
    if isinstance(shown, ast.Name):
        bound = (n for n in nodes(source) if isinstance(n, ast.Assign))
        same = [n.value for n in bound if any(shown.id == getattr(t, "id", "") for t in n.targets)]
        shown = same[-1] if same else shown
    return bool(called(shown, "explorers"))


def panel_cells(notebook: Path) -> list[str]:
    """The panels of a notebook, and the cells they need, whose outputs go."""
    cells, panels = [], set()
    for cell in sources(notebook):
        before, shown = parted(cell) if is_panel(cell) else (cell, "")
        cells += filter(None, (before, shown))
        panels |= {shown} - {""}
    kept = [cells[place] for place in needed(cells, panels.__contains__)]
    return [cell if cell in panels else f"%%capture\n{cell}" for cell in kept]


def parted(cell: str) -> tuple[str, str]:
    """What comes before a cell's last statement, and that."""
    lines, last = cell.splitlines(), ast.parse(cell).body[-1].lineno - 1
    return "\n".join(lines[:last]), "\n".join(lines[last:])


def panels_only(notebook: Path) -> dict:
    """The notebook as Voila gets it."""
    return {
        "cells": [code_cell(STYLE.strip()), *map(code_cell, panel_cells(notebook))],
        "metadata": json.loads(notebook.read_text(encoding="utf-8"))["metadata"],
        "nbformat": 4,
        "nbformat_minor": 4,
    }


def code_cell(source: str) -> dict:
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [],
            "source": lines}  # fmt: skip


def write_pages(folder: Path) -> list[Path]:
    """A page of panels for each notebook that has any, in order."""
    pages = []
    for notebook in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        if any(map(is_panel, sources(notebook))):
            page = folder / notebook.name
            page.write_text(json.dumps(panels_only(notebook), indent=1), encoding="utf-8")
            pages.append(page)
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
