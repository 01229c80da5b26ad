"""The pages of panels that `python -m labkit classroom` serves."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.course import classroom, warm
from labkit.course.notebooks import NOTEBOOKS, chosen, read, run_cells, tags

PATHS = chosen(NOTEBOOKS, ())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("classroom")
    classroom.prepare(folder)
    return folder


def test_every_page_has_its_notebook_s_panels_and_what_they_need_in_order(folder) -> None:
    for path in PATHS:
        cells = [cell.source for cell in read(folder / "pages" / path.name).cells]
        kept = [cell for cell in read(path).cells if tags(cell) & {"setup", "panel"}]
        assert all(
            cell.endswith(own.source) and cell.startswith("%%capture") != ("panel" in tags(own))
            for cell, own in zip(cells, kept, strict=True)
        )
        assert "classroom-question" in cells[-1], "a page ends with a panel"


def test_the_playlist_sets_five_panels_up_and_the_start_page_has_a_card_for_each_page(
    folder,
) -> None:
    cells = read(folder / "pages" / classroom.TEN).cells
    shown = [cell.source for cell in cells if "panel" in tags(cell)]
    assert len(shown) == 5 and "hearts, told apart by colour" in shown[2]
    cards = (folder / "voila/templates/classroom/cards.html").read_text(encoding="utf-8")
    assert cards.count("data:image/png") == 3 * (1 + len(PATHS))
    assert all(f'"{path.name}"' in cards for path in PATHS)


@pytest.mark.parametrize(
    ("markdown", "asked"),
    [
        ("## A\n\nOne. **Predict:** what\nnext?\n\nMore.", "**Predict:** what\nnext?"),
        ("Text.\n\n1. One?\n2. Two?\n\n<details>\nAnswer\n\nTwo\n</details>", "1. One?\n2. Two?"),
        ("# Only a title", ""),
    ],
)
def test_the_question_is_what_the_text_before_a_panel_asks(markdown, asked) -> None:
    assert classroom.prompt(markdown) == asked


def test_a_page_runs_and_shows_nothing_but_its_panels(folder) -> None:
    """The quickest one; tests/browser runs the cells of all of them in a browser."""
    page = folder / "pages" / "04_adapters.ipynb"
    notebook = read(page)
    assert run_cells(notebook, page, limit=120) == {}
    for cell in notebook.cells:
        shown = [output.get("data", {}) for output in cell.outputs]
        panels = [data for data in shown if "application/vnd.jupyter.widget-view+json" in data]
        assert len(panels) == len(shown) / 2 == ("panel" in tags(cell)), cell.source


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
    assert str(Path(command[3]).parent) in env["JUPYTER_PATH"]
    assert pages == [classroom.TEN, *(path.name for path in PATHS)]
    assert not Path(command[3]).exists()


def test_the_next_page_s_kernel_has_imported_everything(tmp_path, monkeypatch) -> None:
    """And a second page at once gets one of its own."""
    monkeypatch.setattr(warm, "IMPORTS", "import fractions as known")

    async def knows(manager: warm.WarmKernels, kernel: str) -> str:
        client = manager.get_kernel(kernel).client()
        client.start_channels()
        await client.wait_for_ready(timeout=100)
        reply = await client.execute_interactive("known", output_hook=id)
        client.stop_channels()
        return reply["content"]["status"]

    async def two_pages() -> list[str]:
        manager = warm.WarmKernels(connection_dir=str(tmp_path))
        try:
            await asyncio.sleep(0.1)
            return [await knows(manager, await manager.start_kernel(path="")) for _ in range(2)]
        finally:
            await manager.shutdown_all()

    assert asyncio.run(two_pages()) == ["ok", "error"]
