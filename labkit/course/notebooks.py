"""Notebooks as files: which there are, what their cells are for, what running them gives.

A cell's tags say what it is for: `setup` (what panels need), `panel`, `claim`, `exercise`, whose
metadata.exercise names its check.
"""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
KERNEL = "python3"  # this Python's own, whatever a student's notebook names
# JupyterLab's backend, whatever MPLBACKEND is outside: plt.show() neither blocks nor warns.
INLINE = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
LIMIT = 180  # seconds for a cell
WHOLE = 5  # times that for a notebook
GRACE = 15  # seconds for a cell to end after it was interrupted
STOP = "the cells after it were not run"
# What nbformat raises for JSON that is no notebook.
MALFORMED = (AssertionError, AttributeError, RecursionError, TypeError, ValueError)


def chosen(folder: Path, words: Sequence[str]) -> list[Path]:
    """The notebooks whose names begin with one of the words; all without words."""
    there = sorted(folder.glob("[0-9]*.ipynb"))
    if not there:
        raise ValueError(f"notebook: {folder} has none")
    for word in words:
        if not any(path.name.startswith(word) for path in there):
            accepted = ", ".join(path.stem for path in there)
            raise ValueError(f"notebook: got {word}, accepted: the beginning of {accepted}")
    return [path for path in there if not words or path.name.startswith(tuple(words))]


def read(path: Path) -> NotebookNode:
    """A notebook. Raises ValueError, in one line, if the file holds none."""
    try:
        text = path.read_text(encoding="utf-8")
        if conflict := re.search("^<<<<<<< ", text, re.MULTILINE):  # no line of JSON begins so
            line = text.count("\n", 0, conflict.start()) + 1
            raise ValueError(f"merge conflict in line {line}: take one side of it whole")
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except (OSError, nbformat.ValidationError, *MALFORMED) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise ValueError(f"{path.name} is no notebook: {reason}") from None
    return notebook


def tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def allowed(cell: NotebookNode, limit: float) -> float:
    """Seconds that a cell may take: an exercise a third, for several may be endless."""
    return limit / 3 if "exercise" in tags(cell) else limit


def run_cells(
    notebook: NotebookNode, path: Path, limit: float = LIMIT, go_on: bool = True, **env: str
) -> dict[int, str]:
    """Run a notebook as Jupyter does, in a kernel that stands in path's folder; keep its outputs.

    limit: seconds after which a cell is interrupted. go_on: also after a cell that has failed, for
    a grader, who does not look at outputs: they are not merged, which takes minutes of long lines.
    Returns what went wrong, by the place of the cell. Raises RuntimeError if no kernel starts.
    """
    codes = [place for place, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    end, found = time.monotonic() + WHOLE * limit, {}

    def failed(cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
        content = execute_reply["content"]
        said = f"raised {content.get('ename')}: {content.get('evalue')}"
        if "late" in content:
            said = f"did not end within {allowed(cell, limit):g} seconds and was interrupted"
        found[cell_index] = " ".join(said.split())[:300]

    client = NotebookClient(
        notebook, kernel_name=KERNEL, resources={"metadata": {"path": str(path.parent)}},
        timeout_func=lambda cell: max(1, min(allowed(cell, limit), end - time.monotonic())),
        interrupt_on_timeout=True, iopub_timeout=GRACE, raise_on_iopub_timeout=True,
        error_on_timeout={"late": True}, allow_errors=True, on_cell_error=failed,
        store_widget_state=False, coalesce_streams=not go_on,
    )  # fmt: skip
    start_kernel(client, os.environ | INLINE | env)
    with client.setup_kernel():  # which ends it, too
        for place in tqdm(codes, desc=path.stem, unit="cell", leave=False, disable=None):
            try:
                client.execute_cell(notebook.cells[place], place)
            except DeadKernelError:
                found[place] = f"ended Python; {STOP}"
            except CellTimeoutError:
                found[place] = f"did not end, nor could it be interrupted; {STOP}"
            if time.monotonic() > end:
                found[place] = f"ended after the time for a notebook, {WHOLE * limit:g} s; {STOP}"
            if found.get(place, "").endswith(STOP) or (found and not go_on):
                break
    return {place: f"code cell {codes.index(place) + 1} {text}" for place, text in found.items()}


def start_kernel(client: NotebookClient, env: Mapping[str, str]) -> None:
    with tempfile.TemporaryFile() as said:  # what it says beside its cells is not for the reader
        try:
            client.create_kernel_manager()
            client.start_new_kernel(env=env, stdout=subprocess.DEVNULL, stderr=said)
            client.start_new_kernel_client()
        except (NoSuchKernel, RuntimeError) as error:
            said.seek(0)
            last = " ".join(said.read().decode(errors="replace").splitlines()[-1:])
            raise RuntimeError(f"its kernel could not start: {error} {last}".rstrip()) from None
