"""Small operations are faster on one thread: between them the others spin, and keep a core busy."""

from threadpoolctl import threadpool_limits


def one_blas_thread() -> threadpool_limits:
    """For many small products in a row, as in L-BFGS.

    tests/benchmarks/test_probe_speed.py says how much longer a probe takes with all of them.
    """
    return threadpool_limits(1, user_api="blas")
