"""How large the site's pages are, and how soon one can use them; opened as files, 1400 x 900.

    python -m labkit site site && python tests/browser/measure_site.py site --write

"first paint" is the browser's own; "usable" is when every panel of the page answers its controls;
"picture" is the time from a control's change until the recorded picture is decoded, at first.
"""

import argparse
from pathlib import Path

from driver import ROOT, launched
from playwright.sync_api import sync_playwright

LATENCY = ROOT / "tests" / "browser" / "LATENCY.md"
TITLE = "\n## The site's pages\n"
USABLE = "() => [...document.querySelectorAll('.recorded')].every((one) => one.dataset.state)"
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
PICTURE = """async () => {
    const slider = document.querySelector(".recorded :is(select, input[type=range])");
    if (!slider) return NaN;
    slider.closest(".recorded").scrollIntoView(); // a lazy picture out of sight never decodes
    const began = performance.now();
    slider.value = slider.value === "0" ? 1 : 0;
    slider.dispatchEvent(new Event("input"));
    await slider.closest(".recorded").querySelector("img").decode();
    return performance.now() - began;
}"""


def measure(folder: Path) -> list[str]:
    rows = []
    with sync_playwright() as playwright, launched(playwright) as browser:
        for path in sorted(folder.glob("*.html")):
            tab = browser.new_page(viewport={"width": 1400, "height": 900})
            tab.goto(path.as_uri(), wait_until="domcontentloaded")
            tab.wait_for_function(USABLE)
            usable = tab.evaluate("performance.now()")
            tab.wait_for_function(f"{PAINT} > 0")
            figures = [tab.evaluate(PAINT), usable, tab.evaluate(PICTURE)]
            cells = " | ".join("no panel" if ms != ms else f"{ms:.0f}" for ms in figures)
            rows.append(f"| {path.stem} | {path.stat().st_size / 1e6:.2f} | {cells} |")
            tab.close()
    return rows


def write_section(title: str, *lines: str) -> None:
    """Put a section of LATENCY.md, which begins with its title, in place of the one there."""
    table = "\n".join([title, *lines]) + "\n"
    before, _, after = LATENCY.read_text(encoding="utf-8").partition(title)
    rest = "\n## " + after.partition("\n## ")[2] if "\n## " in after else ""
    LATENCY.write_text(before.rstrip("\n") + "\n" + table + rest, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = measure(options.folder)
    whole = sum(file.stat().st_size for file in options.folder.rglob("*") if file.is_file()) / 1e6
    about = f"By `python tests/browser/measure_site.py site --write`; in all {whole:.1f} MB.\n"
    head = "| page | MB without pictures | first paint, ms | usable, ms | picture, ms |"
    print("\n".join([about, head, *rows]))
    if options.write:
        write_section(TITLE, about, head, "|---|---|---|---|---|", *rows)


if __name__ == "__main__":
    main()
