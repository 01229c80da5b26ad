"""The panels without code, one a screen, in large type, for a projector: served by Voila.

    python -m labkit classroom            # opens the start page in the browser
    python -m labkit classroom --no-browser --port 8899

Each page holds the panels of one notebook, after the cells tagged `setup`. It is there in seconds,
and shows each panel as soon as that is ready. The first page is a playlist of ten minutes. Arrow
keys step from panel to panel. The template in voila/ asks no other machine for anything.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from labkit import data
from labkit.course.notebooks import NOTEBOOKS, chosen, read, tags
from labkit.course.pages import text, title_and_question
from labkit.files import told
from labkit.ui.images import url

TEMPLATES = Path(__file__).with_name("voila")
TEN = "00_ten_minutes.ipynb"
# Of the playlist: notebook, panel, what its menus are set to, what the room is asked. And for the
# start page: emoji of each notebook.
PLAN = json.loads(TEMPLATES.with_name("classroom.json").read_text(encoding="utf-8"))


class Card(NamedTuple):
    """What the start page says of a page."""

    file: str
    title: str
    question: str


def panel_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The panels of a notebook, each with its question, and the cells they need, which are mute."""
    found = []
    for place, cell in enumerate(notebook.cells):
        if "panel" in tags(cell):
            before = [one.source for one in notebook.cells[:place] if one.cell_type == "markdown"]
            found.append(asked(cell, prompt(before[-1]) if before else ""))
        elif "setup" in tags(cell):
            cell.source = f"%%capture\n{cell.source}"
            found.append(cell)
    return found


def prompt(markdown: str) -> str:
    """The prediction that a text asks for; else its last paragraph or list."""
    plain = re.sub(r"(?s:<details>.*?</details>)|^#.*$", "", markdown, flags=re.MULTILINE)
    parts = [part.strip() for part in plain.split("\n\n") if part.strip()]
    predict = [part[part.index("**Predict") :] for part in parts if "**Predict" in part]
    return (predict or parts or [""])[-1]


def asked(cell: NotebookNode, question: str) -> NotebookNode:
    """The cell with the question above what it shows."""
    shown = f'<div class="classroom-question">{text(question)}</div>'
    imports = "from IPython.display import HTML, display"
    cell.source = f"{imports}\ndisplay(HTML({shown!r}))\n{cell.source}"
    return cell


def playlist() -> NotebookNode:
    """Five panels of five notebooks, each after the cells that it needs."""
    cells = []
    for name, panel, menus, question in PLAN["playlist"]:
        notebook = read(chosen(NOTEBOOKS, [name])[0])
        own = [cell for cell in notebook.cells if tags(cell) & {"setup", "panel"}]
        place = next(i for i, cell in enumerate(own) if f"explorers.{panel}(" in cell.source)
        cells += panel_cells(nbformat.v4.new_notebook(
            cells=[cell for cell in own[:place] if "setup" in tags(cell)]
        ))  # fmt: skip
        *rest, last = own[place].source.splitlines()
        chooses = [f"_shown.controls[{menu!r}].label = {label!r}" for menu, label in menus.items()]
        own[place].source = "\n".join([*rest, f"_shown = {last}", *chooses, "_shown"])
        cells.append(asked(own[place], question))
    for i, cell in enumerate(cells):
        cell.id = f"ten-{i}"  # each notebook counts from 1
    return nbformat.v4.new_notebook(cells=cells)


def write_pages(folder: Path) -> list[Card]:
    """A page of panels for each notebook that has any, in order; the playlist before them."""
    nbformat.write(playlist(), folder / TEN)
    cards = [Card(TEN, "Ten minutes", "The course in five panels, for an open day.")]
    for path in chosen(NOTEBOOKS, ()):
        notebook = read(path)
        begins = title_and_question(notebook, path.stem)
        notebook.cells = panel_cells(notebook)
        if any("panel" in tags(cell) for cell in notebook.cells):
            nbformat.write(notebook, folder / path.name)
            cards.append(Card(path.name, *begins))
    return cards


def write_start(folder: Path, cards: Sequence[Card]) -> None:
    """Voila's template in folder/voila, with these cards on the start page."""
    own = shutil.copytree(TEMPLATES, folder / "voila") / "templates" / "classroom"
    told = json.dumps([card._asdict() | {"emoji": emoji(card.file[:2])} for card in cards])
    (own / "cards.html").write_text(f"{{% set cards = {told} %}}", encoding="utf-8")


def emoji(name: str) -> list[str]:
    """A notebook's pictures as data URLs; none for a notebook that nobody has given any."""
    places = {concept.name: concept.position for concept in data.concepts()}
    sheet = data.read_sheet("twemoji", 64)
    return [url(sheet[places[concept]]) for concept in PLAN["emoji"].get(name, ())]


def command(folder: Path, options: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """What serves folder/pages by the template in folder/voila, and its environment."""
    words = [
        sys.executable, "-m", "voila", str(folder / "pages"), "--classic_tree=True",
        "--template=classroom", "--progressive_rendering=True",  # the first panel need not wait
        "--VoilaConfiguration.multi_kernel_manager_class=labkit.course.warm.WarmKernels",
        "--VoilaConfiguration.show_tracebacks=True", *options,
    ]  # fmt: skip
    paths = os.pathsep.join(filter(None, [str(folder), os.environ.get("JUPYTER_PATH")]))
    # This environment's kernel. A bar that has gone before Voila shows it would be an error's line.
    own = {"JUPYTER_PREFER_ENV_PATH": "1", "JUPYTER_PATH": paths, "TQDM_DISABLE": "1"}
    return words, os.environ | own


def prepare(folder: Path) -> None:
    (folder / "pages").mkdir()
    write_start(folder, write_pages(folder / "pages"))


def main() -> int:
    with told("TMPDIR"), tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        words, env = command(Path(folder), sys.argv[1:])
        try:
            return subprocess.run(words, env=env).returncode
        except KeyboardInterrupt:
            return 0


if __name__ == "__main__":
    sys.exit(main())
