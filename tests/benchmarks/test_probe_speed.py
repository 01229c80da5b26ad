"""The linear probe on one BLAS thread, as labkit fits it, and on all that OpenBLAS would take.

Notebook 04's task; to be run without OMP_NUM_THREADS. On one core they agree.
"""

import os
from contextlib import nullcontext

import pytest
from threadpoolctl import threadpool_limits

from labkit import encoders, tasks, transfer

THREADS = {"one": transfer.one_blas_thread, "all": nullcontext}


@pytest.mark.benchmark(group="probe")
@pytest.mark.parametrize("threads", THREADS)
def test_probe(benchmark, monkeypatch, threads: str) -> None:
    encoder, task = encoders.load("clip-vit").image, tasks.who_drew_it()
    monkeypatch.setattr(transfer, "one_blas_thread", THREADS[threads])
    with threadpool_limits(os.cpu_count(), user_api="blas"):  # tests/conftest.py asks for one
        benchmark.pedantic(transfer.linear_probe, (encoder, task), rounds=1)
