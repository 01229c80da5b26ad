"""The transfer / meta-learning objective: theta^ = argmin_theta sum_i L(D_i^s, A(D_i^s, theta)).

`objective` is that sum, as a mean over tasks. The algorithm A is passed in: gradient descent from
theta (MAML, Finn et al. 2017; with no steps, plain pretraining), class means, or a closed-form head
on features. As in the papers, A learns from D_i^s's support set, L is measured on its query set.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import optimizers
from labkit.inputs import above_0, at_least_0, refused, whole
from labkit.meta import batched
from labkit.meta.heads import Function


class TaskBatch(NamedTuple):
    """Tasks D_i, the first axis counting them; one task's support and query share no example."""

    support_x: Tensor  # (tasks, n, ...)
    support_y: Tensor  # (tasks, n, ...)
    query_x: Tensor  # (tasks, m, ...)
    query_y: Tensor  # (tasks, m, ...)


Loss = Callable[[Tensor, Tensor], Tensor]  # one task's predictions and targets -> scalar
Algorithm = Callable[[Tensor, Tensor], Function]  # A(., theta): support x and y -> f


def objective(algorithm: Algorithm, tasks: TaskBatch, loss_fn: Loss) -> Tensor:
    """The mean over tasks of L(query_i, A(support_i, theta)): differentiable in theta.

    Raises ValueError for tensors that do not fit, FloatingPointError for a loss that is not finite.
    """
    check_tasks(tasks)
    functions = algorithm(tasks.support_x, tasks.support_y)  # f_i = A(D_i, theta)
    losses = total_loss(loss_fn, functions(tasks.query_x), tasks.query_y, "query_y")
    loss = losses / len(tasks.query_x)
    if not torch.isfinite(loss):
        raise FloatingPointError(
            f"the query loss became {loss.item()}: give finite support_x, support_y, query_x and "
            "query_y; if they are, A's steps diverge: lower inner_lr"
        )
    return loss


# Means over all numbers or rows, so that one call on all tasks is the mean of their losses.
MEANS = (F.mse_loss, F.l1_loss, F.smooth_l1_loss, F.huber_loss, F.binary_cross_entropy_with_logits)


def total_loss(loss_fn: Loss, predictions: Tensor, targets: Tensor, name: str) -> Tensor:
    """The sum over tasks of loss_fn(predictions[i], targets[i]). name: of the targets."""
    if loss_fn in MEANS and predictions.shape != targets.shape:
        accepted = f"{tuple(predictions.shape)}, as predicted"
        raise refused(name, f"shape {tuple(targets.shape)}", accepted)
    labels = loss_fn is F.cross_entropy and not targets.is_floating_point()
    if labels:
        check_labels(predictions, targets, name)
        targets = targets.long()
    # A label of -100 is left out of cross_entropy's mean, which then differs between tasks.
    if loss_fn in MEANS or (labels and targets.min() >= 0):
        return len(predictions) * loss_fn(predictions.flatten(0, 1), targets.flatten(0, 1))
    losses = [loss_fn(p, y) for p, y in zip(predictions, targets, strict=True)]
    if losses[0].dim():
        raise ValueError(f"loss_fn: returned shape {tuple(losses[0].shape)}, accepted: a scalar")
    return torch.stack(losses).sum()


# ------------------------------------------------ algorithms A


@dataclass(frozen=True)
class GradientDescent:
    """A(D, theta): `steps` steps of gradient descent on the support loss, from theta.

    theta is the parameters of `model` that require gradients. `first_order` treats the inner
    gradients as constants (FOMAML). With no steps, f_i is the model itself.
    """

    model: nn.Module
    lr: float
    steps: int
    loss_fn: Loss
    first_order: bool = False

    def __post_init__(self) -> None:
        whole("inner_steps", self.steps, 0)
        at_least_0("inner_lr", self.lr)
        batched.check_batchable(self.model)

    def __call__(self, support_x: Tensor, support_y: Tensor) -> Function:
        weights = self.path(support_x, support_y)[-1]
        return lambda x: batched.forward(self.model, weights, x)

    def path(
        self, support_x: Tensor, support_y: Tensor, start: batched.Weights | None = None
    ) -> list[batched.Weights]:
        """theta (or `start`), and each task's weights after every step: name -> (tasks, *shape)."""
        moving = [name for name, p in self.model.named_parameters() if p.requires_grad]
        if self.steps and not moving:
            raise ValueError("model: no parameter that can be adapted")
        with torch.enable_grad():  # an inner gradient is needed even where no outer one is
            path = [start or batched.stack_weights(self.model, len(support_x))]
            for _ in range(self.steps):
                weights = path[-1]
                # The sum over tasks has each task's own gradient: none's loss knows another's.
                predicted = batched.forward(self.model, weights, support_x)
                loss = total_loss(self.loss_fn, predicted, support_y, "support_y")
                gradients = torch.autograd.grad(
                    loss, [weights[name] for name in moving], create_graph=not self.first_order,
                    materialize_grads=True,
                )  # fmt: skip
                pairs = zip(moving, gradients, strict=True)
                moved = {n: torch.sub(weights[n], g, alpha=self.lr) for n, g in pairs}
                path.append({**weights, **moved})
        return path


