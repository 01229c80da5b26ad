"""Make, mend and check the lab's environment in .venv, with nothing but the standard library.

A stamp in .venv holds hashes of everything that decides what pip installs; while one matches,
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
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP, MARKER, PIP_LOG = "labkit.stamp", "labkit-installing", "labkit-pip.log"  # in .venv
LAB_REQUIREMENTS = ("requirements.txt",)
TEST_REQUIREMENTS = ("requirements.txt", "tests/requirements.txt")
# How torch's threads wait for one another: soon asleep. By default they spin for long: with another
# program on one of two cores notebook 06 took 315 seconds so, and 42 with this (ENDURANCE.md). The
# number is for GNU's OpenMP, which torch brings on Linux: enough to lose nothing with both free.
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
    stamp = VENV / STAMP
    if not stamp.exists() or fingerprint(requirements, version) not in stamp.read_text():
        install(requirements)
        lists = (LAB_REQUIREMENTS, requirements)  # with the tests' list comes the lab's
        stamp.write_text("\n".join(fingerprint(names, version) for names in lists))
    return PYTHON


def python_version() -> str:
    """The version of .venv's Python, which is asked itself, or "" if there is none to be used.

    After an upgrade of the system, .venv/bin/python may lead nowhere, or to another Python, which
    sees none of the installed packages, pip included.
    """
    code = "import sys, importlib.util as u\n"
    code += "if sys.version_info >= (3, 10) and u.find_spec('pip'): print(sys.version)"
    try:
        return subprocess.check_output([str(PYTHON), "-c", code], text=True).strip()
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
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise Problem(
                f"this Python ({sys.executable}) lacks the module {module}, so it cannot make an "
                "environment.\nOn Debian and Ubuntu: sudo apt install python3-venv"
            )
    if VENV.exists():
        say(".venv is unfinished or broken; making it anew")
        shutil.rmtree(VENV)
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < NEEDED_GB:
        raise Problem(
            f"only {free:.1f} GB are free on the disk of {ROOT}; about {NEEDED_GB} GB are needed.\n"
            "Free some space, or move the folder to a larger disk."
        )
    say(f"making the environment {VENV}")
    import venv  # not at the top: Debian splits it off, and the check above must come first

    VENV.mkdir()
    (VENV / MARKER).touch()
    try:
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError as error:
        said = (error.output or b"").decode(errors="replace").strip()
        raise Problem(f"pip could not be put into .venv:\n{said[-300:]}") from None


def install(requirements: Sequence[str]) -> None:
    """Bring .venv up to date with pip, which shows what it does; the caller sets the stamp."""
    say("installing the packages (the first time takes a minute or more)")
    marker, pip_log = VENV / MARKER, VENV / PIP_LOG
    for old in (VENV / STAMP, pip_log):
        old.unlink(missing_ok=True)
    marker.touch()
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--log", str(pip_log), *(f"--requirement={name}" for name in requirements)]
    failed = subprocess.call(command, cwd=ROOT)  # `-e .` is relative to where pip stands
    log = pip_log.read_text(encoding="utf-8", errors="replace") if pip_log.exists() else ""
    if not failed or "Installing collected packages" not in log:
        marker.unlink()  # done, or given up before anything was changed
    if failed:
        raise Problem(explain_pip(log))


def explain_pip(log: str) -> str:
    """What to do about what pip's log says; pip itself has said it, too."""
    if DISK_FULL.search(log):
        return (
            f"the disk is full; about {NEEDED_GB} GB are needed, and as much where pip unpacks "
            "(TMPDIR).\nFree some space and run the same command again."
        )
    if NO_NETWORK.search(log):
        return (
            "pip reached no package index: there is no network, or a proxy is in the way.\n"
            "Connect (or set HTTPS_PROXY) and run the same command again."
        )
    return f"pip could not install the packages. What it said is above, and in {VENV / PIP_LOG}"


def check_here(requirements: Sequence[str]) -> Path:
    """Return this Python if the packages are installed in it, whatever their version."""
    lines = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in requirements)
    names = re.findall(r"^\w[\w.-]*", lines, re.MULTILINE)  # no comments, no `-e .`
    found = importlib.metadata.distributions
    if missing := [name for name in names if not any(found(name=name))]:
        files = " ".join(f"-r {name}" for name in requirements)
        raise Problem(
            f"{sys.executable} lacks {', '.join(missing)}.\n"
            f"Install it with: {sys.executable} -m pip install {files}"
        )
    return Path(sys.executable)
