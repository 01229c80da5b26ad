"""`python -m labkit`, run for real in small copies of the checkout, without a network."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from labkit import __main__ as launcher
from labkit.course import environment

ROOT = environment.ROOT
RUN_LABKIT = "import runpy; runpy.run_module('labkit', run_name='__main__', alter_sys=True)"

# pip with no index but a port that nobody listens on, and no settings of this machine.
OFFLINE = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_RETRIES": "0",
    "PIP_NO_INPUT": "1",
}


def copy_checkout(folder: Path, requirements: str = "") -> Path:
    """Make a checkout that has the real launcher and needs no (or these) packages."""
    (folder / "labkit/course").mkdir(parents=True)
    for name in ("__init__.py", "__main__.py", "files.py", "course/__init__.py"):
        shutil.copy(ROOT / "labkit" / name, folder / "labkit" / name)
    shutil.copy(ROOT / "labkit/course/environment.py", folder / "labkit/course")
    (folder / "tests").mkdir()
    for name in ("requirements.txt", "tests/requirements.txt", "pyproject.toml"):
        (folder / name).write_text("# nothing needed\n")
    (folder / "requirements.txt").write_text(f"# needed here:\n{requirements}\n")
    return folder


def launch(checkout: Path, *arguments: str, code: str = "", python: str = sys.executable, **own):
    """Run `python -m labkit ...`, or `code` in its place, and return the finished process.

    own: variables of its environment.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON", "COV_"))}
    start = ["-c", code + "\n" + RUN_LABKIT] if code else ["-m", "labkit"]
    return subprocess.run(
        [python, "-B", *start, *arguments],
        cwd=checkout,
        env=env | OFFLINE | own,
        capture_output=True,
        text=True,
        timeout=120,
    )


def assert_told(done, *parts: str, lines: int = 2):
    """It failed with a short message that holds `parts`, and with no traceback."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr
    assert len(done.stderr.strip().splitlines()) <= lines, done.stderr


# ------------------------------------------------------------ before there is an environment


def old_pythons() -> list[str]:
    """Find interpreters older than 3.10, on PATH or among pyenv's."""
    names = ["python2.7", *(f"python3.{minor}" for minor in range(6, 10))]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    inside = [shutil.which(n, path=str(v / "bin")) for v in pyenv.glob("*") for n in names]
    return sorted(filter(None, inside or map(shutil.which, names)))


def test_an_old_python_is_told_so_in_one_line(tmp_path):
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python older than 3.10 on this machine")
    checkout = copy_checkout(tmp_path / "lab")
    for python in pythons:
        done = launch(checkout, python=python)
        assert_told(done, "Python 3.10 or newer is needed", lines=1)


@pytest.mark.parametrize("words", [["jump"], ["setup", "--fast"]])
def test_a_wrong_word_is_named(words, capsys):
    assert launcher.main(words) == 1 and words[-1] in capsys.readouterr().err


NO_ENSUREPIP = "import sys; sys.modules['ensurepip'] = None"
SMALL_DISK = """
import shutil, types
shutil.disk_usage = lambda path: types.SimpleNamespace(free=1_200_000_000)
"""
BAD_NAME = ("week 3: transfer, whose name has a ':' in it", "Rename or move")
no_colons = pytest.mark.skipif(os.name != "posix", reason="Windows has no such names")


@pytest.mark.parametrize(
    ("name", "code", "parts"),
    [
        ("lab", NO_ENSUREPIP, ("lacks the module ensurepip", "apt install python3-venv")),
        ("lab", SMALL_DISK, ("only 1.2 GB are free", "3 GB are needed")),
        pytest.param("week 3: transfer", "", BAD_NAME, marks=no_colons),
    ],
    ids=["ensurepip", "disk", "folder"],
)
def test_what_stands_in_the_way_is_told_before_anything_is_made(tmp_path, name, code, parts):
    checkout = copy_checkout(tmp_path / name)
    assert_told(launch(checkout, "setup", code=code), *parts)
    assert not (checkout / ".venv").exists()


