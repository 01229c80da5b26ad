"""A notebook is for a tired student: few words, short cells, plumbing folded, a clear end."""

import json
import re
from pathlib import Path

import pytest

from labkit.course.pages import text as rendered

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("0*.ipynb"))
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict]:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def visible(path: Path) -> list[dict]:
    """Code cells whose source JupyterLab shows."""
    hidden = "source_hidden"
    return [c for c in cells(path, "code") if not c["metadata"].get("jupyter", {}).get(hidden)]


def text(path: Path) -> str:
    return "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))


@each
def test_at_most_1500_words_of_text(path) -> None:
    assert len(text(path).split()) <= 1500


@each
def test_at_most_15_code_cells_are_seen_and_none_is_longer_than_12_lines(path) -> None:
    assert len(visible(path)) <= 15
    assert max(len(cell["source"]) for cell in visible(path)) <= 12
    assert max(len(cell["source"]) for cell in cells(path, "code")) <= 30, "folded ones"


@each
def test_what_checks_a_claim_is_folded_and_no_exercise_or_panel_is(path) -> None:
    shown = [cell["id"] for cell in visible(path)]
    for cell in cells(path, "code"):
        tags = set(cell["metadata"].get("tags", []))
        if "claim" in tags:
            assert cell["id"] not in shown
        if tags & {"exercise", "panel"}:
            assert cell["id"] in shown


@each
def test_no_emphasis_stands_within_bold(path) -> None:
    """JupyterLab leaves its asterisks standing where a "?" or ":" is beside them."""
    assert not re.search(r"<strong>((?!</strong>).)*<em>", str(rendered(text(path))), re.S)


@each
def test_it_begins_with_a_question_and_ends_with_three_sentences_to_remember(path) -> None:
    first, last = ("".join(cells(path, "markdown")[i]["source"]) for i in (0, -1))
    assert "**The question:**" in first
    _, remembered = last.split("## Remember")
    assert len(re.findall(r"^- ", remembered, re.M)) == 3
    assert path == NOTEBOOKS[-1] or "**Next:**" in last
