"""How long from moving a control to the new picture, and how many pictures a drag shows.

    python tests/browser/measure_latency.py [NOTEBOOK ...]

Without arguments, for a panel of its own: three bands, 500 points, 900 x 450. With notebooks, for
the first slider of each of their live panels, or else the first menu, which cannot be dragged. The
event of the slider or the menu starts the clock in the page; the first frame painted after the new
picture has loaded stops it.

The page tells by a promise when it has painted: polling it costs the two cores more than a frame.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median, quantiles

from driver import Control, Notebook, PanelView, jupyterlab, launched, write_notebook
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
WATCH = """(root, control) => {
    window.seen = [];
    window.frames_shown = 0;
    let start = 0;
    for (const event of ['keydown', 'input', 'change']) {
        control.addEventListener(event, () => { start = performance.now(); }, true);
    }
    new MutationObserver(() => requestAnimationFrame(() => {
        window.frames_shown += 1;
        if (!start) return;
        window.seen.push(performance.now() - start);
        start = 0;
        window.painted();
    })).observe(root.querySelector('.labkit-image, .labkit-canvas'),
        { attributeFilter: ['data-frame', 'data-shown'] });
}"""
PLACE = """(node) => node.options ? [0, node.selectedIndex, node.options.length - 1]
    : node.type === 'range' ? [Number(node.min), Number(node.value), Number(node.max)]
    : ['min', 'now', 'max'].map((name) => Number(node.getAttribute('aria-value' + name)))"""
EXPECT = "() => { window.next = new Promise((resolve) => { window.painted = resolve; }); }"
PAINTED = """() => Promise.race([window.next, new Promise((_, reject) => setTimeout(
    () => reject(new Error('no new picture within 10 s')), 10000))])"""


def first_control(view: PanelView) -> Control | None:
    controls = view.controls()
    return next((c for kind in ("slider", "menu") for c in controls if c.kind == kind), None)


def measure(view: PanelView, control: Control | None, moves: int = 40) -> str:
    """Latencies of one live panel, moved by one control, as a line of text."""
    if control is None:
        return "neither a slider nor a menu"
    control.node.scroll_into_view_if_needed()
    view.page.wait_for_timeout(500)  # what comes into view is drawn anew for its size
    if control.kind != "range":  # the explorer has no frames to wait for
        view.settle()
    view.root.evaluate(WATCH, control.node.element_handle())
    step = 1
    for _ in range(moves):
        view.page.evaluate(EXPECT)
        step = move(control, step)
        view.page.evaluate(PAINTED)
        view.page.wait_for_timeout(60)
    times = view.page.evaluate("window.seen")[2:]
    p95 = quantiles(times, n=20)[-1]
    shown = "no slider" if control.kind == "menu" else drag(view, control)
    return f"{median(times):6.0f} {p95:6.0f} {max(times):6.0f}   {shown:9}"


def move(control: Control, step: int) -> int:
    """Move up (1) or down (-1), turning at the ends; return the direction taken."""
    low, now, high = control.node.evaluate(PLACE)
    step = -1 if now >= high else 1 if now <= low else step
    if control.kind != "menu":
        control.node.press("ArrowRight" if step > 0 else "ArrowLeft")
    else:
        control.node.select_option(index=now + step)
    return step


def drag(view: PanelView, slider: Control) -> str:
    view.page.evaluate("window.frames_shown = 0")
    slider.drag([i / 35 for i in range(36)])
    view.settle() if slider.kind == "slider" else view.page.wait_for_timeout(500)
    return f"{view.page.evaluate('window.frames_shown'):2} of 36"


def measure_notebook(notebook: Notebook, path: Path) -> None:
    notebook.open(path)
    notebook.run_all()
    for number, view in enumerate(notebook.panels(), 1):
        if not view.has_button:
            line = measure(view, first_control(view))
            print(f"{line}   {path.stem}, panel {number}", flush=True)
    for root in notebook.page.locator(".labkit-distorting").all():
        root.locator(".labkit-canvas[data-shown]").wait_for()
        scrub = Control("range", root.get_by_role("slider", name="Training step"), notebook.page)
        line = measure(PanelView(root, notebook.page), scrub)
        print(f"{line}   {path.stem}, the explorer", flush=True)


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