def test_a_disk_that_fills_up_is_told(tmp_path):
    checkout = copy_checkout(tmp_path / "lab")
    code = """
import venv
def full(*args, **kwargs): raise OSError(28, 'No space left on device')
venv.create = full
"""
    assert_told(launch(checkout, "setup", code=code), "the disk is full")
    assert (checkout / ".venv" / environment.MARKER.name).exists()  # so the next run starts anew


@pytest.mark.skipif(os.name != "posix", reason="Windows has no read-only folders")
def test_a_read_only_checkout_is_told():
    # Root may write anywhere, so it becomes nobody once all is imported, in a folder (unlike
    # tmp_path) that nobody may read.
    code = (
        "import os, sys, venv, ensurepip\n"
        "from labkit.__main__ import main\n"
        "root = os.geteuid() == 0\n"
        "if root: os.seteuid(65534)\n"
        "status = main(['setup'])\n"
        "if root: os.seteuid(0)\n"  # coverage has to write what it saw
        "sys.exit(status)"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        checkout = copy_checkout(Path(folder) / "lab")
        checkout.chmod(0o555)
        done = launch(checkout, code=code)
        checkout.chmod(0o755)
    assert_told(done, "cannot write to", "--here")


def test_here_names_what_is_missing_and_makes_nothing(tmp_path):
    checkout = copy_checkout(tmp_path / "lab", "-e .\nsurely-not-installed>=2  # why\npytest")
    done = launch(checkout, "setup", "--here")
    assert_told(done, "lacks surely-not-installed.", "-m pip install -r requirements.txt")
    (checkout / "requirements.txt").write_text("# nothing\n-e .   # itself\npytest>=1\n")
    assert "ready" in launch(checkout, "setup", "--here").stdout
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("command", ["check", "site"])
def test_a_command_with_options_has_a_help_of_its_own(monkeypatch, capsys, command: str) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(launcher, "run", lambda arguments: asked.append(arguments) or 0)
    assert launcher.main([command, "--help"]) == 0 and asked == [[command, "--help"]]
    for words in (["--help"], ["-h"], ["lab", "--help"], ["--help", command]):
        assert launcher.main(words) == 0
        text = capsys.readouterr().out
        assert all(f"python -m labkit {word}" in text for word in launcher.COMMANDS)
    assert len(asked) == 1


# ------------------------------------------------------------ with an environment


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """One checkout with an environment made by the launcher, which the tests below share."""
    checkout = copy_checkout(tmp_path_factory.mktemp("with space") / "lab")
    done = launch(checkout, "setup")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "making the environment" in done.stdout and "installing" in done.stdout
    return checkout


def test_a_second_run_does_nothing(lab):
    done = launch(lab, "setup")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 1 and "ready" in done.stdout


def test_the_environment_can_run_the_launcher_itself(lab):
    python = environment.PYTHON.relative_to(environment.VENV)
    done = launch(lab, "setup", python=str(lab / ".venv" / python))
    assert done.returncode == 0 and "installing" not in done.stdout
    (lab / ".venv" / environment.MARKER.name).touch()
    done = launch(lab, "setup", python=str(lab / ".venv" / python))
    (lab / ".venv" / environment.MARKER.name).unlink()
    assert_told(done, "deactivate")


def test_a_change_of_the_requirements_runs_pip_again(lab):
    (lab / "pyproject.toml").write_text("# changed\n")
    assert "installing" in launch(lab, "setup").stdout
    assert "installing" not in launch(lab, "setup").stdout
    # The tests' requirements have a stamp of their own, and include the lab's.
    assert "installing" in launch(lab, "setup", "--tests").stdout
    assert "installing" not in launch(lab, "setup", "--tests").stdout
    assert "installing" not in launch(lab, "setup").stdout


def test_no_network_is_told_and_spoils_nothing(lab):
    before = (lab / "requirements.txt").read_text()
    (lab / "requirements.txt").write_text("some-package\n")
    done = launch(lab, "setup")
    (lab / "requirements.txt").write_text(before)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "there is no network" in done.stderr and "run the same command again" in done.stderr
    assert "ERROR: No matching distribution found for some-package" in done.stderr
    assert len(done.stderr.splitlines()) <= 6
    assert not (lab / ".venv" / environment.MARKER.name).exists()
    done = launch(lab, "setup")
    assert done.returncode == 0 and "making" not in done.stdout


def test_an_unfinished_environment_is_made_anew(lab):
    """Killed while pip was unpacking: the marker is there, and a package is in pieces."""
    (lab / ".venv" / environment.MARKER.name).touch()
    (lab / ".venv" / "half-unpacked").touch()
    done = launch(lab, "setup")
    assert done.returncode == 0 and "making it anew" in done.stdout
    assert not (lab / ".venv" / "half-unpacked").exists()
    assert "installing" not in launch(lab, "setup").stdout


def test_an_environment_whose_python_is_gone_is_made_anew(tmp_path):
    checkout = copy_checkout(tmp_path / "lab")
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(tmp_path / "uninstalled")
    # Far enough: the broken folder is seen, and not trusted for having a stamp.
    (checkout / ".venv" / environment.STAMP.name).write_text("trust me")
    done = launch(checkout, "setup", code="import shutil; shutil.disk_usage = None")
    assert "making it anew" in done.stdout


# ------------------------------------------------------------ where packages go, and from where


def write_wheel(index: Path, name: str, version: str = "1") -> None:
    """Put a package of one empty module into a package index that is a folder."""
    about = f"{name}-{version}.dist-info"
    wheel = f"{name}-{version}-py3-none-any.whl"
    folder = index / name.replace("_", "-").lower()  # as pip asks for it
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    with zipfile.ZipFile(folder / wheel, "w") as file:
        what, how = f"Name: {name}\nVersion: {version}", "Root-Is-Purelib: true\nTag: py3-none-any"
        file.writestr(f"{name}.py", "")
        file.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\n{what}")
        file.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\n{how}")
        file.writestr(f"{about}/RECORD", "")


def version_in(lab: Path, name: str) -> str:
    """The package that .venv's own Python finds."""
    code = "import importlib, importlib.metadata as m, sys; importlib.import_module(sys.argv[1]);"
    python = lab / ".venv" / environment.PYTHON.relative_to(environment.VENV)
    command = [python, "-I", "-c", code + "print(m.version(sys.argv[1]))", name]
    return subprocess.check_output(command, text=True).strip()


@pytest.mark.parametrize(
    "setting",
    ["PIP_TARGET", "PIP_PREFIX", "PIP_DRY_RUN", "PIP_USER", "PYTHONPATH", "target", "user"],
)
def test_packages_go_into_the_environment_whatever_pip_is_set_to(lab, tmp_path, setting):
    name, elsewhere = f"tiny_{setting}", tmp_path / "elsewhere"
    write_wheel(tmp_path / "index", name)
    own = {"PIP_INDEX_URL": (tmp_path / "index").as_uri()}
    value = "true" if setting in ("PIP_DRY_RUN", "PIP_USER", "user") else str(elsewhere)
    if setting == setting.upper():
        own[setting] = value
    else:
        (tmp_path / "pip.conf").write_text(f"[install]\n{setting} = {value}\n")
        own["PIP_CONFIG_FILE"] = str(tmp_path / "pip.conf")
    if setting == "PYTHONPATH":  # of a module system, which has the package already
        [wheel] = (tmp_path / "index").rglob("*.whl")
        zipfile.ZipFile(wheel).extractall(elsewhere)
    (lab / "requirements.txt").write_text(name)
    done = launch(lab, "setup", **own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert version_in(lab, name) == "1"


def test_what_the_environment_cannot_import_is_not_ready(lab, tmp_path):
    write_wheel(tmp_path, "tiny_unseen")
    (lab / "requirements.txt").write_text("tiny_unseen")
    code = "from labkit.course import environment; environment.HERE = {}"  # as some other setting
    own = {"PIP_INDEX_URL": tmp_path.as_uri(), "PIP_DRY_RUN": "1"}
    for _ in range(2):
        done = launch(lab, "setup", code=code, **own)
        assert_told(done, ".venv lacks tiny_unseen", "pip config list")
    assert launch(lab, "setup", PIP_INDEX_URL=own["PIP_INDEX_URL"]).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyPI's torch is the CPU build")
@pytest.mark.parametrize(
    ("minor", "gpu", "words", "reached", "build"),
    [
        (1, False, [], True, "+cpu"),
        (2, True, [], True, ""),
        (3, True, ["--cpu"], True, "+cpu"),
        (4, False, [], False, ""),
    ],
    ids=["no GPU", "GPU", "asked for", "index not reached"],
)
def test_torch_s_build_is_the_one_for_the_machine(lab, tmp_path, minor, gpu, words, reached, build):
    write_wheel(tmp_path / "cpu", "torch", f"1.{minor}+cpu")
    write_wheel(tmp_path / "plain", "torch", f"1.{minor}")
    write_wheel(tmp_path / "plain", "tiny_beside_torch")
    (lab / "requirements.txt").write_text(f"torch==1.{minor},<2  # why\ntiny_beside_torch\n")
    index = (tmp_path / "cpu").as_uri() if reached else "http://127.0.0.1:9/cpu"
    code = f"from labkit.course import environment; environment.CPU_INDEX = {index!r}\n"
    code += f"import shutil; shutil.which = lambda name: {gpu} and name == 'nvidia-smi'"
    done = launch(lab, "setup", *words, code=code, PIP_INDEX_URL=(tmp_path / "plain").as_uri())
    assert done.returncode == 0, done.stdout + done.stderr
    assert version_in(lab, "torch") == f"1.{minor}{build}"
    assert ("CPU build, from " + index in done.stdout) == (bool(words) or not gpu)
    assert ("cannot be used from here" in done.stdout) != reached


# ------------------------------------------------------------ what pip's log means


@pytest.mark.parametrize(
    "said, cure",
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("WARNING: Retrying after '<pip._vendor.NewConnectionError ...>'", "no network"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "What it said is above, and in"),
        ("", "pip could not install"),
    ],
)
def test_pip_failures_are_told_apart(said, cure):
    text = environment.explain_pip(f"2026-01-01T00:00:00,123 Collecting torch\n{said}\n\n")
    assert cure in text and len(text.splitlines()) <= 2


# ------------------------------------------------------------ what is started


@pytest.fixture
def started(monkeypatch) -> list[tuple]:
    """What would be started: command, defaults of the environment, whether in the lab's folder."""
    calls = []

    def hand_over(command, defaults, starts_here=True):
        calls.append((command, defaults, starts_here))
        return 5

    monkeypatch.setattr(launcher, "hand_over", hand_over)
    monkeypatch.setattr(environment, "check_here", lambda _: "python")
    return calls


def test_the_lab_opens_the_first_notebook_with_the_whole_checkout_in_view(started):
    assert launcher.main(["lab", "--here", "--no-browser"]) == 5
    assert launcher.main(["--here", "jump"]) == 5, "no command: the rest is for JupyterLab"
    (command, _, starts_here), (other, _, _) = started
    assert other[:4] == command[:4] and other[-1] == "jump"
    assert command[:4] == ["python", "-m", "jupyterlab", "notebooks/01_motivation.ipynb"]
    assert f"--ServerApp.root_dir={ROOT}" in command and "--no-browser" in command and starts_here


def test_tests_take_arguments_or_run_everything(started):
    launcher.main(["test", "--here"])
    launcher.main(["test", "--here", "-k", "launcher"])
    (everything, env, _), (chosen, _, _) = started
    assert everything[:-1] == ["python", "-m", "pytest", "-n"] and env == {"OMP_NUM_THREADS": "1"}
    assert chosen == ["python", "-m", "pytest", "-k", "launcher"]


def test_packages_of_a_module_system_do_not_hide_those_of_the_lab(started, monkeypatch):
    monkeypatch.setattr(environment, "ensure_environment", lambda *_: "python")
    for words, kept in ((["lab", "--here"], True), (["lab"], False)):
        monkeypatch.setenv("PYTHONPATH", "/modules")
        assert launcher.main(words) == 5 and ("PYTHONPATH" in os.environ) == kept


@pytest.mark.parametrize("words", [["check", "01", "--strict"], ["site", "p"], ["classroom"]])
def test_each_command_is_a_module_that_starts_where_one_stands(started, words):
    assert launcher.main([words[0], "--here", *words[1:]]) == 5
    assert launcher.main(["--here", *words]) == 5
    (command, _, starts_here), again = started
    assert command == ["python", "-m", "labkit.course." + words[0], *words[1:]] and not starts_here
    assert again[0] == command


def test_ctrl_c_is_told_without_a_traceback(monkeypatch, capsys):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "run", interrupted)
    assert launcher.main(["setup"]) == 130
    assert "The same command takes it up again" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="Windows has no exec")
