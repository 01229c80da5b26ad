"""What a cell depends on."""

from __future__ import annotations

import nbformat

from labkit.course import check as grade
from labkit.course.cells import names, needed, sources


def test_only_cells_that_an_exercise_depends_on_are_run() -> None:
    cells = [
        "import time",
        "time.sleep(100)",  # makes no name that is needed
        "a = 1\nb = 2",
        "def f(x):\n    return x + a",
        "c = b\na = [a for _ in range(3)]",
        "a = 3\nc = a",
        "outcome = checks.labels_needed(f)",
    ]
    assert needed(cells, grade.checks_in) == [2, 3, 4, 5, 6], "f reads whichever a is the last"
    assert needed(["a = 1", "a = 2", "checks.ridge(a)"], grade.checks_in) == [1, 2]
    assert needed([*cells[:5], "checks.class_means(f, a)"], grade.checks_in) == [2, 3, 4, 5]
    assert grade.checks_in(cells[-1]) == ["labels_needed"]


def test_a_cell_that_changes_a_name_needs_the_one_that_made_it() -> None:
    for change in ("total += 1", "total[0] = 1", "total.parts[0] += 1"):
        cells = ["total = make()", change, "checks.ridge(total)"]
        assert needed(cells, grade.checks_in) == [0, 1, 2], change


def test_only_what_is_no_python_loses_its_magic(tmp_path) -> None:
    cells = ["x = (\n    7\n    % 4\n)", "%matplotlib inline\ny = 1"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(book, tmp_path / "a.ipynb")
    assert sources(tmp_path / "a.ipynb") == [cells[0], "y = 1"]


def test_names_are_read_or_made_or_read_later() -> None:
    source = "import numpy as np\nx, y = f(z)\nx = x + 1\ndef g(a):\n    b = a\n    return b + c"
    assert names(source) == ({"f", "z"}, {"c"}, {"np", "x", "y", "g"})
    assert names("def broken(:") == (set(), set(), set())


def test_what_for_and_with_bind_is_not_read_from_an_earlier_cell() -> None:
    assert names("y = [f(x) for x in xs]") == ({"f", "xs"}, set(), {"y"})
    assert names("for x in xs:\n    g(x)\nh(x)") == ({"xs", "g", "h"}, set(), {"x"})
    assert names("with f(a) as bar:\n    y = g(bar)") == ({"f", "a", "g"}, set(), {"bar", "y"})
