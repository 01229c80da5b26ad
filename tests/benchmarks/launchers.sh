#!/usr/bin/env bash
# Do torch's threads wait asleep whoever starts the kernel? Seconds of a notebook by each way of
# starting it, while another program keeps one core busy. Prints a Markdown table.
#
#     PYTHON=.venv/bin/python tests/benchmarks/launchers.sh [notebooks/02_meta_learning.ipynb]
#
# VS Code starts ipykernel_launcher in the notebook's folder, and so does nbclient; a hub gives a
# server no more of the environment than this, and the setting of notebooks/TEACHING.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(realpath --no-symlinks "${PYTHON:-.venv/bin/python}")
notebook=$(realpath "${1:-notebooks/02_meta_learning.ipynb}")
dir=$(mktemp -d); trap 'kill $busy 2>/dev/null; rm -rf "$dir"' EXIT
export JUPYTER_RUNTIME_DIR="$dir" JUPYTER_CONFIG_DIR="$dir" JUPYTER_PREFER_ENV_PATH=1 IPYTHONDIR="$dir"
unset OMP_NUM_THREADS OMP_WAIT_POLICY GOMP_SPINCOUNT JUPYTER_CONFIG_PATH
taskset -c 0 "$python" -c "while True: pass" & busy=$!

cat > "$dir/client.py" <<'PY'
import sys, time
import nbformat
from nbclient import NotebookClient

path, folder = sys.argv[1], sys.argv[1].rpartition("/")[0]
client = NotebookClient(nbformat.read(path, as_version=4), timeout=900, store_widget_state=False,
                        resources={"metadata": {"path": folder}})
with client.setup_kernel():
    begun = time.monotonic()
    for place, cell in enumerate(client.nb.cells):
        client.execute_cell(cell, place)
    print(round(time.monotonic() - begun))
PY
cat > "$dir/server.py" <<'PY'
import json, os, socket, subprocess, sys, time, urllib.error, urllib.request
import nbformat
from jupyter_client import BlockingKernelClient

folder, _, name = sys.argv[1].rpartition("/")
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
words = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
words += [f"--port={port}", "--IdentityProvider.token=t", f"--ServerApp.root_dir={folder}"]
server = subprocess.Popen(words, stderr=subprocess.DEVNULL)
asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/kernels",
                               json.dumps({"name": "python3", "path": name}).encode(),
                               {"Authorization": "token t", "Content-Type": "application/json"})
try:
    while server.poll() is None:
        try:
            kernel = json.load(urllib.request.urlopen(asked))["id"]
            break
        except urllib.error.URLError:
            time.sleep(0.5)
    client = BlockingKernelClient()
    client.load_connection_file(f"{os.environ['JUPYTER_RUNTIME_DIR']}/kernel-{kernel}.json")
    client.start_channels()
    client.wait_for_ready(300)
    begun = time.monotonic()
    for cell in nbformat.read(sys.argv[1], as_version=4).cells:
        if cell.cell_type == "code":
            reply = client.execute_interactive(cell.source, output_hook=id, timeout=900)
            assert reply["content"]["status"] == "ok", reply
    print(round(time.monotonic() - begun))
finally:
    server.terminate()
    server.wait()
PY
by_nbval() {
    SECONDS=0
    "$python" -m pytest -q -p no:cacheprovider --nbval-lax --nbval-current-env --nbval-cell-timeout=900 \
        "$notebook" >&2
    echo "$SECONDS"
}
row() {                                 # its name, and what prints the seconds
    local seconds
    seconds=$("${@:2}" 2> "$dir/log") || { tail -20 "$dir/log" >&2; exit 1; }
    echo "| $1 | $seconds |"
}
hub=(env -i HOME="$HOME" LANG="${LANG:-C.UTF-8}" PATH="$PATH" IPYTHONDIR="$dir" OMP_NUM_THREADS=1
     JUPYTER_RUNTIME_DIR="$dir" JUPYTER_CONFIG_DIR="$dir" JUPYTER_PREFER_ENV_PATH=1)
client=("$python" "$dir/client.py" "$notebook") server=("$python" "$dir/server.py" "$notebook")
echo "| $(basename "$notebook"), one core busy, started by | seconds |"; echo "|---|---|"
row "VS Code, nbclient" "${client[@]}"
spinning=(timeout 300 env GOMP_SPINCOUNT=300000 "${client[@]}")
row "the same, threads spinning as by themselves" bash -c '"$@" || { [ $? = 124 ] && echo "over 300"; }' _ "${spinning[@]}"
row "JupyterLab, started by hand" "${server[@]}"
row "nbval (with its start)" by_nbval
row "a hub's server" "${hub[@]}" "${server[@]}"
