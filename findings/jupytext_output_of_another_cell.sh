#!/usr/bin/env bash
# jupytext shows a cell's old output beside its new code, and even beside another cell's.
#
# Guess:    edit the script of a paired notebook: "the updated input cells combined with the matching
#           outputs" (its FAQ) means that a cell whose code changed has no output until it is run.
# Happens:  accuracy(model, train) becomes accuracy(model, test) in the script, and the notebook shows
#           test data's accuracy as 0.99, with its old execution count, as if it had been run. With a new
#           cell in front of the edited one the 0.99 stands below the new one, train(model). Neither
#           ever said so. Only what comes after all old outputs are used up stays empty.
# Why:      jupytext/combine.py, map_outputs_to_inputs: equal cells first, then cells of which an old
#           one ends with the new, and last, "Fourth rule: match based on increasing index".
# Versions: jupytext 1.19.6, nbformat 5.11.1, Python 3.11; run on 2026-11-28.
# Seen:     edited: accuracy(model, test) -> [1] 0.99
#           one more in front: train(model) -> [1] 0.99; accuracy(model, test) -> no output
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check jupytext==1.19.6 nbformat==5.11.1
cat > cells.py <<'PY'
import sys
import nbformat

v4, path = nbformat.v4, "paired.ipynb"
if "write" in sys.argv:
    result = v4.new_output("execute_result", {"text/plain": "0.99"}, execution_count=1)
    cell = v4.new_code_cell("accuracy(model, train)", execution_count=1, outputs=[result])
    nbformat.write(v4.new_notebook(cells=[cell]), path)
else:
    for cell in nbformat.read(path, as_version=4).cells:
        said = [output.data["text/plain"] for output in cell.outputs]
        print(cell.source, "->", f"[{cell.execution_count}] {said[0]}" if said else "no output")
PY
edited() {                             # the notebook after its script was changed by sed
    env/bin/python -W ignore cells.py write
    env/bin/jupytext --quiet --to py:percent --output paired.py paired.ipynb
    sed -i "$1" paired.py
    env/bin/jupytext --quiet --update --to notebook paired.py
    env/bin/python -W ignore cells.py
}
check() { echo "$1"; [ "$1" = "$2" ]; }
check "$(edited 's/train/test/')" "accuracy(model, test) -> [1] 0.99"
check "$(edited 's/^accuracy.*/train(model)\n\n# %%\naccuracy(model, test)/')" \
    "train(model) -> [1] 0.99
accuracy(model, test) -> no output"
