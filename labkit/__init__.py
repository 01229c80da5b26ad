"""Helpers for the Transfer Learning Lab. Importing the package loads nothing heavy.

It says how torch's threads wait for one another: soon asleep. By default they spin, and with one of
two cores busy a notebook took up to fifteen times as long (tests/benchmarks/ENDURANCE.md). OpenMP
asks once, when torch is loaded, so import labkit first. 3000 is for the GNU OpenMP that torch
brings on Linux: enough to lose nothing while both cores are free.
"""

import os

__version__ = "0.1.0"

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
if not set(WAITING) & set(os.environ):  # else the reader has chosen
    os.environ.update(WAITING)
