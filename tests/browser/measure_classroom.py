"""How soon a page of the classroom shows its first panel, once the server has been up for a while.

python tests/browser/measure_classroom.py [--write]       # --write: into LATENCY.md
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from driver import free_port, launched, stopped, wait_for
from measure_site import write_section
from playwright.sync_api import sync_playwright

from labkit.course import classroom

TITLE = "\n## The classroom's pages\n"
ABOUT = "By `python tests/browser/measure_classroom.py --write`; half a minute between two pages.\n"
FIRST = "() => document.querySelector('.labkit-image, canvas')?.clientHeight > 60"


def measure(folder: Path) -> list[str]:
    classroom.prepare(folder)
    port, rows = free_port(), []
    options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    command, env = classroom.command(folder, options)
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    with stopped(process), sync_playwright() as playwright, launched(playwright) as browser:
        url = f"http://127.0.0.1:{port}/"
        wait_for(url, process, folder / "log")
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
    table = "\n".join([TITLE, ABOUT, "| page | first panel, s |", "|---|---|", *rows]) + "\n"
    if "--write" in sys.argv:
        write_section(TITLE, table)


if __name__ == "__main__":
    main()