def test_the_command_takes_over_process_and_settings(tmp_path):
    code = "import os, sys; print(os.getpid(), *map(os.environ.get, sys.argv[1:])); sys.exit(7)"
    names = ["OMP_NUM_THREADS", "JUPYTER_CONFIG_PATH"]
    script = (
        "import os, sys; from labkit.__main__ import hand_over; print(os.getpid());"
        f"hand_over([sys.executable, '-c', {code!r}, *{names}], {{'OMP_NUM_THREADS': '3'}})"
    )
    env = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=env | {"JUPYTER_CONFIG_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    before, after = done.stdout.splitlines()
    config = f"{ROOT / 'labkit' / 'course'}{os.pathsep}{tmp_path}"
    assert done.returncode == 7 and after == f"{before} 3 {config}"


def test_jupyterlab_finds_settings_that_it_knows(monkeypatch):
    """Every override is found on the path, and its plugin, key and value exist in JupyterLab."""
    jsonschema = pytest.importorskip("jsonschema")
    code = (
        "from jupyterlab_server.settings_utils import _get_overrides; import json, sys;"
        "from jupyterlab.commands import get_app_dir;"
        "print(json.dumps([_get_overrides(get_app_dir())[0], get_app_dir()]))"
    )
    env = os.environ | {"JUPYTER_CONFIG_PATH": str(ROOT / "labkit" / "course")}
    out = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    found, app_dir = json.loads(out)
    ours = json.loads((ROOT / "labkit/course/labconfig/default_setting_overrides.json").read_text())
    for plugin, settings in ours.items():
        assert found[plugin] == settings
        package, name = plugin.split(":")
        schema = json.loads((Path(app_dir) / "schemas" / package / f"{name}.json").read_text())
        assert set(settings) <= set(schema["properties"])
        jsonschema.validate(settings, schema)


# ------------------------------------------------------------ the package and its lists


PANEL = """
from labkit.ui.panel import panel
panel(lambda a: a, lambda ax, a: ax.plot([a]), str, a=(0, 9))
"""


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import labkit", {"torch", "numpy", "ipywidgets"}),
        ("import labkit.theory", {"torch"}),
        ("import labkit.plots", {"matplotlib.pyplot"}),
        (PANEL, {"torch", "matplotlib.pyplot"}),
    ],
    ids=["labkit", "theory", "plots", "a panel"],
)
def test_nothing_heavy_is_loaded_that_is_not_needed(code, heavy):
    code += "\nimport sys; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split()
    assert "labkit" in loaded and not heavy & set(loaded)


def test_every_requirement_says_why():
    for path in [ROOT / "requirements.txt", *ROOT.glob("tests/**/requirements.txt")]:
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                assert re.fullmatch(r"\S.*\S\s{2,}# \S.*", line), f"{path.name}: {line}"
