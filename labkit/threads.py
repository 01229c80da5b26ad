"""Small operations are faster on one thread: between them the others spin, and keep a core busy."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def one_blas_thread() -> threadpool_limits:
    """For many small products in a row, as in L-BFGS.

    On two cores a probe of 1,209 emoji takes 2.2 s so, and 31 s with OpenBLAS's own two threads.
    """
    return threadpool_limits(1, user_api="blas")


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """For a live frame: on two cores a second thread would keep the browser waiting for a third of
    the time. Nothing happens where torch has not been imported.
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
