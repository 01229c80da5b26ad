"""A small notebook for tests of the site: formulas, a figure, a panel, an exercise, progress."""

from pathlib import Path

import nbformat

PANEL = """
import ipywidgets
from labkit.ui.panel import panel
def compute(a, b, flip, word):
    if not b:
        raise ValueError("b: got 0, accepted: 1 and 2")
    return f"{a} {b} {flip} {word}"
def draw(ax, result):
    ax.plot([0, int(result[0]) + 1])
    ax.set_title(result + ", a title that is too long for the picture that a phone will show")
word = ipywidgets.Combobox(value="x", options=["y"], description="Word")
b = ipywidgets.IntSlider(1, 0, 2, description="B")
panel(compute, draw, str, title="Small", a=[0, 1, 2], b=b, flip=False, word=word)
"""


def small_notebook(folder: Path) -> Path:
    title = "# Title & more\n\n**The question:** *what is small?*\n\nIf $a < b$ then\n\n"
    code, tagged = nbformat.v4.new_code_cell, {"metadata": {"tags": ["panel"]}}
    cells = [
        nbformat.v4.new_markdown_cell(title + "$$\\sum_i x_i$$\n\n## Part"),
        code("from labkit import plots\nplots.Picture(plots.figure()[0], 'an \"empty\" figure')"),
        code(PANEL, **tagged),
        code("print('not yet')", metadata={"tags": ["exercise"]}),
        code(
            "from labkit.transfer import progress_bar\nwith progress_bar('training') as bar:\n"
            "    bar(1.0, 'end')\nprint('done <here>')"
        ),
    ]
    path = folder / "09_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path
