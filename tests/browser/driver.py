"""A real JupyterLab in a real browser: start it, open notebooks, move controls, read pictures."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright

from labkit.course import classroom

ROOT = Path(__file__).resolve().parents[2]
NAMES = "chromium chromium-browser google-chrome google-chrome-stable chrome msedge".split()
APPS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
# In a container one is root, and Chromium's sandbox refuses; the rest keeps it off the network.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


class NoBrowser(Exception):
    """No Chromium was found; the text says where it was looked for."""


def find_browser(playwright: Playwright) -> str:
    """Return the path of a Chromium, Chrome or Edge."""
    if chosen := os.environ.get("LABKIT_BROWSER"):
        if not Path(chosen).is_file():
            raise NoBrowser(f"LABKIT_BROWSER={chosen} is not a file")
        return chosen
    own = playwright.chromium.executable_path
    found = [shutil.which(name) for name in NAMES] + [*APPS, own]
    for path in found:
        if path and Path(path).is_file():
            return path
    raise NoBrowser(
        f"no Chromium, Chrome or Edge on PATH ({', '.join(NAMES)}) or in the usual places: "
        "install one, set LABKIT_BROWSER, or run `playwright install chromium`"
    )


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=find_browser(playwright), args=FLAGS)
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def silent_page(browser: Browser, url: str, width: int, **options) -> Iterator[Page]:
    """A page that may write nothing to the console, fail nowhere and ask no server."""
    page = browser.new_page(viewport={"width": width, "height": 800}, **options)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith("http") and wrong.append(asked.url))
    page.goto(url)
    yield page
    assert wrong == []
    page.close()


FAULTS = """async () => (await axe.run({ preload: false })).violations
    .filter(({impact}) => /serious|critical/.test(impact))
    .map(({id, nodes}) => `${id}: ${nodes[0].html}`)"""


def faults(page: Page) -> list[str]:
    """Serious faults by axe-core, where `npm install --prefix $LABKIT_AXE axe-core` put it."""
    if "LABKIT_AXE" not in os.environ:
        pytest.skip("LABKIT_AXE does not say where axe-core is")
    path = Path(os.environ["LABKIT_AXE"]) / "node_modules" / "axe-core" / "axe.min.js"
    page.evaluate(path.read_text(encoding="utf-8"))
    return page.evaluate(FAULTS)


# The server


@dataclass
class Server:
    url: str
    token: str
    folder: Path


@contextmanager
def jupyterlab(folder: Path) -> Iterator[Server]:
    """Serve `folder`/notebooks, a copy of the lab's own, with settings as a reader gets them."""
    home = folder / "jupyter"
    root = folder / "notebooks"
    ignore = shutil.ignore_patterns(".ipynb_checkpoints")
    shutil.copytree(ROOT / "notebooks", root, ignore=ignore)
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}", secrets.token_hex(16), root)
    # Everything a user may have set elsewhere is out of the way; labkit/ holds the lab's settings.
    env = os.environ | {
        "JUPYTER_CONFIG_PATH": str(ROOT / "labkit" / "course"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
        f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={server.token}", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with served(f"{server.url}/api?token={server.token}", command, env, folder / "jupyterlab.log"):
        yield server


@contextmanager
def voila(folder: Path, base_url: str = "/") -> Iterator[str]:
    """Serve the classroom's pages; gives the address of their start."""
    classroom.prepare(folder)
    port = free_port()
    options = ["--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    command, env = classroom.command(folder, [*options, f"--Voila.base_url={base_url}"])
    url = f"http://127.0.0.1:{port}{base_url}"
    with served(url, command, env, folder / "voila.log"):
        yield url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(url: str, command: list[str], env: Mapping[str, str], log: Path) -> Iterator[None]:
    """Start a server, wait for its answer, and end it with the block, and its kernels with it."""
    with open(log, "w") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(url, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url: str, process: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError("the server did not start:\n" + log.read_text()[-3000:])


# A notebook in a page


def write_notebook(path: Path, *sources: str) -> Path:
    """Write a notebook with these code cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)
    return path


# What runs in the page; `jupyterapp` is there because of --LabApp.expose_app_in_browser.
READY = """() => {
    const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
    return Boolean(context?.isReady) && context.session?.kernel?.status === 'idle';
}"""
CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code' && cell.model.sharedModel.source.trim())
    .map(cell => ({
        done: cell.model.executionCount !== null && cell.model.executionState !== 'running',
        errors: cell.model.outputs.toJSON().filter(out => out.output_type === 'error')
            .map(out => `${out.ename}: ${out.evalue}`),
    }))"""
# ResizeObserver's note is Chromium's own remark, not an error of the page.
HARMLESS = ("ResizeObserver loop", "favicon", "the server responded with a status of 404")


@dataclass
class Notebook:
    """An open notebook; `console` collects the page's errors."""

    page: Page
    server: Server
    console: list[str] = field(default_factory=list)

    def open(self, path: Path) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        name = path.relative_to(self.server.folder).as_posix()
        self.page.goto(f"{self.server.url}/lab/tree/{name}?reset&token={self.server.token}")
        self.page.wait_for_selector(".jp-Notebook", timeout=60_000)
        self.page.wait_for_function(READY, timeout=60_000)

    def _heard(self, message) -> None:
        if message.type == "error" and not any(word in message.text for word in HARMLESS):
            self.console.append(message.text)

    def run_all(self, seconds: float = 120) -> None:
        """Run every cell and wait; what failed is in `errors()`, and then the rest did not run."""
        deadline = time.monotonic() + seconds
        self._start()
        while time.monotonic() < deadline:
            cells = self.page.evaluate(CELLS)
            if all(cell["done"] for cell in cells) or self.errors():
                break
            self.page.wait_for_timeout(200)
        else:
            undone = [number for number, cell in enumerate(cells, 1) if not cell["done"]]
            raise AssertionError(f"after {seconds} s, code cells {undone} are not done")
        self.page.wait_for_function(READY, timeout=60_000)

    def _start(self) -> None:
        """ "Run All" pressed too early may do nothing, so look and press again."""
        for _ in range(5):
            self.page.evaluate(
                "() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }"
            )
            for _ in range(20):
                self.page.wait_for_timeout(100)
                if any(cell["done"] for cell in self.page.evaluate(CELLS)):
                    return
                if not self.page.evaluate(READY):
                    return
        raise AssertionError("Run All did nothing, five times")

    def errors(self) -> list[str]:
        cells = self.page.evaluate(CELLS)
        return [f"code cell {n}: {e}" for n, cell in enumerate(cells, 1) for e in cell["errors"]]

    def panels(self) -> list[PanelView]:
        """The panels of labkit.ui.panel; those that draw themselves have tests of their own."""
        found = self.page.locator(".labkit-panel:not(.labkit-wide)")
        return [PanelView(found.nth(index), self.page) for index in range(found.count())]

    def close(self) -> None:
        """Close the page and end the kernel's session."""
        self.page.evaluate(
            "async () => { const app = window.jupyterapp;"
            " await app?.shell.currentWidget?.sessionContext?.shutdown() }"
        )
        self.page.close()

    def theme(self, name: str) -> None:
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        self.page.wait_for_timeout(1000)


SCREEN = {"width": 1280, "height": 1400}


@contextmanager
def new_notebook(browser: Browser, server: Server) -> Iterator[Notebook]:
    """A fresh page on which to open a notebook, whose kernel's session ends with the block."""
    notebook = Notebook(browser.new_page(viewport=SCREEN), server)
    try:
        yield notebook
    finally:
        notebook.close()


# A panel

HASH = """async (image) => {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    let hash = 0;
    for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
    return hash;
}"""

# The kernel answers in order, so its answer to this comes after its answers to the controls.
ANSWERED = """(seconds) => Promise.race([
    window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestKernelInfo(),
    new Promise((resolve) => setTimeout(resolve, 1000 * seconds)),
]).then(() => {})"""


@dataclass
class PanelView:
    """A panel as a reader has it: names, keys, mouse, picture."""

    root: Locator
    page: Page

    @property
    def image(self) -> Locator:
        return self.root.locator(".labkit-image")

    def alt(self) -> str:
        return self.image.get_attribute("alt") or ""

    def error(self) -> str:
        return self.root.get_by_role("alert", include_hidden=True).text_content() or ""

    def picture(self) -> int | None:
        """Return a hash of the picture's bytes, or None if there is no picture yet."""
        return self.image.evaluate(HASH) if self.image.is_visible() else None

    def show(self) -> None:
        """Scroll to the panel, and wait until it has told the pixels that it has room for."""
        self.image.scroll_into_view_if_needed()
        self.page.wait_for_timeout(400)  # panel.js waits 250 ms

    def settle(self, seconds: float = 60) -> None:
        """Wait until the kernel has answered every change and the picture stands still."""
        deadline = time.monotonic() + seconds
        before = None
        while time.monotonic() < deadline:
            self.page.evaluate(ANSWERED, seconds)
            now = (self.image.get_attribute("data-frame"), self.alt())
            loaded = self.image.evaluate("image => image.complete")
            if now == before and loaded and self.page.evaluate(READY):
                return
            before = now
            self.page.wait_for_timeout(30)
        raise AssertionError(f"the panel was still busy after {seconds} s: {self.alt()!r}")

    def controls(self) -> list[Control]:
        area = self.root.locator(".labkit-controls")
        kinds = {
            "slider": area.get_by_role("slider"),
            "menu": area.locator("select"),
            "box": area.locator("input[type=checkbox]"),
            "radio": area.locator(".widget-radio-box"),
            "toggles": area.locator(".widget-toggle-buttons, .labkit-chips"),
            "dice": area.locator(".labkit-dice button"),
            "text": area.locator("input[type=text], input[type=number], textarea"),
        }
        return [
            Control(kind, found.nth(i), self.page)
            for kind, found in kinds.items()
            for i in range(found.count())
        ]

    def reset(self) -> None:
        self.root.get_by_role("button", name="Reset").press("Enter")
        self.settle()

    def train(self, seconds: float = 60) -> None:
        """Press the panel's main button, wait for the run to begin and to end."""
        shown, button = self.image.get_attribute("data-frame"), self.root.locator(".labkit-run")
        button.press("Enter")
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.error():
            if self.image.get_attribute("data-frame") != shown and button.inner_text() != "Stop":
                break
            self.page.wait_for_timeout(100)
        self.settle(max(1.0, deadline - time.monotonic()))

    @property
    def has_button(self) -> bool:
        return self.root.locator(".labkit-run").count() > 0

    @property
    def stale(self) -> bool:
        return self.root.locator(".labkit-stale").count() > 0


@dataclass
class Control:
    kind: str
    node: Locator
    page: Page

    def name(self) -> str:
        """Return the name that a screen reader says, "" if there is none."""
        snapshot = self.node.aria_snapshot()  # such as: - slider "Shots": "5"
        return snapshot.split('"')[1] if '"' in snapshot.split(":")[0] else ""

    def moves(self) -> Iterator[str]:
        """Put the control to its ends and its middle by keyboard, yielding a word for each."""
        yield from getattr(self, "_move_" + self.kind)()

    def _number(self, name: str) -> float:
        return float(self.node.get_attribute("aria-value" + name) or "nan")

    def _move_slider(self) -> Iterator[str]:
        self.node.press("Home")
        yield "Home"
        middle = (self._number("min") + self._number("max")) / 2
        for _ in range(40):
            if self._number("now") >= middle:
                break
            self.node.press("PageUp")
        yield "middle"
        self.node.press("End")
        yield "End"

    def _move_menu(self) -> Iterator[str]:
        self.node.focus()
        last = self.node.locator("option").count() - 1
        for index in sorted({0, last // 2, last}):
            self.node.select_option(index=index)
            yield f"option {index}"

    def _move_box(self) -> Iterator[str]:
        for _ in range(2):
            self.node.press("Space")
            yield "checked" if self.node.is_checked() else "unchecked"

    def _move_radio(self, inside: str = "input[type=radio]", key: str = "Space") -> Iterator[str]:
        choices = self.node.locator(inside)
        for index in range(choices.count()):
            choices.nth(index).press(key)
            yield f"choice {index}"

    def _move_toggles(self) -> Iterator[str]:
        return self._move_radio("button", "Enter")

    def _move_dice(self) -> Iterator[str]:
        for _ in range(2):
            self.node.press("Enter")
            yield f"draw {self.node.get_attribute('data-value')}"

    def _move_text(self) -> Iterator[str]:
        before = self.node.input_value()
        least, most = self.node.get_attribute("min"), self.node.get_attribute("max")
        texts = (least, most) if least and most else (before + " xa",)
        for text in (*texts, before):
            self.node.fill(text)
            self.node.press("Enter")
            yield repr(text)

    def drag(self, fractions: list[float]) -> None:
        """Drag a slider's handle by mouse through these fractions of its track."""
        ancestor = "xpath=ancestor-or-self::*[contains(@class, 'noUi-target') or self::input][1]"
        track = self.node.locator(ancestor)
        track.scroll_into_view_if_needed()
        box, handle = track.bounding_box(), self.node.bounding_box()
        mouse, middle = self.page.mouse, handle["y"] + handle["height"] / 2
        mouse.move(box["x"] + 2 if handle == box else handle["x"] + handle["width"] / 2, middle)
        mouse.down()
        for fraction in fractions:
            mouse.move(box["x"] + fraction * box["width"], middle)
        mouse.up()
