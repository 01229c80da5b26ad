"""Small operations are faster on one thread: between them the others spin, and keep a core busy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def one_blas_thread() -> threadpool_limits:
    """For many small products in a row, as in L-BFGS.

    tests/benchmarks/test_probe_speed.py says how much longer a probe takes with all of them.
    """
    return threadpool_limits(1, user_api="blas")


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """For a live frame: of two cores, a second thread would take the one that the browser needs.

    Nothing happens where torch has not been imported.
    """
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
