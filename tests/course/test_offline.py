"""No network at run time: what the tests start can reach this machine and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = "import socket; socket.create_connection(({host!r}, {port}), timeout=2)"


def asked(host: str, port: int) -> str:
    code = ASK.format(host=host, port=port)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stderr


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])  # addresses that nobody has
def test_the_world_is_out_of_reach(host) -> None:
    assert f"the tests allow no network, and something asked for {host}" in asked(host, 443)


def test_this_machine_is_not() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        assert asked("127.0.0.1", server.getsockname()[1]) == ""


def test_a_notebook_s_kernel_has_the_same_limits(tmp_path) -> None:
    import nbformat
    from nbclient import NotebookClient

    cell = "import socket; socket.socket.connect.__name__"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    done = NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert done.cells[0].outputs[0].data["text/plain"] == "'connect_here'"
