"""Processes killed in the middle of work and of writing: the same command ends the same."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
import torch
from tqdm import tqdm

from labkit import data, training
from labkit.contrastive import pretrain
from labkit.course.notebooks import run_cells
from labkit.sweeps import read_table, sweep
from labkit.weights import parse_tensors

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGKILL")
KILL = """
import os, signal, time

def die(how):
    os.kill(os.getpid(), getattr(signal, how))
    time.sleep(60)  # Python may look for signals only later, but here at once
"""
# Stop at a step, or when a file is written and has not taken its place yet.
AT_STEP = """
real = pretrain.take_step
pretrain.take_step = lambda *a: die("{how}") if a[4] == {when} else real(*a)
"""
IN_WRITE = """
real, calls = os.fsync, []
os.fsync = lambda fd: (calls.append(fd), die("{how}") if len(calls) == {when} else real(fd))
"""


@pytest.fixture(autouse=True)
def listening():
    """Let Ctrl-C reach the processes started here: in a shell's background they would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def assert_killed(how: str, code: str, *arguments: object) -> None:
    """Run `code`, which kills itself: at once, or by Ctrl-C, told in place of a traceback."""
    command = [sys.executable, "-c", KILL + code, *map(str, arguments)]
    with tempfile.TemporaryFile("w+") as said:  # a pipe would stay open in joblib's workers
        process = subprocess.Popen(command, stderr=said, start_new_session=True)
        status = process.wait(timeout=120)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the workers, who would wait for work a while
        said.seek(0)
        told = said.read()
    if how == "SIGKILL":
        assert status == -signal.SIGKILL, told
    else:
        assert status == 130 and "labkit: stopped" in told and "Traceback" not in told, told


TINY = pretrain.Config(options={"width": 2}, steps=24, batch=2)
PRETRAIN = """
import sys
from functools import partial
from pathlib import Path
from labkit import data
from labkit.contrastive import pretrain
from labkit.files import told
data.load = partial(data.load, "noto")  # quicker
{stop}
with told("--out"):
    pretrain.pretrain(pretrain.{config}, Path(sys.argv[1]), checkpoint_every=6)
"""


def test_a_killed_pretraining_ends_in_the_same_weights(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(data, "load", lambda parts, load=data.load: load("noto", parts=parts))
    pretrain.pretrain(TINY, tmp_path / "whole.safetensors")
    out = tmp_path / "parts.safetensors"
    for stop, how, when, left in (
        # While the second checkpoint is written:
        (IN_WRITE, "SIGKILL", 2, {".checkpoint.safetensors", ".checkpoint.safetensors.tmp"}),
        (AT_STEP, "SIGINT", 20, {".checkpoint.safetensors"}),
    ):
        code = PRETRAIN.format(stop=stop.format(how=how, when=when), config=TINY)
        assert_killed(how, code, out)
        assert {p.name.removeprefix("parts") for p in tmp_path.glob("parts*")} == left
    pretrain.pretrain(TINY, out, checkpoint_every=6)
    assert_same_weights(out, tmp_path / "whole.safetensors")


def assert_same_weights(one: Path, two: Path) -> None:
    assert one.with_suffix(".csv").read_bytes() == two.with_suffix(".csv").read_bytes()
    (about, tensors), (expected, whole) = (parse_tensors(p.read_bytes()) for p in (one, two))
    assert about | {"minutes": 0} == expected | {"minutes": 0}
    torch.testing.assert_close(tensors, whole, rtol=0, atol=0)
    assert {p.name for p in one.parent.glob(f"{one.stem}.*")} == {one.name, f"{one.stem}.csv"}


TRAINING = """
import os, signal, torch
from labkit import encoders, tasks, transfer

def stop(share, text):
    bar(share, text)
    if text == "step 8 of 40":
        os.kill(os.getpid(), signal.SIGINT)

generator = torch.Generator()
model = transfer.new_classifier(encoders.ConvEncoder(4), 3, generator)
with transfer.progress_bar("training") as bar:
    {work}
"""


FIT = "transfer.fit(model, tasks.toy(), 0.01, generator, transfer.Schedule(40), stop)"


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (FIT, "Stopped at step 8 of 40"),
        ("stop(0.43, 'step 8 of 40')", "Stopped at 43 % of training"),
    ],
)
def test_an_interrupted_training_says_how_far_it_came_and_no_more(tmp_path, work, said) -> None:
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(TRAINING.format(work=work))]
    assert "raised Stopped" in run_cells(notebook, tmp_path / "notebook.ipynb")[0]
    [error] = [o for o in notebook.cells[0].outputs if o.output_type == "error"]
    assert error.traceback == [said]


