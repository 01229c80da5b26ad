#!/usr/bin/env bash
# joblib.Memory gives one closure the cached answers of another, silently.
#
# Guess:    a cache that watches the function's code and hashes its arguments knows everything a pure
#           function depends on; two functions from one factory, make(1) and make(2), are two functions.
#           A functools.partial, which hides its arguments as well, keeps them apart.
# Happens:  the second closure answers with what the first computed, in this process and in the next
#           one: which is right depends on who was called first. No warning: name, file, first line and
#           text of the two are equal, and what the closure holds is not looked at. The documentation's
#           "Gotchas" warn of functions of the same name, lambdas and methods, not of this.
# Why:      joblib/memory.py, MemorizedFunc: the folder is the function's qualified name; get_func_code
#           (func_inspect.py) compares source text only; filter_args hashes the call's arguments alone.
# Versions: joblib 1.6.0, Python 3.11; run on 2026-11-28.
# Seen:     doubled(3) alone 6; after tripled(3): 9; a new process that calls doubled(3) first: 9
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check joblib==1.6.0
cat > work.py <<'PY'
import sys
import warnings
from joblib import Memory

warnings.simplefilter("error")
memory = Memory(sys.argv[1], verbose=0)

def times(factor):
    @memory.cache
    def multiplied(x):
        return factor * x
    return multiplied

found = [times(int(factor))(3) for factor in sys.argv[2]]
print(*found)
PY
run() { env/bin/python work.py "$@"; }
alone=$(run one 2) after=$(run two 32) later=$(run two 2)
echo "doubled(3) alone $alone; after tripled(3): $after; in a new process: $later"
[ "$alone" = 6 ] && [ "$after" = "9 9" ] && [ "$later" = 9 ]
env/bin/python -W ignore - <<'PY'
from functools import partial
from joblib import Memory

memory = Memory("three", verbose=0)

def multiplied(x, factor):
    return factor * x

one, two = (memory.cache(partial(multiplied, factor=factor)) for factor in (2, 3))
print("by partial:", one(3), two(3))
assert (one(3), two(3)) == (6, 9)
PY
