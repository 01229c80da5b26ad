"""The linear model of fine-tuning: all three methods here, and one by the loop one would write.

CPU time of one thread. Not part of the default run: `pip install -r
tests/benchmarks/requirements.txt`, then `pytest tests/benchmarks/test_theory_speed.py`.
"""

import statistics
import time

import numpy as np
import pytest
import torch

from labkit.lp_ft import theory

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.benchmark(timer=time.process_time),
]
STEPS = 1000
SIZES = {
    "default": {},
    "slider ends": {"subspace_dim": 60, "samples": 100, "feature_error": 1.4, "head_scale": 1},
}


def autograd_loop(problem: theory.Problem, rate: float) -> float:
    """Fine-tuning alone, without recording anything; returns the OOD loss at the end."""
    X, w_star = torch.tensor(problem.X), torch.tensor(problem.w_star)
    y = X @ w_star
    v = torch.tensor(problem.v0, requires_grad=True)
    B = torch.tensor(problem.B0, requires_grad=True)
    optimizer = torch.optim.SGD([v, B], lr=rate)
    for _ in range(STEPS):
        optimizer.zero_grad()
        ((X @ (B.T @ v) - y) ** 2).mean().backward()
        optimizer.step()
    return ((B.T @ v - w_star) ** 2).sum().item()


def numpy_loop(problem: theory.Problem, rate: float) -> float:
    """The same with the gradient by hand, in all d dimensions."""
    X, w_star, v, B = problem.X, problem.w_star, problem.v0.copy(), problem.B0.copy()
    y = X @ w_star
    for _ in range(STEPS):
        pull = 2 * rate / len(X) * X.T @ (X @ (B.T @ v) - y)
        v, B = v - B @ pull, B - np.outer(v, pull)
    return ((v @ B - w_star) ** 2).sum()


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_all_three_methods(sizes, benchmark) -> None:
    result = benchmark.pedantic(
        theory.simulate, kwargs={**sizes, "steps": STEPS}, rounds=20, warmup_rounds=2
    )
    assert result.ft.step[-1] == STEPS


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("loop", [autograd_loop, numpy_loop])
def test_fine_tuning_alone(loop, sizes, benchmark) -> None:
    result = theory.simulate(**sizes, steps=STEPS)
    arguments = (result.problem, result.ft.learning_rate)
    end = benchmark.pedantic(loop, arguments, rounds=5, warmup_rounds=1)
    assert end == pytest.approx(result.ft.ood_loss[-1], abs=1e-9)


def test_ratio(capsys) -> None:
    """Rounds alternate, so that a busy machine slows both alike. Ours solves three methods."""
    result = theory.simulate(steps=STEPS)
    seconds = {"ours, three methods": [], "autograd, one": []}
    runs = (
        lambda: theory.simulate(steps=STEPS),
        lambda: autograd_loop(result.problem, result.ft.learning_rate),
    )
    for _ in range(7):
        for times, run in zip(seconds.values(), runs, strict=True):
            begun = time.process_time()
            run()
            times.append(time.process_time() - begun)
    middle = {name: 1e3 * statistics.median(times) for name, times in seconds.items()}
    with capsys.disabled():
        print("".join(f"\n{name:22}{value:8.1f} ms" for name, value in middle.items()))
    assert middle["ours, three methods"] < 50
    assert middle["autograd, one"] > 5 * middle["ours, three methods"]
