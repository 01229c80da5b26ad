#!/usr/bin/env bash
# papermill hands a notebook a tuple as text, and writes down that it was a list.
#
# Guess:    parameters={"classes": ("cattle", "dog")} arrives as a sequence of two names: a list does, and
#           what cannot be written in a cell is refused, as NumPy's numbers are.
# Happens:  the notebook is given classes = "('cattle', 'dog')". Python's strings do much that tuples do, so
#           nothing fails: `name in classes` is true of "cat", a part of "cattle"; len, a loop and
#           [0] go by letters. The output's metadata, which a report of the run is made from, say
#           ["cattle", "dog"]. Tuples inside lists and dictionaries are text as well.
# Why:      papermill/translators.py, Translator.translate knows str, bool, int, float, dict, list and
#           None, and for all else, "as a last resort", str() in quotes; the metadata go through JSON.
# Versions: papermill 2.7.0, ipykernel 7.4.0, Python 3.11; run on 2026-11-28.
# Seen:     list: cattle dog (2); tuple: cat cattle dog (17), and in the metadata ['cattle', 'dog']
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check papermill==2.7.0 ipykernel==7.4.0
export IPYTHONDIR="$dir/ipython" JUPYTER_PREFER_ENV_PATH=1
env/bin/python -W ignore - <<'PY'
import logging
import nbformat
import papermill

logging.disable()
code = nbformat.v4.new_code_cell
kernel = {"name": "python3", "display_name": "", "language": "python"}
nbformat.write(nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=[
    code("classes = ['dog']", metadata={"tags": ["parameters"]}),
    code("kept = [name for name in ('cat', 'cattle', 'dog', 'horse') if name in classes]\n"
         "print(*kept, f'({len(classes)})')"),
]), "in.ipynb")

def run(classes):
    done = papermill.execute_notebook("in.ipynb", "out.ipynb", {"classes": classes},
                                      progress_bar=False)
    (output,) = done.cells[-1].outputs
    noted = nbformat.read("out.ipynb", as_version=4).metadata["papermill"]["parameters"]["classes"]
    print(type(classes).__name__, "gives:", output.text.strip(), " noted:", noted)
    return output.text.strip(), noted

assert run(["cattle", "dog"]) == ("cattle dog (2)", ["cattle", "dog"])
assert run(("cattle", "dog")) == ("cat cattle dog (17)", ["cattle", "dog"])
PY
