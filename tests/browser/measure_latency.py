"""How long from moving a control to the new picture, and how many pictures a drag shows.

    python tests/browser/measure_latency.py [NOTEBOOK ...]
    python tests/browser/measure_latency.py --peers --write    # all, and tests/browser/LATENCY.md

Without notebooks, for a panel of its own: three bands, 500 points, 900 x 450; with --peers the same
picture by `interact`, inline and ipympl (`pip install ipympl`). With notebooks, for the first
slider of each of their live panels, or else the first menu, which cannot be dragged. The event of
the slider or the menu starts the clock in the page; the first frame painted after the new picture
has loaded stops it.

The page tells by a promise when it has painted: polling it costs the two cores more than a frame.

Tried before, p50/max ms in one run (load 3 to 6; trust the order): PNG in an <img> at 1, 1.5 and 2
pixels per CSS pixel 109/176, 110/168, 162/265; raw pixels on a canvas at 1 and 1.5 122/206 and
169/227 (3.6 MB a frame, hopeless on a hub); ipywidgets.Image, which has no alternative text, 88/140
and 108/260. Row filters and zlib's other strategies make no PNG faster.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from driver import Control, Notebook, PanelView, jupyterlab, launched, write_notebook
from playwright.sync_api import Page, sync_playwright

from labkit.course.notebooks import NOTEBOOKS, chosen

DRAW = """
import numpy as np

X = np.linspace(0, 10, 1000)
POINTS = np.random.default_rng(0).normal(size=(2, 500))

def draw(ax, k):
    for shift in range(3):
        y = np.sin(X + shift + k / 10)
        ax.plot(X, y)
        ax.fill_between(X, y - 0.1, y + 0.1, alpha=0.2)
    ax.scatter(5 + POINTS[0], POINTS[1] * k / 50, s=8)
    ax.set(xlim=(0, 10), ylim=(-2, 2), xlabel="steps", ylabel="accuracy", title=f"Now at {k}")
"""
ABOUT = """# From moving a control to the new picture

In JupyterLab and headless Chromium, 40 keys each, by
`python tests/browser/measure_latency.py --peers --write` (`pip install ipympl` first) on two cores
without a GPU.
"""
PANEL = """
from labkit.ui.panel import panel
panel(lambda k: k, draw, lambda k: f"Now at {k}.", title="Synthetic", k=(0, 100))
"""
INLINE = """
import matplotlib.pyplot as plt
from ipywidgets import interact

@interact(k=(0, 100))
def show(k=50):
    fig, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")
    draw(ax, k)
    plt.show()
"""
IPYMPL = """
%matplotlib widget
import matplotlib.pyplot as plt
from ipywidgets import interact
fig, ax = plt.subplots(figsize=(9, 4.5), layout="constrained")

@interact(k=(0, 100))
def show(k=50):
    ax.clear()
    draw(ax, k)
    fig.canvas.draw_idle()
"""
WATCH_CONTROL = """
    window.seen = [];
    window.frames_shown = 0;
    let start = 0;
    const shown = () => requestAnimationFrame(() => {
        window.frames_shown += 1;
        if (!start) return;
        window.seen.push(performance.now() - start);
        start = 0;
        window.painted();
    });
    for (const event of ['keydown', 'input', 'change']) {
        control.addEventListener(event, () => { start = performance.now(); }, true);
    }
