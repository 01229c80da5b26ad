"""How long from a key on a slider to the new picture, and how many pictures a drag shows.

    python tests/browser/measure_latency.py [NOTEBOOK ...]

Without arguments, for a panel of its own: three bands, 500 points, 900 x 450 at 1.5 times the
pixels. With notebooks, for the first slider of each of their live panels. A key press starts the
clock in the page; the first frame painted after the new picture has loaded stops it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

from driver import Notebook, PanelView, jupyterlab, launched, write_notebook
from playwright.sync_api import sync_playwright

PANEL = """
import numpy as np
from labkit.panel import panel

X = np.linspace(0, 10, 1000)
POINTS = np.random.default_rng(0).normal(size=(2, 500))

def draw(ax, k):
    for shift in range(3):
        y = np.sin(X + shift + k / 10)
        ax.plot(X, y)
        ax.fill_between(X, y - 0.1, y + 0.1, alpha=0.2)
    ax.scatter(5 + POINTS[0], POINTS[1] * k / 50, s=8)
    ax.set(xlim=(0, 10), ylim=(-2, 2), xlabel="steps", ylabel="accuracy", title=f"Now at {k}")

panel(lambda k: k, draw, lambda k: f"Now at {k}.", title="Synthetic", k=(0, 100))
"""
WATCH = """(root) => {
    const seen = (window.seen = []);
    window.frames_shown = 0;
    let start = 0;
    root.querySelector('.noUi-handle').addEventListener(
        'keydown', () => { start = performance.now(); }, true);
    new MutationObserver(() => requestAnimationFrame(() => {
        window.frames_shown += 1;
        if (start) seen.push(performance.now() - start);
        start = 0;
    })).observe(root.querySelector('.labkit-image'), { attributeFilter: ['data-frame'] });
}"""


def measure(view: PanelView, presses: int = 40) -> str:
    slider = view.root.get_by_role("slider").first
    slider.scroll_into_view_if_needed()
    slider.press("Home")
    view.settle()
    view.root.evaluate(WATCH)
    for count in range(1, presses + 1):
        slider.press("ArrowRight" if count <= presses / 2 else "ArrowLeft")
        view.page.wait_for_function(f"window.seen.length >= {count}", polling=5, timeout=10_000)
        view.page.wait_for_timeout(60)
    times = view.page.evaluate("window.seen")[2:]
    view.page.evaluate("window.frames_shown = 0")
    control = next(control for control in view.controls() if control.kind == "slider")
    control.drag([i / 35 for i in range(36)])
    view.settle()
    shown = view.page.evaluate("window.frames_shown")
    p95 = quantiles(times, n=20)[-1]
    return f"{median(times):6.0f} {p95:6.0f} {max(times):6.0f}   {shown:2} of 36"


def measure_notebook(notebook: Notebook, path: Path) -> None:
    notebook.open(path)
    notebook.run_all()
    for number, view in enumerate(notebook.panels(), 1):
        if not view.has_button and view.root.get_by_role("slider").count():
            print(f"{measure(view)}   {path.stem}, panel {number}", flush=True)


def main(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        with launched(playwright) as browser, jupyterlab(Path(folder)) as server:
            paths = [server.folder / Path(name).name for name in names]
            paths = paths or [write_notebook(server.folder / "synthetic.ipynb", PANEL)]
            print("   p50    p95    max ms, shown in a drag")
            for path in paths:
                page = browser.new_page(viewport={"width": 1280, "height": 1000})
                measure_notebook(Notebook(page, server), path)
                page.close()


if __name__ == "__main__":
    main(sys.argv[1:])
