"""Where a live panel's frame goes in the kernel: a Markdown table of milliseconds, medians of 200.

    OMP_NUM_THREADS=1 python tests/browser/measure_frame.py [--write]    # tests/browser/LATENCY.md

The panel is the synthetic one of measure_latency.py, at 1.5 pixels per CSS pixel, its axes as in
the frame before. What a key costs beyond this is the browser's: the message, the picture decoded
and painted (`measure_latency.py`).
"""

import sys
import time
from collections import defaultdict
from collections.abc import Callable
from statistics import median
from typing import Any

from measure_latency import DRAW
from measure_site import write_section

from labkit.ui import panel, raster

FRAMES = 200
TITLE = "\n## Where a frame's time goes in the kernel\n"
ABOUT = """By `OMP_NUM_THREADS=1 python tests/browser/measure_frame.py --write`; the parts below
the second lie within it, but for the PNG. The rest of a key's time is the browser's.
"""
times: dict[str, list[float]] = defaultdict(list)


def timed(function: Callable, name: str) -> Callable:
    def run(*arguments: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            times[name].append(1000 * (time.perf_counter() - begun))

    return run


def main() -> None:
    made: dict[str, Any] = {}
    exec(DRAW, made)
    shown = panel.panel(lambda k: k, made["draw"], lambda k: f"Now at {k}.", k=(0, 100))
    canvas = shown.canvas
    parts = {
        (panel, "png"): "pixels to PNG",
        (canvas, "render"): "the picture, in all",
        (canvas, "draw"): "the panel's own draw: lines, bands, points made",
        (raster, "_draw_without"): "data drawn by Agg",
        (canvas, "_place"): "axes compared with the background's",
    }
    for (owner, name), what in parts.items():
        setattr(owner, name, timed(getattr(owner, name), what))
    step = timed(lambda k: shown.set(k=k), "a frame, in all")
    for frame in range(FRAMES):
        step(frame % 100)
    middle = {what: median(took) for what, took in times.items()}
    longest_first = sorted(middle, key=middle.get, reverse=True)
    rows = [f"| {what} | {middle[what]:.1f} |" for what in longest_first]
    print("\n".join(rows))
    if "--write" in sys.argv:
        write_section(TITLE, ABOUT, "| part of a frame | ms |", "|---|---|", *rows)


if __name__ == "__main__":
    main()