@pytest.mark.parametrize("done", [0, 0.95, 1])
def test_a_progress_bar_ends_full_and_leaves_the_page(monkeypatch, done) -> None:
    ends = []

    class Bar(tqdm):
        def close(self) -> None:
            ends.append((self.n, self.leave))
            super().close()

    monkeypatch.setattr(training, "tqdm", Bar)
    with training.progress_bar("random") as bar:
        bar(done, "")
    assert ends[0] == (100, False)


CELLS = [{"shift": shift, "seed": seed} for seed in range(4) for shift in ("near", "far")]
SWEEP = """
import sys
from pathlib import Path
from labkit.sweeps import Experiment, command_line

main = os.getpid()

def run(shift, seed):
    if (shift, seed) == {cell}:
        os.kill(main, signal.{how})
        time.sleep(0.1)
    return [{{"method": m, "score": seed + len(shift) * k + 0.125}} for k, m in enumerate("ab")]

{stop}
command_line("A sweep.", Experiment("table", run, {cells}))
"""


def run(shift: str, seed: int) -> list[dict]:
    return [{"method": m, "score": seed + len(shift) * k + 0.125} for k, m in enumerate("ab")]


@pytest.fixture
def whole(tmp_path) -> str:
    """The table that nothing interrupted."""
    sweep(run, CELLS, tmp_path / "whole.csv", jobs=1)
    return (tmp_path / "whole.csv").read_text(encoding="utf-8")


def test_a_killed_sweep_ends_in_the_same_table(tmp_path, whole) -> None:
    out = tmp_path / "parts" / "table.csv"
    rows = []
    for how, cell, in_write, jobs in (
        ("SIGKILL", ("near", 1), 0, 1),
        ("SIGKILL", None, 2, 1),  # the second of its writes
        ("SIGKILL", ("far", 3), 0, 2),  # by one of two workers
        ("SIGINT", ("far", 3), 0, 1),
    ):
        stop = IN_WRITE.format(how=how, when=in_write) if in_write else ""
        code = SWEEP.format(cell=cell, how=how, stop=stop, cells=CELLS)
        assert_killed(how, code, "--jobs", jobs, "--folder", out.parent)
        rows.append(len(read_table(out)))
        assert {p.name for p in out.parent.iterdir()} <= {"table.csv", "table.csv.tmp"}
        if jobs == 1:  # a worker may kill the main process while that writes, or not
            assert (out.parent / "table.csv.tmp").exists() == bool(in_write)
        (out.parent / "table.csv.tmp").unlink(missing_ok=True)  # a run that wrote nothing would not
    assert rows[:2] == [4, 6] and 6 <= rows[2] <= rows[3] < 2 * len(CELLS)
    assert sweep(run, CELLS, out, jobs=1) == {}
    assert out.read_text(encoding="utf-8") == whole
    assert [p.name for p in out.parent.iterdir()] == ["table.csv"]


def test_a_table_cut_off_anywhere_in_a_line_is_completed(tmp_path, whole) -> None:
    """As a copy or an upload that broke off leaves it."""
    out = tmp_path / "table.csv"
    for length in range(0, len(whole), 5):
        if whole[length - 1] != "\n":
            out.write_text(whole[:length], encoding="utf-8")
            assert sweep(run, CELLS, out, jobs=1) == {}
            assert out.read_text(encoding="utf-8") == whole


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("far,1,a,1.125", "far,1,a", "line 4"),
        ("far,1,a,1.125", "far,1,a,1.125,2", "line 4"),
        ("shift,seed", "shift,sed", r"columns \['shift', 'sed'"),
        ("shift,seed", "task,seed", "columns"),
    ],
)
def test_a_damaged_table_is_named_before_any_work(tmp_path, whole, old, new, message) -> None:
    out = tmp_path / "table.csv"
    out.write_text(whole.replace(old, new), encoding="utf-8")
    before = out.read_bytes()
    with pytest.raises(ValueError, match=rf"table\.csv is damaged.*{message}.*Restore or delete"):
        sweep(lambda **cell: pytest.fail("work"), CELLS + [{"shift": "x", "seed": 0}], out, jobs=1)
    assert out.read_bytes() == before


def test_a_table_cut_off_is_not_read_as_if_it_were_whole(tmp_path, whole) -> None:
    (tmp_path / "table.csv").write_text(whole[:-2], encoding="utf-8")
    with pytest.raises(ValueError, match="its last line"):
        read_table(tmp_path / "table.csv")
