"""Make, mend and check the lab's environment in .venv, with nothing but the standard library.

A stamp in .venv holds a hash of everything that decides what pip installs; while it matches,
nothing is done. A marker says that an installation has begun and not ended: packages that were
half unpacked look installed and are not, so an environment with a marker is made anew.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
STAMP = "labkit-{}.stamp"
MARKER = "labkit-installing"
PIP_LOG = "labkit-pip.log"
LAB_REQUIREMENTS = ("requirements.txt",)
TEST_REQUIREMENTS = ("requirements.txt", "tests/requirements.txt")
# How torch's threads wait for one another: soon asleep. By default they spin for long, and where
# another program keeps one of two cores busy, for a thread that has no core: notebook 06 took 315
# seconds so, and 42 with this (tests/benchmarks/ENDURANCE.md). The number is for GNU's OpenMP,
# which torch brings on Linux: fewer turns than its own, enough to lose nothing with both free.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
NEEDED_GB = 3  # the CPU build takes 1.7 GB, and pip needs room to unpack it

# What pip prints when it cannot reach an index, on Linux, macOS and Windows.
NO_NETWORK = re.compile(
    "NewConnectionError|Failed to establish a new connection|ProxyError|name resolution"
    "|getaddrinfo failed|Network is unreachable|Connection refused|ConnectTimeout|ReadTimeout"
)
DISK_FULL = re.compile(r"No space left on device|\[Errno 28\]|WinError 112")


class Problem(Exception):
    """Something the reader can cure; the text says how."""


def say(text: str, stream: TextIO | None = None) -> None:
    print("labkit: " + text, file=stream or sys.stdout, flush=True)


def ensure_environment(requirements: Sequence[str]) -> Path:
    """Return the Python of an environment that holds `requirements`, making or mending it."""
    version = python_version()
    if not version or (VENV / MARKER).exists():
        make_venv()
        version = python_version()
    stamp = VENV / STAMP.format(len(requirements))
    if not stamp.is_file() or stamp.read_text() != fingerprint(requirements, version):
        install(requirements)
        for count in range(1, len(requirements) + 1):  # with the tests' list comes the lab's
            text = fingerprint(requirements[:count], version)
            (VENV / STAMP.format(count)).write_text(text)
    return venv_python()


def venv_python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def python_version() -> str:
    """Return the version of .venv's Python, or "" if there is none that can be used.

    The interpreter itself is asked: after an upgrade of the system, .venv/bin/python may lead
    nowhere, or to another Python, which sees none of the installed packages, pip included.
    """
    code = (
        "import sys, importlib.util as u\n"
        "if sys.version_info >= (3, 10) and u.find_spec('pip'): print(sys.version)"
    )
    try:
        return subprocess.check_output([str(venv_python()), "-c", code], text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def fingerprint(requirements: Sequence[str], version: str) -> str:
    """Hash everything that decides what pip installs; the folder too, because of `-e .`."""
    parts = [(ROOT / name).read_bytes() for name in (*requirements, "pyproject.toml")]
    return hashlib.sha256(b"\0".join([*parts, version.encode(), str(ROOT).encode()])).hexdigest()


def make_venv() -> None:
    """Make an empty environment, in place of a broken one if there is one."""
    if Path(sys.prefix) == VENV:
        raise Problem(
            "the environment .venv is broken and must be made anew, but this Python is part of it."
            "\nRun `deactivate`, then the same command again."
        )
    check_venv_modules()
    if VENV.exists():
        say(".venv is unfinished or broken; making it anew")
        shutil.rmtree(VENV)
    check_disk()
    say(f"making the environment {VENV}")
    import venv  # not at the top: Debian splits it off, and the check above must come first

    VENV.mkdir()
    (VENV / MARKER).touch()
    try:
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError as error:
        output = (error.output or b"").decode(errors="replace")
        raise Problem(f"pip could not be put into .venv:\n{tail(output)}") from None


def check_venv_modules() -> None:
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Problem(
                f"this Python ({sys.executable}) lacks the module {module}, so it cannot make an "
                "environment.\nOn Debian and Ubuntu: sudo apt install python3-venv"
            )


def check_disk() -> None:
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB:
        raise Problem(
            f"only {free:.1f} GB are free on the disk of {ROOT}; about {NEEDED_GB} GB are needed.\n"
            "Free some space, or move the folder to a larger disk."
        )


def install(requirements: Sequence[str]) -> None:
    """Bring .venv up to date with pip; on success the caller sets the stamp."""
    say("installing the packages (the first time takes a minute or more)")
    log = VENV / PIP_LOG
    for old in (log, *VENV.glob(STAMP.format("*"))):
        old.unlink(missing_ok=True)
    (VENV / MARKER).touch()
    command = [str(venv_python()), "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--log", str(log)]  # says more than pip's output: why it reached no index
    for name in requirements:
        command += ["-r", name]
    failed, output = run_pip(command)
    if not failed or "Installing collected packages" not in output:
        (VENV / MARKER).unlink()  # done, or given up before anything was changed
    if failed:
        written = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        raise Problem(explain_pip(written or output))


def run_pip(command: list[str]) -> tuple[int, str]:
    """Return pip's status and all it said; a terminal shows its latest step, on one line."""
    width = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else 0
    said = []
    with subprocess.Popen(
        command,
        cwd=ROOT,  # `-e .` is relative to where pip stands
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as pip:
        for line in pip.stdout:
            said.append(line)
            if width and re.match(r" *(Collecting|Downloading|Building|Installing) ", line):
                print("\r" + line.strip()[:width].ljust(width), end="", flush=True)
    if width:
        print("\r" + " " * width, end="\r")
    return pip.returncode, "".join(said)


def explain_pip(log: str) -> str:
    """Turn pip's log into a cause, a cure and pip's own last words."""
    if DISK_FULL.search(log):
        cure = f"the disk is full; about {NEEDED_GB} GB are needed, and as much where pip unpacks "
        cure += "(TMPDIR).\nFree some space and run the same command again."
    elif NO_NETWORK.search(log):
        cure = "pip reached no package index: there is no network, or a proxy is in the way.\n"
        cure += "Connect (or set HTTPS_PROXY) and run the same command again."
    else:
        cure = f"pip could not install the packages. Its whole log is in {VENV / PIP_LOG}"
    return f"{cure}\nThe last pip said:\n{tail(log)}"


def tail(output: str, lines: int = 3) -> str:
    """Return the last warnings and errors, or the last lines if there are none."""
    said = [re.sub(r"^\d{4}-\d\d-\d\dT\S+ ", "", line).strip() for line in output.splitlines()]
    said = list(dict.fromkeys(filter(None, said)))
    telling = [line for line in said if line.startswith(("ERROR", "WARNING"))]
    return "\n".join("    " + line[:300] for line in (telling or said)[-lines:])


def check_here(requirements: Sequence[str]) -> Path:
    """Return this Python if the packages are installed in it, whatever their version."""
    missing = []
    for name in requirements:
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
            package = re.match(r"\w[\w.-]*", line)  # not comments, not options such as `-e .`
            if package and not is_installed(package.group()):
                missing.append(package.group())
    if missing:
        files = " ".join(f"-r {name}" for name in requirements)
        raise Problem(
            f"{sys.executable} lacks {', '.join(missing)}.\n"
            f"Install it with: {sys.executable} -m pip install {files}"
        )
    return Path(sys.executable)


def is_installed(package: str) -> bool:
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return False