# ------------------------------------------------ what is minimised, by name


def maml_loss(
    model: nn.Module,
    support_x: Tensor,
    support_y: Tensor,
    query_x: Tensor,
    query_y: Tensor,
    inner_lr: float,
    inner_steps: int,
    loss_fn: Loss,
    first_order: bool = False,
) -> Tensor:
    """MAML (Finn et al. 2017, eq. 1): the query loss after `inner_steps` steps, mean over tasks.

    The first axis of the tensors counts tasks. Differentiable in the parameters of any small
    `model` whose output is a tensor. Raises ValueError for BatchNorm in training mode, and what
    `objective` raises.
    """
    algorithm = GradientDescent(model, inner_lr, inner_steps, loss_fn, first_order)
    return objective(algorithm, TaskBatch(support_x, support_y, query_x, query_y), loss_fn)


def reptile_loss(
    model: nn.Module, x: Tensor, y: Tensor, inner_lr: float, inner_steps: int, loss_fn: Loss
) -> Tensor:
    """A loss whose gradient is Reptile's direction, theta - mean_i theta_i (Nichol et al. 2018).

    theta_i are the weights after `inner_steps` steps on x, y (tasks, n, ...), taken as constants.
    Raises ValueError and FloatingPointError as `maml_loss` does.
    """
    check_tasks(TaskBatch(x, y, x, y))
    adapted = GradientDescent(model, inner_lr, inner_steps, loss_fn, first_order=True).path(x, y)
    squares = [
        (parameter - adapted[-1][name].detach()).square().sum()
        for name, parameter in model.named_parameters()
    ]
    loss = torch.stack(squares).sum() / (2 * len(x))
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the inner steps diverged: lower inner_lr ({inner_lr})")
    return loss


def train(
    model: nn.Module,
    loss: Callable[[TaskBatch], Tensor],
    batches: Iterable[TaskBatch],
    lr: float,
    on_step: Callable[[int, float], None] | None = None,
    decay_steps: int | None = None,
) -> list[float]:
    """Adam on theta, a batch of tasks a step, where `labkit.training.train` takes labelled images.

    `decay_steps` lowers the rate to zero along a cosine of so many steps; `on_step(step, loss)` is
    called after each. Returns the losses. Raises ValueError for a rate that is not positive,
    FloatingPointError when the loss leaves the numbers.
    """
    above_0("lr", lr)
    optimizer = optimizers.Adam(model.parameters(), lr=lr)
    decay = decay_steps and torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, decay_steps)
    losses = []
    for step, tasks in enumerate(batches, 1):
        value = loss(tasks)
        if not torch.isfinite(value):
            raise FloatingPointError(f"the loss became {value.item()} at step {step}: lower a rate")
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if decay:
            decay.step()
        losses.append(value.item())
        if on_step is not None:
            on_step(step, losses[-1])
    return losses


def check_labels(logits: Tensor, labels: Tensor, name: str) -> None:
    """Raise ValueError for labels (tasks, n) that no column of logits (tasks, n, classes) is for.

    -100 is let pass: `F.cross_entropy` leaves it out.
    """
    if logits.dim() < 3:
        return
    beyond = (labels < 0) & (labels != -100) | (labels >= logits.shape[2])
    if beyond.any():
        accepted = f"0 to {logits.shape[2] - 1}, a column for each"
        raise refused(name, f"label {labels[beyond][0].item()}", accepted)


def check_tasks(tasks: TaskBatch) -> None:
    """Raise ValueError for tensors that do not count the same tasks and examples."""
    counts = {name: len(x) if x.dim() else 0 for name, x in tasks._asdict().items()}
    if len(set(counts.values())) > 1 or not counts["support_x"]:
        raise ValueError(f"first axes must count the same tasks, one or more; got {counts}")
    for side in ("support", "query"):
        x, y = (getattr(tasks, f"{side}_{axis}") for axis in "xy")
        if x.dim() < 2 or y.dim() < 2 or x.shape[1] != y.shape[1] or not x.shape[1]:
            raise ValueError(
                f"{side}_x {tuple(x.shape)} and {side}_y {tuple(y.shape)}: accepted (tasks, n, ...)"
                " with the same n above 0"
            )
