"""`python -m labkit site`: executed notebooks, alive without a kernel and without a network."""

import html
import json
import re

import nbformat
import pytest
from sites import small_notebook

from labkit.course import pages, site

NOTEBOOKS = sorted(site.NOTEBOOKS.glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pages of `small_notebook`, made twice: the second time nothing may run."""
    folder = tmp_path_factory.mktemp("site")
    path = small_notebook(folder)
    site.make([path], folder / "pages")
    for name in ("0123456789abcdef.webp", "holiday.webp"):  # of an earlier run, and the reader's
        (folder / "pages" / "frames" / name).touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(site, "run_cells")
        site.make([path], folder / "pages")
    return folder / "pages"


@pytest.fixture(scope="module")
def page(folder) -> str:
    return (folder / "09_small.html").read_text(encoding="utf-8")


def test_pages_need_nothing_but_the_files_beside_them(folder, page) -> None:
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert '<a href="09_small.html">' in index and "<p>What is small?</p>" in index
    needed = set(re.findall(r"frames/\w+\.webp", page + index))
    there = {f"frames/{file.name}" for file in (folder / "frames").iterdir()}
    assert there - needed == {"frames/holiday.webp"} and needed < there
    assert not re.search(r'(src|href)="(https?:)?/', page + index) and "site.css" in page
    assert page.count("<math") == 2 and "$" not in page
    assert "<title>Title &amp; more</title>" in page and '<h2 id="part-1">Part' in page
    assert '<a href="#part-1">Part' in page


def test_a_panel_is_recorded_along_each_control_for_every_tick(page) -> None:
    [packed] = re.findall(r'<script type="application/json">(.*?)</script>', page)
    recording = json.loads(packed)
    assert [control["label"] for control in recording["controls"]] == ["A", "B", "Flip", "Word"]
    said = {state: recording["frames"][at]["alt"] for state, at in recording["states"].items()}
    assert said["0,1,0,0"] == "0 1 False x" and said["2,1,1,0"] == "2 1 True x"
    assert said["0,1,1,1"] == "0 1 True y" and said["0,0,0,0"].startswith("b: got 0")
    assert "2,2,0,0" not in said and len(said) == 2 * (1 + 2 + 2 + 1)
    assert "frames" in str(recording["frames"][recording["states"]["0,1,0,0"]]["narrow"])


def test_outputs_are_folded_exercises_are_exercises_and_progress_leaves_nothing(page) -> None:
    assert page.count('<details class="code"><summary>Code') == 3
    exercise = page.partition('<div class="exercise">')[2].partition("</div>\n</div>")[0]
    assert "Solve it in the lab" in exercise and "not yet" not in page.replace(exercise, "")
    found = re.findall(r"<img [^>]*alt=\"([^\"]*)\"", page)
    assert [html.unescape(alt) for alt in found] == ['an "empty" figure', "0 1 False x"]
    assert "done &lt;here&gt;" in page and "training:" not in page


def test_a_picture_that_needs_no_kernel_is_on_its_page_as_it_is(tmp_path) -> None:
    """A widget, its page and its words leave a cell; one script arrives."""
    cells = [nbformat.v4.new_code_cell("from labkit import explorers\nexplorers.theory()")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "09_alive.ipynb")
    site.make([tmp_path / "09_alive.ipynb"], tmp_path / "pages")
    page = (tmp_path / "pages/09_alive.html").read_text(encoding="utf-8")
    assert page.count('<script type="module">') == 1 and page.count("<script") == 2
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
            text = pages.mathml(cell.source)
            formulas = re.findall(r"<math.*?</math>", text)
            assert not re.search(r"\\[a-z]{2,}", " ".join(formulas)), "a command it does not know"
            assert "$" not in re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)


def test_a_subscript_stands_beside_its_sign_and_under_a_minimum() -> None:
    formula = pages.mathml(r"$$\arg\min_x \nabla_B f$$")
    assert "<munder><mo>min</mo><mi>x</mi></munder>" in formula
    assert "<msub><mo>&#x02207;</mo><mi>B</mi></msub>" in formula
    assert "<munder>" not in pages.mathml(r"$\min_x$")


def test_dollars_in_code_are_left_alone() -> None:
    assert pages.mathml("`$x$` and ```\n$y$\n```") == "`$x$` and ```\n$y$\n```"


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
