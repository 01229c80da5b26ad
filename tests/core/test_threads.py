"""How many threads work is given, that the number is as before afterwards, and how they wait."""

import os
import re
import subprocess
import sys

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from labkit import encoders, tasks, transfer
from labkit.meta import heads


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def fit_probe(encoder) -> None:
    task = tasks.few_shot(tasks.style_shift(("noto",)), 1, torch.Generator().manual_seed(0))
    transfer.linear_probe(encoder, task, [1.0])


def fit_head(encoder) -> None:
    images = torch.rand(1, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    heads.LogisticHead(encoder)(images, torch.tensor([[0, 0, 1, 1]]))


@pytest.mark.parametrize("fit", [fit_probe, fit_head])
def test_a_regression_is_fitted_by_one_blas_thread(monkeypatch, fit) -> None:
    seen, real = [], LogisticRegression.fit

    def watched(*arguments, **options):
        seen.append(blas_threads())
        return real(*arguments, **options)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    with threadpool_limits(3, user_api="blas"):
        fit(encoders.load("clip-conv").image)
        assert blas_threads() == {3}
    assert seen == [{1}]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch brings another OpenMP")
@pytest.mark.parametrize(
    ("own", "spins"),
    [({}, 3000), ({"GOMP_SPINCOUNT": "7"}, 7), ({"OMP_WAIT_POLICY": "PASSIVE"}, 0)],
)
def test_torch_s_threads_wait_asleep_whoever_started_python(own: dict, spins: int) -> None:
    """As OpenMP itself tells, when torch is loaded; a reader's own choice stays."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    env |= own | {"OMP_DISPLAY_ENV": "VERBOSE"}
    command = [sys.executable, "-c", "import labkit, torch"]
    said = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stderr
    assert re.findall(r"GOMP_SPINCOUNT = '(\d+)'", said) == [str(spins)]
