"""`python -m labkit site`: executed notebooks that need neither a script nor the network."""

from __future__ import annotations

import html
import re

import nbformat
import pytest

from labkit.course import site

NOTEBOOKS = sorted(site.NOTEBOOKS.glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    """The page of a small notebook with a formula, a figure, a panel, a progress bar and text."""
    folder = tmp_path_factory.mktemp("site")
    cells = [
        nbformat.v4.new_markdown_cell("# Title & more\n\nIf $a < b$ then\n\n$$\\sum_i x_i$$"),
        nbformat.v4.new_code_cell(
            "from labkit import plots\nfig, ax = plots.figure()\n"
            "plots.Picture(fig, 'an \"empty\" figure')"
        ),
        nbformat.v4.new_code_cell(
            "from labkit.ui.panel import panel\n"
            "panel(lambda a: a, lambda ax, a: None, str, a=(0, 3))"
        ),
        nbformat.v4.new_code_cell(
            "from labkit.transfer import progress_bar\nwith progress_bar('training') as bar:\n"
            "    bar(1.0, 'end')\nprint('done <here>')"
        ),
    ]
    path = folder / "09_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    site.make([path], folder / "pages")
    assert (
        '<a href="09_small.html">Title &amp; more</a>' in (folder / "pages/index.html").read_text()
    )
    assert not list((folder / "pages").glob("*.tmp"))
    return (folder / "pages/09_small.html").read_text(encoding="utf-8")


def test_a_page_needs_nothing_else(page) -> None:
    assert "<script" not in page and not re.search(r'(src|href)="https?:', page)
    assert page.count("<math") == 2 and "$" not in page.split("</style>")[1]
    assert "<title>Title &amp; more</title>" in page


def test_pictures_have_alternative_texts_and_progress_leaves_none(page) -> None:
    found = re.findall(r"<img [^>]*alt=(\"[^\"]*\"|'[^']*')", page)
    assert [html.unescape(alt[1:-1]) for alt in found] == ['an "empty" figure', "1"]
    assert "done &lt;here&gt;" in page and "training:" not in page


def test_a_picture_that_needs_no_kernel_is_on_its_page_as_it_is(tmp_path) -> None:
    """A widget, its page and its words leave a cell; one script and no file beside it arrive."""
    cells = [nbformat.v4.new_code_cell("from labkit import explorers\nexplorers.theory()")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "09_alive.ipynb")
    site.make([tmp_path / "09_alive.ipynb"], tmp_path / "pages")
    page = (tmp_path / "pages/09_alive.html").read_text(encoding="utf-8")
    assert page.count('<script type="module">') == page.count("<script") == 1
    assert "mount(document.getElementById(" in page and "<img" not in page
    assert not re.search(r'(src|href)="https?:', page)


def test_a_notebook_that_fails_is_named(tmp_path) -> None:
    path = tmp_path / "bad.ipynb"
    cells = [nbformat.v4.new_code_cell("raise KeyError('no such style')")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with pytest.raises(RuntimeError, match=r"bad.ipynb does not run(.|\n)*no such style"):
        site.make([path], tmp_path / "pages")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_formula_of_the_course_becomes_mathml(path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            text = site.mathml(cell.source)
            formulas = re.findall(r"<math.*?</math>", text)
            assert not re.search(r"\\[a-z]{2,}", " ".join(formulas)), "a command it does not know"
            assert "$" not in re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def test_dollars_in_code_are_left_alone() -> None:
    assert site.mathml("`$x$` and ```\n$y$\n```") == "`$x$` and ```\n$y$\n```"


def test_the_command_says_what_to_open_or_what_was_wrong(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(site, "NOTEBOOKS", tmp_path)
    nbformat.write(nbformat.v4.new_notebook(cells=[]), tmp_path / "01_empty.ipynb")
    made = []
    monkeypatch.setattr(site, "make", lambda paths, folder: made.append((paths, folder)))
    assert site.main([str(tmp_path / "pages"), "01"]) == 0
    assert made == [([tmp_path / "01_empty.ipynb"], tmp_path / "pages")]
    assert f"open {tmp_path / 'pages' / 'index.html'}" in capsys.readouterr().out
    assert site.main(["pages", "07"]) == 2
    assert "got 07, accepted: the beginning of 01_empty" in capsys.readouterr().err
