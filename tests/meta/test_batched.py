"""Networks with weights for every task: each rule equals one functional call per task."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from labkit.meta import batched


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Residual(nn.Module):
    """A module the rules do not know: parameters of its own, a known layer inside, a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(6, 6), nn.Parameter(torch.ones(6))

    def forward(self, x):
        return x + self.scale * self.linear(x).tanh()


class Twice(nn.Linear):
    """A subclass that computes something else must not be taken for its parent."""

    def forward(self, x):
        return 2 * super().forward(x)


def tied() -> nn.Sequential:
    linear = nn.Linear(6, 6)
    return nn.Sequential(linear, nn.Tanh(), linear)


def hooked() -> nn.Sequential:
    linear = nn.Linear(6, 6)
    linear.register_forward_hook(lambda module, given, out: 3 * out)
    return nn.Sequential(linear, nn.ReLU())


def frozen_norm() -> nn.Sequential:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    model(torch.randn(5, 2, 6, 6, generator=generator(3)))
    return model.eval()


VECTOR, IMAGE = (6,), (2, 6, 6)
MODELS = {
    "linear": (lambda: nn.Linear(6, 3), VECTOR),
    "no bias": (lambda: nn.Linear(6, 3, bias=False), VECTOR),
    "linear on tokens": (lambda: nn.Sequential(nn.Linear(6, 5), nn.GELU()), (4, 6)),
    "nested": (
        lambda: nn.Sequential(nn.Sequential(nn.Linear(6, 4), nn.Tanh()), nn.LayerNorm(4)),
        VECTOR,
    ),
    "one activation twice": (
        lambda: nn.Sequential(
            nn.Linear(6, 5), act := nn.Tanh(), nn.Linear(5, 4), act, nn.Linear(4, 3)
        ),
        VECTOR,
    ),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4), nn.ReLU(),
            nn.Conv2d(4, 6, 3, groups=2, bias=False), nn.Flatten(), nn.Linear(6, 3),
        ),
        IMAGE,
    ),
    "pooling": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, dilation=2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        (2, 9, 9),
    ),
    "other padding": (lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), IMAGE),
    "norms without weights": (
        lambda: nn.Sequential(
            nn.GroupNorm(1, 2, affine=False), nn.LayerNorm(6, elementwise_affine=False)
        ),
        IMAGE,
    ),
    "layer norm without bias": (lambda: nn.LayerNorm((6, 6), bias=False), IMAGE),
    "flatten from the front": (lambda: nn.Sequential(nn.Linear(6, 2), nn.Flatten(-2)), (4, 6)),
    "unknown": (lambda: nn.Sequential(Residual(), nn.Linear(6, 2)), VECTOR),
    "subclass": (lambda: nn.Sequential(Twice(6, 2), nn.Sigmoid()), VECTOR),
    "tied": (tied, VECTOR),
    "hooked": (hooked, VECTOR),
    "BatchNorm in evaluation mode": (frozen_norm, IMAGE),
}  # fmt: skip


def weights_of(model: nn.Module, tasks: int) -> batched.Weights:
    """Different random weights for every task."""
    g = generator(1)
    return {
        name: torch.randn(tasks, *p.shape, generator=g, dtype=p.dtype).requires_grad_()
        for name, p in model.named_parameters()
    }


@pytest.mark.parametrize("name", MODELS)
def test_every_rule_equals_a_call_per_task_in_value_and_two_derivatives(name: str) -> None:
    make, shape = MODELS[name]
    model = make().double()
    weights = weights_of(model, 3)
    x = torch.randn(3, 5, *shape, generator=generator(), dtype=torch.float64)
    x.requires_grad_()

    def one_by_one() -> torch.Tensor:
        calls = [{n: w[t] for n, w in weights.items()} for t in range(3)]
        return torch.stack(
            [torch.func.functional_call(model, c, (x[t],)) for t, c in enumerate(calls)]
        )

    def derivatives(out: torch.Tensor) -> list[torch.Tensor]:
        leaves = [x, *weights.values()]
        first = torch.autograd.grad(
            out.pow(3).sum(), leaves, create_graph=True, materialize_grads=True
        )
        squared = sum(g.square().sum() for g in first)
        return [out, *first, *torch.autograd.grad(squared, leaves, materialize_grads=True)]

    ours, expected = derivatives(batched.forward(model, weights, x)), derivatives(one_by_one())
    for a, b in zip(ours, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-10)


def test_stacking_repeats_theta_and_its_gradient_adds_up() -> None:
    model = nn.Linear(2, 3)
    weights = batched.stack_weights(model, 4)
    assert {n: tuple(w.shape) for n, w in weights.items()} == {"weight": (4, 3, 2), "bias": (4, 3)}
    weights["bias"].sum().backward()
    assert (model.bias.grad == 4).all()


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm2d(3), nn.InstanceNorm2d(3, track_running_stats=True)]
)
def test_statistics_that_would_mix_tasks_are_refused_by_name(norm: nn.Module) -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), norm)
    with pytest.raises(ValueError, match=f"layer '1' is a {type(norm).__name__} in training mode"):
        batched.forward(model, batched.stack_weights(model, 2), torch.zeros(2, 1, 3, 4, 4))
    model.eval()
    batched.forward(model, batched.stack_weights(model, 2), torch.zeros(2, 1, 3, 4, 4))


def test_instance_norm_of_each_picture_alone_is_fine() -> None:
    model = nn.Sequential(nn.InstanceNorm2d(3), nn.Flatten())
    out = batched.forward(model, {}, torch.randn(2, 4, 3, 5, 5, generator=generator()))
    assert out.shape == (2, 4, 75) and out.mean().abs() < 1e-6


def test_dropout_draws_anew_for_every_task() -> None:
    model = nn.Sequential(nn.Dropout(0.5))
    out = batched.forward(model, {}, torch.ones(2, 50, 4))
    assert not torch.equal(out[0], out[1])
