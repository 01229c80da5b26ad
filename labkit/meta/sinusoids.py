"""The classic few-shot task: y = a sin(x - b), each task with its own a and b (Finn et al. 2017).

Four ways to choose theta for the same small network, so that only the objective differs: MAML of
second and of first order, Reptile, and joint training on all tasks at once.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from labkit import meta
from labkit.inputs import all_finite, check_choice, refused, whole
from labkit.meta import batched

RANGE = (-5.0, 5.0)  # of x
AMPLITUDES, PHASES = (0.1, 5.0), (0.0, math.pi)  # what theta is trained on
INNER_LR, INNER_STEPS = 0.02, 1  # of the tasks' own training
THETAS = ("maml", "fomaml", "reptile", "joint", "random")


class Sines(NamedTuple):
    """The distribution that tasks are drawn from."""

    amplitudes: tuple[float, float] = AMPLITUDES
    phases: tuple[float, float] = PHASES
    noise: float = 0.0  # standard deviation, on the support only


TRAINED = Sines()


def network(seed: int, width: int = 40) -> nn.Sequential:
    """1 -> width -> width -> 1 with ReLU, as in the paper; the same seed gives the same theta_0."""
    whole("width", width, 1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # torch's layers draw from the global generator only
        return nn.Sequential(
            nn.Linear(1, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
        )


def sample(
    tasks: int, shots: int, queries: int, generator: Generator, sines: Sines = TRAINED
) -> meta.TaskBatch:
    """Draw `tasks` sinusoids with `shots` points to learn from and `queries` to be tested on."""
    for name, count in (("tasks", tasks), ("shots", shots), ("queries", queries)):
        whole(name, count, 1)

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=generator)

    a = uniform(*sines.amplitudes, tasks, 1, 1)
    b = uniform(*sines.phases, tasks, 1, 1)
    support, query = (uniform(*RANGE, tasks, n, 1) for n in (shots, queries))
    noise = sines.noise * torch.randn(support.shape, generator=generator)
    return meta.TaskBatch(support, a * (support - b).sin() + noise, query, a * (query - b).sin())


def loss_of(method: str, model: nn.Module) -> Callable[[meta.TaskBatch], Tensor]:
    """What `method` minimises over theta, as a function of a batch of tasks."""
    check_choice("method", (method,), THETAS[:-1])
    # Joint training: all D_i are one data set and A takes no step, which is pretraining.
    steps = 0 if method == "joint" else INNER_STEPS

    def loss(tasks: meta.TaskBatch) -> Tensor:
        if method == "reptile":
            x, y = (torch.cat(pair, dim=1) for pair in (tasks[::2], tasks[1::2]))  # no query set
            return meta.reptile_loss(model, x, y, INNER_LR, 3, F.mse_loss)
        first = method == "fomaml"
        return meta.maml_loss(model, *tasks, INNER_LR, steps, F.mse_loss, first_order=first)

    return loss


def meta_train(
    method: str, steps: int = 600, seed: int = 0, on_step: Callable | None = None
) -> nn.Sequential:
    """theta^ by `method` (of THETAS), from the seed's theta_0, which is "random" itself."""
    check_choice("method", (method,), THETAS)
    model = network(seed)
    if method != "random":
        generator = torch.Generator().manual_seed(seed)
        tasks = (sample(25, 10, 10, generator) for _ in range(steps))
        meta.train(model, loss_of(method, model), tasks, 0.005, on_step, decay_steps=steps)
    return model


def errors_after(
    model: nn.Module, tasks: meta.TaskBatch, steps: int, lr: float = INNER_LR
) -> Tensor:
    """Mean squared query errors after 0 to `steps` steps, (steps + 1, tasks); inf: it diverged."""
    meta.check_tasks(tasks)
    all_finite(**tasks._asdict())
    descent = meta.GradientDescent(model, lr, steps, F.mse_loss, first_order=True)
    return errors_along(model, descent.path(*tasks[:2]), tasks)


@torch.no_grad()
def errors_along(
    model: nn.Module, path: Sequence[batched.Weights], tasks: meta.TaskBatch
) -> Tensor:
    """`errors_after` for the tasks' weights after each step, all in one pass."""
    weights = {name: torch.cat([step[name] for step in path]) for name in path[0]}
    x, y = (part.repeat(len(path), 1, 1) for part in tasks[2:])
    predictions = batched.forward(model, weights, x)
    if predictions.shape != y.shape:
        raise refused("query_y", f"shape {tuple(tasks.query_y.shape)}", "query_x's")
    errors = (predictions - y).square().mean(dim=(1, 2)).unflatten(0, (len(path), -1))
    return errors.nan_to_num(nan=math.inf, posinf=math.inf)
