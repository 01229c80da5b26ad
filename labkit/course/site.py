"""The notebooks, executed, as static pages: for a phone, an archive, a server without Python.

    python -m labkit site               # writes site/, two to three minutes on two cores
    python -m labkit site pages 01 06   # two of them, into pages/

nbconvert makes the body of a page, page.html holds it. A panel appears as its first picture with
its alternative text, one that needs no kernel (`labkit.ui.alive`) as it is, and formulas become
MathML: a page needs no other file, and no network.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from pygments.formatters import HtmlFormatter

from labkit.course.notebooks import NOTEBOOKS, chosen, read, run_cells
from labkit.files import make_folder, replacing, told

PAGE = Path(__file__).with_name("page.html")
SECONDS = 600  # for a cell
# Code first: a dollar inside `code` or a fenced block is no formula.
FORMULA = re.compile(r"```.*?```|`[^`]*`|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$]+?)\$", re.DOTALL)
UNKNOWN = {r"\arg\min": r"\mathrm{arg\,min}"}  # what the converter would print as it stands


def mathml(markdown: str) -> str:
    """Replace `$...$` and `$$...$$` by MathML, on one line each, outside code."""

    def replaced(found: re.Match) -> str:
        if not found.lastgroup:
            return found[0]
        formula = " ".join(found[found.lastgroup].split())
        for unknown, known in UNKNOWN.items():
            formula = formula.replace(unknown, known)
        return convert(formula, display=found.lastgroup)

    return FORMULA.sub(replaced, markdown)


def executed(path: Path) -> NotebookNode:
    """Run a notebook in its folder. Raises RuntimeError, with the notebook's name, if it fails."""
    notebook = read(path)
    for failed in run_cells(notebook, path, SECONDS, go_on=False).values():
        raise RuntimeError(f"{path.name} does not run: {failed}")
    return notebook


def readable(notebook: NotebookNode) -> NotebookNode:
    """The notebook with formulas as MathML and pictures with their alternative texts."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = mathml(cell.source)
            continue
        cell.outputs = [output for output in cell.outputs if not is_progress(output)]
        for output in cell.outputs:
            if output.get("metadata", {}).get("alive"):  # a picture that needs no kernel
                output.data = {"text/html": output.data["text/html"]}
            elif "image/png" in output.get("data", {}):
                about = output.metadata.setdefault("image/png", {})
                about.setdefault("alt", output.data.get("text/plain", ""))
                output.data = {"image/png": output.data["image/png"]}
    return notebook


def is_progress(output: NotebookNode) -> bool:
    """A progress bar overwrites itself on a screen; on paper it would be a hundred lines."""
    data = output.get("data", {})
    widget = "application/vnd.jupyter.widget-view+json" in data
    return output.get("name") == "stderr" or (widget and not {"image/png", "text/html"} & set(data))


def page(title: str, body: str) -> str:
    light, dark = (
        HtmlFormatter(style=style).get_style_defs(".highlight")
        for style in ("default", "github-dark")
    )
    template = Template(PAGE.read_text(encoding="utf-8"))
    return template.substitute(title=html.escape(title), body=body, light=light, dark=dark)


def write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make(paths: Sequence[Path], folder: Path) -> None:
    """A page for each notebook, and index.html."""
    make_folder(folder)
    exporter = HTMLExporter(
        template_name="basic", exclude_anchor_links=True,
        exclude_input_prompt=True, exclude_output_prompt=True,
    )  # fmt: skip
    links = []
    for path in paths:
        notebook = executed(path)
        heading = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)
        title, name = heading[1] if heading else path.stem, path.with_suffix(".html").name
        body, _ = exporter.from_notebook_node(readable(notebook))
        write(folder / name, page(title, f'<p><a href="index.html">All notebooks</a></p>\n{body}'))
        links.append(f'<li><a href="{name}">{html.escape(title)}</a></li>')
    contents = "<h1>Transfer Learning Lab</h1>\n<ul>\n" + "\n".join(links) + "\n</ul>"
    write(folder / "index.html", page("Transfer Learning Lab", contents))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m labkit site")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("site"))
    parser.add_argument("notebooks", nargs="*", help="how their names begin: 01 06 (default: all)")
    options = parser.parse_args(arguments)
    try:
        with told("`site FOLDER`"):
            make(chosen(NOTEBOOKS, options.notebooks), options.folder)
    except (ValueError, RuntimeError) as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    print(f"labkit: open {options.folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