"""
# A picture is new when a canvas draws an image, or an image element comes and has been decoded.
WATCH_PEER = f"""(control) => {{{WATCH_CONTROL}
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (...all) {{
        draw.apply(this, all);
        shown();
    }};
    new MutationObserver((changes) => {{
        for (const {{ addedNodes }} of changes) for (const node of addedNodes)
            node.querySelectorAll?.('img').forEach((image) => image.decode().then(shown));
    }}).observe(document.querySelector('.jp-Notebook'), {{ childList: true, subtree: true }});
}}"""
WATCH = f"""(root, control) => {{{WATCH_CONTROL}
    new MutationObserver(shown).observe(root.querySelector('.labkit-image, .labkit-canvas'),
        {{ attributeFilter: ['data-frame', 'data-shown'] }});
}}"""
PLACE = """(node) => node.options ? [0, node.selectedIndex, node.options.length - 1]
    : node.type === 'range' ? [Number(node.min), Number(node.value), Number(node.max)]
    : ['min', 'now', 'max'].map((name) => Number(node.getAttribute('aria-value' + name)))"""
EXPECT = "() => { window.next = new Promise((resolve) => { window.painted = resolve; }); }"
PAINTED = """() => Promise.race([window.next, new Promise((_, reject) => setTimeout(
    () => reject(new Error('no new picture within 10 s')), 10000))])"""


class Latency(NamedTuple):
    """Milliseconds from a key to the picture, and the pictures that 36 places of a drag gave."""

    name: str
    p50: float
    p95: float
    longest: float
    shown: str

    def row(self) -> str:
        numbers = " | ".join(f"{x:.0f}" for x in (self.p50, self.p95, self.longest))
        return f"| {self.name} | {numbers} | {self.shown} |"


HEAD = """| panel | p50, ms | p95 | longest | pictures in a drag of 36 |
|---|---|---|---|---|"""


def measure(name: str, view: PanelView, control: Control | None) -> Latency | None:
    """Latencies of one live panel, moved by one control; None without a slider or a menu."""
    if control is None:
        return None
    control.node.scroll_into_view_if_needed()
    view.page.wait_for_timeout(500)  # what comes into view is drawn anew for its size
    if control.kind != "range":  # what draws itself has no frames to wait for
        view.settle()
    view.root.evaluate(WATCH, control.node.element_handle())
    return timed(name, view.page, control)


def timed(name: str, page: Page, control: Control, moves: int = 40) -> Latency:
    step = 1
    for _ in range(moves):
        page.evaluate(EXPECT)
        step = move(control, step)
        page.evaluate(PAINTED)
        page.wait_for_timeout(60)
    times = page.evaluate("window.seen")[2:]
    shown = "no slider" if control.kind == "menu" else str(drag(page, control))
    return Latency(name, median(times), quantiles(times, n=20)[-1], max(times), shown)


def move(control: Control, step: int) -> int:
    """Move up (1) or down (-1), turning at the ends; return the direction taken."""
    low, now, high = control.node.evaluate(PLACE)
    step = -1 if now >= high else 1 if now <= low else step
    if control.kind != "menu":
        control.node.press("ArrowRight" if step > 0 else "ArrowLeft")
    else:
        control.node.select_option(index=now + step)
    return step


def drag(page: Page, slider: Control) -> int:
    page.evaluate("window.frames_shown = 0")
    slider.drag([i / 35 for i in range(36)])
    page.wait_for_timeout(1500)
    return page.evaluate("window.frames_shown")


def measure_notebook(notebook: Notebook, path: Path) -> Iterator[Latency]:
    notebook.open(path)
    notebook.run_all()
    for number, view in enumerate(notebook.panels(), 1):
        title = view.root.locator(".labkit-title").text_content()
        if not view.has_button:
            name = f"{path.stem}, {number}: {title}"
            likely = [c for kind in ("slider", "menu") for c in view.controls() if c.kind == kind]
            if latency := measure(name, view, next(iter(likely), None)):
                yield latency
    for root in notebook.page.locator(".labkit-wide").all():
        root.locator(".labkit-canvas[data-shown]").wait_for()
        scrub = Control("range", root.locator(".labkit-scrubber"), notebook.page)
        name = f"{path.stem}: {root.get_attribute('aria-label')}"
        if latency := measure(name, PanelView(root, notebook.page), scrub):
            yield latency


def measure_peer(notebook: Notebook, path: Path) -> Iterator[Latency]:
    """The same picture by `interact`."""
    notebook.open(path)
    notebook.run_all()
    slider = notebook.page.get_by_role("slider").first
    slider.wait_for()
    notebook.page.wait_for_timeout(1000)
    slider.evaluate(WATCH_PEER)
    yield timed(path.stem, notebook.page, Control("slider", slider, notebook.page))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*")
    parser.add_argument("--peers", action="store_true", help="the same picture by `interact` too")
    parser.add_argument("--write", action="store_true", help="all notebooks; write LATENCY.md")
    options = parser.parse_args()
    names = chosen(NOTEBOOKS, options.notebooks) if options.notebooks or options.write else []
    rows = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        with launched(playwright) as browser, jupyterlab(Path(folder)) as server:
            jobs = [(measure_notebook, server.folder / path.name) for path in names]
            if options.peers or not names:
                own = write_notebook(server.folder / "this lab's panel.ipynb", DRAW, PANEL)
                jobs.append((measure_notebook, own))
            if options.peers:
                for name, cell in {"inline": INLINE, "ipympl": IPYMPL}.items():
                    path = server.folder / f"interact, {name}.ipynb"
                    jobs.append((measure_peer, write_notebook(path, DRAW, cell)))
            print(HEAD)
            for job, path in jobs:
                page = browser.new_page(viewport={"width": 1280, "height": 1000})
                notebook = Notebook(page, server)
                for latency in job(notebook, path):
                    rows.append(latency.row())
                    print(rows[-1], flush=True)
                notebook.close()
    if options.write:
        path, table = Path(__file__).parent / "LATENCY.md", "\n".join([HEAD, *rows])
        _, mark, others = path.read_text(encoding="utf-8").partition("\n## ")
        path.write_text(f"{ABOUT}\n{table}\n{mark}{others}", encoding="utf-8")


if __name__ == "__main__":
    main()
