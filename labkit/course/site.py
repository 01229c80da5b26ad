"""The notebooks, executed, as static pages: for a phone, an archive, a server without Python.

    python -m labkit site               # writes site/, two to three minutes on two cores
    python -m labkit site pages 01 06   # two of them, into pages/

nbconvert makes the body of a page. A panel appears as its first picture with its alternative text,
and formulas become MathML, so that a page needs neither a script nor the network.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter
from tqdm import tqdm

from labkit.course.check import chosen
from labkit.files import make_folder, replacing, told

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
# Code first: a dollar inside `code` or a fenced block is no formula.
FORMULA = re.compile(
    r"```.*?```|`[^`]*`|\$\$(?P<display>.+?)\$\$|\$(?P<inline>[^$]+?)\$", re.DOTALL
)
UNKNOWN = {r"\arg\min": r"\mathrm{arg\,min}"}  # what the converter would print as it stands
STYLE = """
:root { color-scheme: light dark; }
body { max-width: 46rem; margin: 0 auto; padding: 1rem; font: 1.05rem/1.6 system-ui, sans-serif;
  overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; }
a { color: light-dark(#0b57a4, #7ab8ff); }
pre { overflow-x: auto; padding: .7rem; border-radius: 6px; font-size: .88rem; line-height: 1.45;
  background: light-dark(#f4f5f7, #1d2126); }
pre:not(.highlight pre) { white-space: pre-wrap; background: none;
  border-left: 3px solid light-dark(#ccd, #445); }
img { max-width: 100%; height: auto; }
table { display: block; overflow-x: auto; border-collapse: collapse; }
td, th { padding: .3rem .6rem; border-bottom: 1px solid light-dark(#dde, #334); text-align: left; }
math { overflow-x: auto; max-width: 100%; }
math[display=block] { display: block math; padding: .4rem 0; }
"""


def mathml(markdown: str) -> str:
    """Replace `$...$` and `$$...$$` by MathML, on one line each, outside code."""

    def replaced(found: re.Match) -> str:
        for display in ("display", "inline"):
            if found[display] is not None:
                formula = " ".join(found[display].split())
                for unknown, known in UNKNOWN.items():
                    formula = formula.replace(unknown, known)
                return convert(formula, display="block" if display == "display" else "inline")
        return found[0]

    return FORMULA.sub(replaced, markdown)


def executed(path: Path, seconds: float = 600) -> nbformat.NotebookNode:
    """Run a notebook in its folder. Raises RuntimeError, with the notebook's name, if it fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=seconds, store_widget_state=False, coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )  # fmt: skip
    try:
        return client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise RuntimeError(f"{path.name} does not run:\n{error}") from None


def readable(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with formulas as MathML and pictures with their alternative texts."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = mathml(cell.source)
            continue
        cell.outputs = [output for output in cell.outputs if not is_progress(output)]
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                output.data = {"text/html": picture(output)}
    return notebook


def is_progress(output: nbformat.NotebookNode) -> bool:
    """A progress bar overwrites itself on a screen; on paper it would be a hundred lines."""
    widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    return output.get("name") == "stderr" or (widget and "image/png" not in output.data)


def picture(output: nbformat.NotebookNode) -> str:
    about = output.metadata.get("image/png", {})
    alt = html.escape(about.get("alt") or output.data.get("text/plain", ""), quote=True)
    size = f' width="{about["width"]}"' if "width" in about else ""
    source = f"data:image/png;base64,{output.data['image/png'].strip()}"
    return f'<img alt="{alt}"{size} src="{source}">'


def page(title: str, body: str) -> str:
    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}\n{light}\n"
        f"@media (prefers-color-scheme: dark) {{ {dark} }}\n"
        ".highlight { background: none; }</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def title_of(notebook: nbformat.NotebookNode) -> str:
    """The first heading."""
    found = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)
    return found[1] if found else "A notebook"


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
    for path in tqdm(paths, unit="notebook"):
        notebook = executed(path)
        title, name = title_of(notebook), path.with_suffix(".html").name
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
