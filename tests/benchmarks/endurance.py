"""Does a notebook repeat itself, and what does its kernel need? Prints a Markdown table.

    python tests/benchmarks/endurance.py --runs 20              # every notebook, 20 times in a row
    python tests/benchmarks/endurance.py 06 --kernels 8         # 8 kernels at once on notebook 06
    python tests/benchmarks/endurance.py 06 --busy 1            # while one core has other work

A run is every cell, in the kernel of the run before. Text results must be the same each time.
Memory is the kernel's (resident, MB): what it keeps after the first and the last run, once Python
has collected its garbage, and at its highest. A second table says where the first run's seconds go.
"""

import argparse
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import nbformat
import psutil
from nbclient import NotebookClient

from labkit.course.check import NOTEBOOKS, chosen

# Times differ from run to run, and so does a progress bar.
VOLATILE = re.compile(r"\d+(\.\d+)? ?(ms|s|seconds|it/s)\b|\d\d:\d\d|0x[0-9a-f]+")

KINDS = {"setup": "loading", "panel": "panels", "exercise": "exercises", "hide-input": "figures"}
LIVE = "live"  # the cells that train before the reader's eyes, and whatever has no tag

TIDY = "import gc; gc.collect()"


class Endurance(NamedTuple):
    """What one kernel did with one notebook, again and again."""

    notebook: str
    seconds: list[float]  # of each run, by the clock
    cpu: float  # seconds of one run, the mean
    memory: list[float]  # MB kept after each run
    peak: float  # MB
    differs: list[int]  # runs whose text is not the first one's
    where: Counter[str]  # the first run's seconds, by the kind of cell


def endure(path: Path, runs: int) -> Endurance:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(TIDY))
    client = NotebookClient(notebook, timeout=600, store_widget_state=False)
    client.resources = {"metadata": {"path": str(path.parent)}}
    texts, seconds, memory, peak, where = [], [], [], [0.0], Counter()
    with client.setup_kernel():
        kernel = psutil.Process(client.km.provisioner.process.pid)
        watching = threading.Event()
        watcher = threading.Thread(target=watch, args=(kernel, peak, watching), daemon=True)
        watcher.start()
        for _ in range(runs):
            begun = time.monotonic()
            for place, cell in enumerate(notebook.cells):
                client.kc.session.metadata = {"cellId": cell.id}  # as JupyterLab says it
                started = time.monotonic()
                client.execute_cell(cell, place)
                where[kind(cell)] += (time.monotonic() - started) * (not seconds)
            seconds.append(time.monotonic() - begun)
            memory.append(kernel.memory_info().rss / 1e6)
            texts.append(text_of(notebook))
        cpu = sum(kernel.cpu_times()[:2]) / runs
        watching.set()
        watcher.join()
    differs = [run for run, text in enumerate(texts) if text != texts[0]]
    return Endurance(path.stem, seconds, cpu, memory, max(peak), differs, where)


def kind(cell: nbformat.NotebookNode) -> str:
    tags = cell.metadata.get("tags", ())
    return next((KINDS[tag] for tag in KINDS if tag in tags), LIVE)


def watch(kernel: psutil.Process, peak: list[float], stop: threading.Event) -> None:
    while not stop.wait(0.1):
        peak[0] = max(peak[0], kernel.memory_info().rss / 1e6)


def text_of(notebook: nbformat.NotebookNode) -> list[str]:
    """What the cells print and return, without times, addresses and progress."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    texts = ["".join(o.text for o in outputs if o.get("name") == "stdout")]  # in any pieces
    texts += [o.data["text/plain"] for o in outputs if "image/png" in o.get("data", {})]
    return [VOLATILE.sub("-", text) for text in texts]


def table(rows: Sequence[Endurance]) -> str:
    head = ("notebook", "runs", "seconds: first, median", "CPU seconds",
            "MB kept after first, last", "MB at most", "same text")  # fmt: skip
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        middle = sorted(row.seconds)[len(row.seconds) // 2]
        same = "yes" if not row.differs else f"not in runs {[run + 1 for run in row.differs]}"
        cells = (row.notebook, len(row.seconds), f"{row.seconds[0]:.0f}, {middle:.0f}",
                 f"{row.cpu:.0f}", f"{row.memory[0]:.0f}, {row.memory[-1]:.0f}",
                 f"{row.peak:.0f}", same)  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def places(rows: Sequence[Endurance]) -> str:
    """Where the first run's seconds went."""
    kinds = (*KINDS.values(), LIVE)
    lines = [f"| notebook | {' | '.join(kinds)} |", "|---" * (1 + len(kinds)) + "|"]
    for row in rows:
        spent = (f"{row.where[kind]:.1f}" for kind in kinds)
        lines.append(f"| {row.notebook} | {' | '.join(spent)} |")
    return "\n".join(lines)


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """Programs that want a core each, as a browser or a neighbour's kernel may."""
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", help="how their names begin (default: all)")
    parser.add_argument("--runs", type=int, default=1, help="times in a row (default: once)")
    parser.add_argument("--kernels", type=int, default=1, help="of each notebook, at once")
    parser.add_argument("--busy", type=int, default=0, help="cores that other work keeps busy")
    options = parser.parse_args()
    rows = []
    with busy(options.busy):
        for path in chosen(NOTEBOOKS, options.notebooks):
            with ThreadPoolExecutor(options.kernels) as pool:
                rows += pool.map(endure, [path] * options.kernels, [options.runs] * options.kernels)
            print(table(rows[-options.kernels :]), flush=True)
    print(f"\n{table(rows)}\n\n{places(rows)}")
    return int(any(row.differs for row in rows))


if __name__ == "__main__":
    sys.exit(main())
