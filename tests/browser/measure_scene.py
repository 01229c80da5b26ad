"""How evenly the explorer plays: times between the frames that Chromium shows, three methods.

    python tests/browser/measure_scene.py              # plays the shipped recording
    python tests/browser/measure_scene.py FILE.json    # plays one that was recorded before
    python tests/browser/measure_scene.py --write      # and into tests/browser/LATENCY.md

The page is a file, as on the site, 1400 x 800, without a graphics processor. "drawing" is the time
in the script for one picture; "frame" the time from one picture to the next while it plays, whose
least is the display's 16.7 ms. To be run on a machine with nothing else to do.
"""

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median, quantiles

from driver import launched
from measure_site import write_section
from playwright.sync_api import sync_playwright

from labkit.lp_ft import explorer
from labkit.ui.alive import alive, joined

TITLE = "\n## The explorer while it plays\n"
ABOUT = "By `python tests/browser/measure_scene.py --write`.\n"
# requestAnimationFrame is wrapped before the page's own script runs.
WATCH = """
window.seen = { frames: [], drawing: [] };
const native = window.requestAnimationFrame.bind(window);
let last = null;
window.requestAnimationFrame = (draw) => native((now) => {
    if (last !== null) window.seen.frames.push(now - last);
    last = now;
    const began = performance.now();
    draw(now);
    window.seen.drawing.push(performance.now() - began);
});
"""
SHOWN = "document.querySelector('.labkit-canvas').dataset.shown"


def recorded() -> str:
    opened = explorer.feature_distortion()
    return json.dumps({k: v for k, v in opened.stage.content.items() if k != "kernel"})


def measure(packed: str, folder: Path) -> dict[str, float]:
    """Milliseconds and megabytes of a scene that plays from its start to its end."""
    page = alive(joined(*explorer.SCRIPTS), explorer.SHEET, json.loads(packed), explorer.TITLE)
    path = folder / "scene.html"
    path.write_text(f"<!doctype html><meta charset=utf-8>{page}", encoding="utf-8")
    with sync_playwright() as playwright, launched(playwright) as browser:
        tab = browser.new_page(viewport={"width": 1400, "height": 800})
        tab.add_init_script(WATCH)
        tab.goto(path.as_uri())
        tab.wait_for_function(SHOWN)
        opened = tab.evaluate("performance.now()")
        tab.get_by_role("button", name="Play").press("Enter")
        tab.wait_for_timeout(500)  # the first pictures warm the script up
        tab.evaluate("window.seen.frames.length = window.seen.drawing.length = 0")
        tab.get_by_role("button", name="Play", exact=True).wait_for(timeout=60_000)
        seen = tab.evaluate("window.seen")
    frames, drawing = seen["frames"], seen["drawing"]
    return {
        "pictures": len(frames), "frame, p50 ms": median(frames), "longest": max(frames),
        "p95": quantiles(frames, n=20)[-1], "drawing, p50 ms": median(drawing),
        "longest drawing": max(drawing), "first picture, ms": opened,
        "page, MB": path.stat().st_size / 1e6,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("scene", nargs="?", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    packed = options.scene.read_text(encoding="utf-8") if options.scene else recorded()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(packed, Path(folder))
    rows = [f"| {name} | {value:.3g} |" for name, value in found.items()]
    print("\n".join(rows))
    if options.write:
        write_section(TITLE, ABOUT, "| | |", "|---|---|", *rows)


if __name__ == "__main__":
    main()
