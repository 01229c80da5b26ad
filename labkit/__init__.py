"""Helpers for the Transfer Learning Lab. Importing the package loads nothing heavy.

It only says how torch's threads wait for one another: soon asleep. By default they spin for long:
with another program on one of two cores a notebook took up to fifteen times as long
(tests/benchmarks/ENDURANCE.md). OpenMP reads this once, when torch is loaded, so labkit is imported
before torch in the notebooks, whoever starts their kernels. 3000 is for GNU's OpenMP, which torch
brings on Linux: enough to lose nothing while both cores are free.
"""

import os

__version__ = "0.1.0"

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}
if not set(WAITING) & set(os.environ):  # else the reader has chosen
    os.environ.update(WAITING)
