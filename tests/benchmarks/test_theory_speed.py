"""The linear model of fine-tuning: all three methods here, and one by the loop one would write."""

import pytest
import torch

from labkit.lp_ft import theory

pytestmark = pytest.mark.usefixtures("one_thread")
STEPS = 1000


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


def test_ratio(medians) -> None:
    """Ours solves three methods."""
    result = theory.simulate(steps=STEPS)
    rate = result.ft.learning_rate
    assert autograd_loop(result.problem, rate) == pytest.approx(result.ft.ood_loss[-1], abs=1e-9)
    seconds = medians({
        "ours, three methods": lambda: theory.simulate(steps=STEPS),
        "autograd, one": lambda: autograd_loop(result.problem, rate),
    })  # fmt: skip
    assert seconds["ours, three methods"] < 0.05
    assert seconds["autograd, one"] > 5 * seconds["ours, three methods"]
