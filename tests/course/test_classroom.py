"""The pages of panels that `python -m labkit classroom` serves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from labkit.course import classroom
from labkit.course.notebooks import NOTEBOOKS, chosen, read, run_cells, tags

PATHS = chosen(NOTEBOOKS, ())


def test_every_page_has_its_notebook_s_panels_and_what_they_need_in_order(tmp_path) -> None:
    pages = classroom.write_pages(tmp_path)
    assert [page.name for page in pages] == [path.name for path in PATHS]
    for page, path in zip(pages, PATHS, strict=True):
        style, *cells = [cell.source for cell in read(page).cells]
        assert style.startswith("%%html")
        kept = [cell for cell in read(path).cells if tags(cell) & {"setup", "panel"}]
        hidden = ("%%capture\n" * ("panel" not in tags(cell)) for cell in kept)
        assert cells == [magic + cell.source for magic, cell in zip(hidden, kept, strict=True)]
        assert "%%capture" not in cells[-1], "a page ends with a panel"


def test_a_page_runs_and_shows_nothing_but_its_panels(tmp_path) -> None:
    """The quickest one; tests/browser runs the cells of all of them in a browser."""
    classroom.write_pages(tmp_path)
    page = tmp_path / "04_adapters.ipynb"
    notebook = read(page)
    assert run_cells(notebook, page, limit=120) == {}
    for cell in notebook.cells[1:]:
        shown = [output.get("data", {}) for output in cell.outputs]
        panels = [data for data in shown if "application/vnd.jupyter.widget-view+json" in data]
        assert len(panels) == len(shown) == ("panel" in tags(cell)), cell.source


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
    assert pages == [path.name for path in PATHS] and not Path(command[3]).exists()
