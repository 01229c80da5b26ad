"""How soon a page of the classroom shows its first panel, once the server has been up for a while.

    python tests/browser/measure_classroom.py [--write]       # --write: into LATENCY.md

Half a minute passes between two pages, as in a lecture: the warm kernel is made anew meanwhile.
"""

import sys
import tempfile
import time
from pathlib import Path

from driver import launched, voila
from measure_site import write_section
from playwright.sync_api import sync_playwright

TITLE = "\n## The classroom's pages\n"
ABOUT = "By `python tests/browser/measure_classroom.py --write`; half a minute between two pages.\n"
FIRST = "() => document.querySelector('.labkit-image, canvas')?.clientHeight > 60"


def measure(folder: Path) -> list[str]:
    rows = []
    with voila(folder) as url, sync_playwright() as playwright, launched(playwright) as browser:
        for path in sorted((folder / "pages").glob("*.ipynb")):
            time.sleep(30)
            tab = browser.new_page(viewport={"width": 1280, "height": 720})
            begun = time.monotonic()
            tab.goto(f"{url}voila/render/{path.name}", timeout=300_000)
            tab.wait_for_function(FIRST, timeout=300_000)
            rows.append(f"| {path.stem} | {time.monotonic() - begun:.1f} |")
            print(rows[-1], flush=True)
            tab.close()
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder))
    if "--write" in sys.argv:
        write_section(TITLE, ABOUT, "| page | first panel, s |", "|---|---|", *rows)


if __name__ == "__main__":
    main()
