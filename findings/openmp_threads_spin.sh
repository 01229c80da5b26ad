#!/usr/bin/env bash
# torch on two threads becomes several times slower than on one as soon as one of two cores is busy.
#
# Guess:    a second thread that finds no free core costs little: half the machine is still ours, so
#           many small operations take about as long as on one thread. And os.environ can be set
#           between `import torch` and the first operation, since threads start with that.
# Happens:  each operation ends in a barrier, at which a thread spins some 300,000 times before it
#           sleeps, on the core that the other thread would need. OMP_WAIT_POLICY=PASSIVE or a small
#           GOMP_SPINCOUNT cures it, but only if set before torch is imported: the library reads
#           them when it is loaded.
# Why:      libgomp, env.c (initialize_env is a constructor; without a policy 300,000 spins) and
#           config/linux/wait.h, do_spin. It spins less only where it has more threads than cores;
#           what other programs do with the cores it cannot see.
# Versions: torch 2.13.0, Python 3.11, CPU, Linux on two cores; run on 2026-11-28.
# Seen:     300 additions, other programs running too: one thread 0.1 s, two 42.1 s; asked to sleep after
#           the import 27.8 s, before it 4.3 s
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
if [ -z "${PYTHON:-}" ]; then       # PYTHON=... takes an environment that has torch already
    python3 -m venv env
    env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
    PYTHON=env/bin/python
fi
cat >work.py <<'PY'
import os, sys, time
if "early" in sys.argv:
    os.environ["GOMP_SPINCOUNT"] = "3000"
import torch
if "late" in sys.argv:
    os.environ["GOMP_SPINCOUNT"] = "3000"
x = torch.zeros(100_000)            # large enough to be shared between threads
begun = time.monotonic()
for _ in range(300):
    x.add_(1)
print(time.monotonic() - begun)
PY
taskset -c 1 "$PYTHON" -c "while True: pass" & busy=$!
trap 'kill $busy; rm -rf "$dir"' EXIT
unset OMP_WAIT_POLICY GOMP_SPINCOUNT
run() { OMP_NUM_THREADS=$1 taskset -c 0,1 "$PYTHON" -W ignore work.py "$2"; }
one=$(run 1 -) two=$(run 2 -) late=$(run 2 late) early=$(run 2 early)
echo "one thread $one s, two $two, asked to sleep after the import $late, before it $early"
"$PYTHON" -c "assert $two > 3 * $early and $late > 3 * $early"
