"""Make, mend and check the lab's environment in .venv, with nothing but the standard library.

A stamp in .venv holds hashes of everything that decides what pip installs; while one matches,
nothing is done. A marker says that an installation has begun and not ended: packages that were
half unpacked look installed and are not, so an environment with a marker is made anew.
"""

import hashlib
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
STAMP, MARKER, PIP_LOG = (VENV / n for n in ("labkit.stamp", "labkit-installing", "labkit-pip.log"))
LAB_REQUIREMENTS = ("requirements.txt",)
TEST_REQUIREMENTS = ("requirements.txt", "tests/requirements.txt")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
NEEDED_GB = 3  # the CPU build takes 1.7 GB, and pip needs room to unpack it

# What pip prints when it cannot reach an index, on Linux, macOS and Windows.
NO_NETWORK = re.compile(
    "NewConnectionError|Failed to establish a new connection|ProxyError|name resolution"
    "|getaddrinfo failed|Network is unreachable|Connection refused|ConnectTimeout|ReadTimeout"
)
DISK_FULL = re.compile(r"No space left on device|\[Errno 28\]|WinError 112")
# Settings under which pip would install elsewhere, nothing, or less, and take that for all.
ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PYTHONPATH", "PYTHONHOME")
HERE = {"PIP_USER": "0", "PIP_DRY_RUN": "0", "PIP_NO_DEPS": "0"}  # over those in pip's files, too
LACKING = """import importlib.metadata as found, sys
print(*[name for name in sys.argv[1:] if not any(found.distributions(name=name))])"""


class Problem(Exception):
    """Something the reader can cure; the text says how."""


def say(text: str, stream: TextIO | None = None) -> None:
    print("labkit: " + text, file=stream or sys.stdout, flush=True)


def ensure_environment(requirements: Sequence[str], cpu: bool = False) -> Path:
    """Return the Python of an environment with `requirements`; cpu: despite an NVIDIA GPU."""
    version = python_version()
    if not version or MARKER.exists():
        make_venv()
        version = python_version()
    if not STAMP.exists() or fingerprint(requirements, version) not in STAMP.read_text():
        nvidia = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists()
        install(requirements, sys.platform == "linux" and (cpu or not nvidia))
        lists = (LAB_REQUIREMENTS, requirements)  # with the tests' list comes the lab's
        STAMP.write_text("\n".join(fingerprint(names, version) for names in lists))
    return PYTHON


def python_version() -> str:
    """The version of .venv's Python, which is asked itself, or "" if there is none to be used.

    After an upgrade of the system, .venv/bin/python may lead nowhere, or to another Python, which
    sees none of the installed packages, pip included.
    """
    code = "import pip, sys; print(sys.version if sys.version_info >= (3, 10) else '')"
    command, quiet = [str(PYTHON), "-I", "-c", code], subprocess.DEVNULL
    try:
        return subprocess.check_output(command, text=True, stderr=quiet).strip()
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
    if os.pathsep in str(VENV):
        raise Problem(
            f"an environment cannot be made in {ROOT}, whose name has a {os.pathsep!r} in it.\n"
            "Rename or move the folder."
        )
    if missing := [m for m in ("venv", "ensurepip") if importlib.util.find_spec(m) is None]:
        raise Problem(
            f"this Python ({sys.executable}) lacks the module {missing[0]}, so it cannot make an "
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
    MARKER.touch()
    try:
        venv.create(VENV, with_pip=True, symlinks=os.name != "nt")
    except subprocess.CalledProcessError as error:
        said = (error.output or b"").decode(errors="replace").strip()
        raise Problem(f"pip could not be put into .venv:\n{said[-300:]}") from None


def install(requirements: Sequence[str], cpu: bool) -> None:
    """Bring .venv up to date with pip, which shows what it does; the caller sets the stamp."""
    say("installing the packages (the first time takes a minute or more)")
    STAMP.unlink(missing_ok=True)
    torch = re.findall(r"^torch\S*", read(requirements), re.MULTILINE)
    if cpu and torch:
        say(f"torch in its CPU build, from {CPU_INDEX} (no NVIDIA GPU is here, or --cpu)")
        if said := pip(f"--index-url={CPU_INDEX}", "--retries=1", "--timeout=15", *torch):
            if MARKER.exists():
                raise Problem(explain_pip(said))
            say("that index cannot be used from here: torch from where the other packages are")
    if said := pip(*(f"--requirement={name}" for name in requirements)):
        raise Problem(explain_pip(said))
    if missing := lacking([str(PYTHON), "-I"], requirements):
        raise Problem(
            f"pip says that it is done, but .venv lacks {', '.join(missing)}.\n"
            f"Look for a setting that sends packages elsewhere: {PYTHON} -m pip config list"
        )


def pip(*what: str) -> str:
    """Install `what` into .venv; return "", or pip's log if it failed (half-way: MARKER stays)."""
    PIP_LOG.unlink(missing_ok=True)
    MARKER.touch()
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--target="]
    command += [f"--prefix={VENV}", f"--log={PIP_LOG}", *what]
    env = {name: value for name, value in os.environ.items() if name not in ELSEWHERE} | HERE
    failed = subprocess.call(command, cwd=ROOT, env=env)  # `-e .` is relative to where pip stands
    log = PIP_LOG.read_text(encoding="utf-8", errors="replace") if PIP_LOG.exists() else ""
    if not failed or "Installing collected packages" not in log:
        MARKER.unlink()  # done, or given up before anything was changed
    return (log or "no log") if failed else ""


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
    return f"pip could not install the packages. What it said is above, and in {PIP_LOG}"


def check_here(requirements: Sequence[str]) -> Path:
    """Return this Python if the packages are installed in it, whatever their version."""
    if missing := lacking([sys.executable], requirements):
        files = " ".join(f"-r {name}" for name in requirements)
        raise Problem(
            f"{sys.executable} lacks {', '.join(missing)}.\n"
            f"Install it with: {sys.executable} -m pip install {files}"
        )
    return Path(sys.executable)


def lacking(python: Sequence[str], requirements: Sequence[str]) -> list[str]:
    """Those packages, `-e .` aside, that a Python does not have."""
    names = re.findall(r"^\w[\w.-]*", read(requirements), re.MULTILINE)
    return subprocess.check_output([*python, "-c", LACKING, *names], text=True).split()


def read(requirements: Sequence[str]) -> str:
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in requirements)
