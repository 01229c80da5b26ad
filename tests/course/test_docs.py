"""What the texts beside the code say to type must work."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md", "notebooks/TEACHING.md")


def examples() -> list[str]:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("code", examples(), ids=lambda code: code.split("\n")[0])
def test_the_examples_run(code) -> None:
    exec(compile(code, "CONTRIBUTING.md", "exec"), {})


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_to_a_file_leads_somewhere(name) -> None:
    path = ROOT / name
    links = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
    missing = [x for x in links if "://" not in x and not (path.parent / x).exists()]
    assert missing == []


@pytest.mark.parametrize("name", TEXTS)
def test_every_script_that_is_named_exists(name) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for script in re.findall(r"python (\S+\.py)", text):
        assert (ROOT / script).exists(), script
    for module in re.findall(r"-m (labkit\.[\w.]*\w)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_the_benchmarks_can_be_collected() -> None:
    """They are outside the default run, so that nothing else notices what they lack."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "tests/benchmarks"]
    command += ["-o", "markers=benchmark: pytest-benchmark's, which may not be installed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "tests collected" in done.stdout, done.stdout
