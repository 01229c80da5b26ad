"""The pages of panels that `python -m labkit classroom` serves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.course import classroom
from labkit.course.cells import sources

NOTEBOOKS = sorted((classroom.ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("explorers.theory()", True),
        ("x = explorers.theory()\nx", True),
        ("x = explorers.theory()", False),
        ("live = explorers.watch_simclr()\nassert live", False),
        ("explorers.theory().alt", False),
        ("plots.Picture(fig, explorers.describe_theory(result))", False),
        ("def broken(:", False),
        ("", False),
    ],
)
def test_a_panel_is_what_a_cell_ends_with(source, expected) -> None:
    assert classroom.is_panel(source) == expected


def test_every_page_has_its_notebook_s_panels_in_order(tmp_path) -> None:
    pages = classroom.write_pages(tmp_path)
    assert [page.name for page in pages] == [notebook.name for notebook in NOTEBOOKS]
    for page, notebook in zip(pages, NOTEBOOKS, strict=True):
        cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
        shown = ["".join(c["source"]) for c in cells if not c["source"][0].startswith("%%")]
        panels = [cell for cell in sources(notebook) if classroom.is_panel(cell)]
        assert shown == [classroom.parted(cell)[1] for cell in panels]
        assert all("checks." not in "".join(cell["source"]) for cell in cells)


@pytest.mark.parametrize("ends", [3, KeyboardInterrupt], ids=["status", "Ctrl-C"])
def test_voila_serves_the_pages_until_it_is_stopped(monkeypatch, ends) -> None:
    served = []

    def run(command, env):
        served.append((command, env, sorted(path.name for path in Path(command[3]).iterdir())))
        if ends is KeyboardInterrupt:
            raise ends
        return subprocess.CompletedProcess(command, ends)

    monkeypatch.setattr(classroom.subprocess, "run", run)
    monkeypatch.setattr("sys.argv", ["classroom", "--port", "8899"])
    assert classroom.main() == (0 if ends is KeyboardInterrupt else ends)
    [(command, env, pages)] = served
    assert command[:3] == [sys.executable, "-m", "voila"] and command[-2:] == ["--port", "8899"]
    assert env["JUPYTER_PREFER_ENV_PATH"] == "1"
    assert pages == [notebook.name for notebook in NOTEBOOKS] and not Path(command[3]).exists()
