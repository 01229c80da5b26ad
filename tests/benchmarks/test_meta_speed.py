"""How long second-order MAML takes, five inner steps: ours, `higher`, and a loop over tasks.

The sine MLP with 25 tasks, and a four-layer stride-2 convolutional network at 32 pixels with 16
five-way one-shot tasks. learn2learn 0.2.0 no longer builds (its C code needs a header that Python
3.11 has moved), so the loop is what it does, without its bookkeeping: functional weights, one task
after another. `higher` is measured where it is installed.
"""

from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from oracles import plain_maml
from torch import nn

from labkit import meta
from labkit.meta import sinusoids

pytestmark = pytest.mark.usefixtures("one_thread")
STEPS, LR = 5, 0.01


def convolutional(width: int = 32) -> nn.Sequential:
    """MAML's mini-ImageNet network with strides for max-pooling; 32 filters, as there."""
    layers: list[nn.Module] = []
    for channels in (3, width, width, width):
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width, 5))


def five_way(tasks: int = 16) -> meta.TaskBatch:
    x = torch.rand(2, tasks, 5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    y = torch.arange(5).expand(tasks, 5)
    return meta.TaskBatch(x[0], y, x[1], y)


def sines() -> meta.TaskBatch:
    return sinusoids.sample(25, 10, 10, torch.Generator().manual_seed(0))


PROBLEMS = {
    "sine MLP": (lambda: sinusoids.network(0), sines, F.mse_loss, 10.0),
    "convolutions": (convolutional, five_way, F.cross_entropy, 1.5),
}


def ours(model: nn.Module, tasks: meta.TaskBatch, loss_fn: meta.Loss) -> torch.Tensor:
    return meta.maml_loss(model, *tasks, LR, STEPS, loss_fn)


def loop(model: nn.Module, tasks: meta.TaskBatch, loss_fn: meta.Loss) -> torch.Tensor:
    return plain_maml(model, tasks, LR, STEPS, loss_fn)


def by_higher(model: nn.Module, tasks: meta.TaskBatch, loss_fn: meta.Loss) -> torch.Tensor:
    import higher

    optimizer, losses = torch.optim.SGD(model.parameters(), lr=LR), []
    for sx, sy, qx, qy in zip(*tasks, strict=True):
        with higher.innerloop_ctx(model, optimizer, copy_initial_weights=False) as (copy, inner):
            for _ in range(STEPS):
                inner.step(loss_fn(copy(sx), sy))
            losses.append(loss_fn(copy(qx), qy))
    return torch.stack(losses).mean()


def gradient(objective: Callable, model: nn.Module, *arguments) -> list[torch.Tensor]:
    return list(torch.autograd.grad(objective(model, *arguments), list(model.parameters())))


def contestants() -> dict[str, Callable[..., torch.Tensor]]:
    found = {"loop over tasks": loop, "ours": ours}
    try:
        import higher  # noqa: F401
    except ImportError:
        return found
    return {"higher": by_higher, **found}


@pytest.mark.parametrize("name", PROBLEMS)
def test_ours_is_the_fastest(name: str, medians) -> None:
    make, draw, loss_fn, factor = PROBLEMS[name]
    model, tasks = make(), draw()
    given = (model, tasks, loss_fn)
    runs = {who: partial(gradient, run, *given) for who, run in contestants().items()}
    for run in runs.values():
        for a, b in zip(run(), runs["loop over tasks"](), strict=True):
            assert torch.allclose(a, b, rtol=1e-3, atol=1e-5), "all compute the same gradient"
    seconds = medians(runs)
    assert min(x for who, x in seconds.items() if who != "ours") >= factor * seconds["ours"]
