"""No network at run time: what the tests start cannot reach the world."""

import subprocess
import sys

import pytest

ASK = "import socket; socket.create_connection(({host!r}, {port}), timeout=2)"


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])  # addresses that nobody has
def test_the_world_is_out_of_reach(host) -> None:
    command = [sys.executable, "-c", ASK.format(host=host, port=443)]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    assert f"the tests allow no network, and something asked for {host}" in said


def test_a_notebook_s_kernel_has_the_same_limits(tmp_path) -> None:
    import nbformat
    from nbclient import NotebookClient

    cell = "import socket; socket.socket.connect.__name__"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    done = NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert done.cells[0].outputs[0].data["text/plain"] == "'connect_here'"
