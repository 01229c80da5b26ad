#!/usr/bin/env bash
# nbval: a notebook that was executed a moment ago fails its own test if it updated or cleared an output.
#
# Guess:    `pytest --nbval` runs a notebook and compares its outputs with the stored ones. Just after
#           `jupyter execute`, of code that always does the same, they are equal.
# Happens:  display(..., display_id=True).update(...), by which progress and live tables are shown, is stored
#           as the last value, as JupyterLab and nbclient do; nbval keeps the first, and fails. A notebook
#           that has the stale first value passes. So it is with clear_output() before the final lines:
#           stored are the final lines, nbval has all. Nothing says that a message was left out.
# Why:      nbval/plugin.py, runtest, handles the messages display_data, execute_result, stream and error. What
#           would handle clear_output is commented out, update_display_data is not named.
# Versions: nbval 0.11.0, nbclient 0.11.0, ipykernel 7.4.0, pytest 9.2.0, Python 3.11; run on 2026-11-30.
# Seen:     executed by nbclient: update, clear_output fail, plain passes; with the first value and with all
#           lines stored: update, clear_output pass
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    nbval==0.11.0 nbclient==0.11.0 ipykernel==7.4.0 nbformat==5.11.1 pytest==9.2.0
export JUPYTER_PLATFORM_DIRS=1 HOME="$dir"
env/bin/python -W ignore - <<'PY'
import re
import subprocess
import sys
import nbclient
import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

CELLS = {
    "plain": "print('the end')",
    "update": "shown = display('step 1', display_id=True)\nshown.update('step 2')",
    "clear_output": "from IPython.display import clear_output\n"
    "print('begun')\nclear_output()\nprint('the end')",
}
STALE = {
    "update": new_output("display_data", data={"text/plain": "'step 1'"}),
    "clear_output": new_output("stream", name="stdout", text="begun\nthe end\n"),
}

def verdicts(name, notebook):
    """PASSED or FAILED of each cell."""
    nbformat.write(notebook, name)
    run = subprocess.run([sys.executable, "-m", "pytest", "--nbval", "-v", name],
                         capture_output=True, text=True)
    return dict(zip(CELLS, re.findall(r"Cell \d+ (PASSED|FAILED)", run.stdout), strict=True))

notebook = new_notebook(cells=[new_code_cell(source) for source in CELLS.values()])
nbclient.NotebookClient(notebook, kernel_name="python3").execute()
fresh = verdicts("fresh.ipynb", notebook)
for name, cell in zip(CELLS, notebook.cells, strict=True):
    cell.outputs = [STALE[name]] if name in STALE else cell.outputs
stale = verdicts("stale.ipynb", notebook)
print("executed:", fresh, "with stale outputs:", stale)
assert fresh == {"plain": "PASSED", "update": "FAILED", "clear_output": "FAILED"}
assert set(stale.values()) == {"PASSED"}
PY
