"""After each cell of a notebook, memory that nobody uses goes back to the system.

glibc keeps what torch has freed, for the next time, in each of two hundred kernels on a hub. With
torch's compiler (`labkit.optimizers`) it was 125 to 297 MB of each, a quarter of what a kernel kept
(tests/benchmarks/ENDURANCE.md).
"""

import ctypes
import sys

from labkit.ui.controls import kernel


def give_back(*_: object) -> None:
    ctypes.CDLL(None).malloc_trim(0)


def give_back_after_each_cell() -> None:
    """From now on, in a kernel with glibc; nowhere else does anything happen."""
    shell = kernel()
    if shell and sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        shell.events.register("post_run_cell", give_back)
