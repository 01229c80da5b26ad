"""An executed notebook as the HTML of a page, by the templates in html/; `site` writes the files.

Recorded pictures (`labkit.ui.record`) become files beside the pages, named by their content; what
needs no kernel (`labkit.ui.alive`) stays as it is; formulas become MathML.
"""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader
from latex2mathml.converter import convert
from markupsafe import Markup
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from labkit.ui.narrow import MIME
from labkit.ui.style import caption

HTML = Path(__file__).with_name("html")
SHEETS = (HTML.parents[1] / "ui" / "panel.css", HTML / "site.css")
# Code first: a dollar inside `code` or a fenced block is no formula.
FORMULA = re.compile(r"```.*?```|`[^`]*`|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$]+?)\$", re.DOTALL)
UNKNOWN = {r"\arg\min": r"\mathrm{arg}\,\min"}  # what the converter would print as it stands
UNDER = re.compile(r"<msub>(<mo>(?:min|max)</mo>)(.+?)</msub>")
QUESTION = re.compile(r"\*\*The question:\*\* \*(.+?)\*", re.DOTALL)


class Lesson(NamedTuple):
    """A page, and what a card says of it."""

    name: str  # of its file
    title: str
    question: str
    body: str
    picture: str  # a file, or nothing


def mathml(markdown: str) -> str:
    """Replace `$...$` and `$$...$$` by MathML, on one line each, outside code."""

    def replaced(found: re.Match) -> str:
        if not found.lastgroup:
            return found[0]
        formula = " ".join(found[found.lastgroup].split())
        for unknown, known in UNKNOWN.items():
            formula = formula.replace(unknown, known)
        said = convert(formula, display=found.lastgroup)
        return UNDER.sub(r"<munder>\1\2</munder>", said) if found.lastgroup == "block" else said

    return FORMULA.sub(replaced, markdown)


def text(markdown: str) -> Markup:
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    said = MarkdownWithMath(renderer=renderer).render(mathml(markdown))
    return Markup(re.sub(r'(href="[0-9]\w*)\.ipynb"', r'\1.html"', said))


def code(source: str) -> Markup:
    return Markup(highlight(source, PythonLexer(), HtmlFormatter()))


pages = Environment(loader=FileSystemLoader(HTML), autoescape=True, trim_blocks=True)
pages.filters |= {"text": text, "code": code, "ansi": strip_ansi, "caption": caption}


def title_and_question(notebook: NotebookNode, stem: str) -> tuple[str, str]:
    """What a notebook begins with; without a title the file's name, without a question nothing."""
    first = notebook.cells[0].source
    title, question = re.search(r"^# (.+)$", first, re.MULTILINE), QUESTION.search(first)
    return title[1] if title else stem, question[1] if question else ""


def lesson(notebook: NotebookNode, stem: str, keep: Callable[[bytes], str]) -> Lesson:
    """An executed notebook's page. `keep` takes a picture and returns the name of its file."""
    pictures = []

    def kept(picture: str) -> str:
        pictures.append(keep(base64.b64decode(picture)))
        return pictures[-1]

    body = pages.get_template("cells.html").render(
        cells=notebook.cells, recorded=MIME, keep=kept, prepared=lambda one: prepared(one, kept)
    )
    picture = pictures[0] if pictures else ""
    return Lesson(f"{stem}.html", *title_and_question(notebook, stem), body, picture)


def prepared(recording: dict[str, Any], keep: Callable[[str], str]) -> dict[str, Any]:
    """A recording with files for pictures: the first frame, and what site.js needs of all."""
    frames = [
        {side: part if side == "alt" else [*map(keep, part)] for side, part in frame.items()}
        for frame in recording["frames"]
    ]
    rest = ",".join(str(control["rest"]) for control in recording["controls"])
    needed = {name: recording[name] for name in ("controls", "states")} | {"frames": frames}
    phone = all(frame["narrow"] for frame in frames if "wide" in frame)
    first = frames[recording["states"][rest]]
    return recording | {"first": first, "phone": phone, "needed": needed}


def page(own: Lesson, before: Lesson | None, after: Lesson | None) -> str:
    """A lesson with its contents and the ways to its neighbours."""
    first, *parts = own.body.split("<h2>")
    body = first + "".join(f'<h2 id="part-{i}">{part}' for i, part in enumerate(parts, 1))
    headings = [Markup(part.partition("</h2>")[0]) for part in parts]
    return pages.get_template("lesson.html").render(
        title=own.title, body=Markup(body), headings=headings, before=before, after=after
    )


def index(lessons: list[Lesson]) -> str:
    return pages.get_template("index.html").render(title="Transfer Learning Lab", lessons=lessons)


def styles() -> str:
    """The pages' one style sheet, with the code's colours in both themes."""
    light, dark = (
        HtmlFormatter(style=style).get_style_defs(".highlight")
        for style in ("default", "github-dark")
    )
    own = "\n".join(sheet.read_text(encoding="utf-8") for sheet in SHEETS)
    return f"{own}\n{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n"
