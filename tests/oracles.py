"""What other libraries computed in float64, kept in tests/fixtures, and what plain loops do."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


def oracle(library: str, run: int, case: str) -> dict[str, Tensor]:
    """ "in/..." and "out/..." of one case."""
    stored = np.load(Path(__file__).parent / f"fixtures/{library}.npz")
    start = f"{run}/{case}/"
    keys = [key for key in stored.files if key.startswith(start)]
    return {key.removeprefix(start): torch.from_numpy(np.array(stored[key])) for key in keys}


def descend(model: nn.Module, x: Tensor, y: Tensor, lr: float, steps: int) -> nn.Module:
    """Torch's own gradient descent on the mean squared error, in place."""
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    return model


def plain_maml(model, tasks, lr: float, steps: int, loss_fn, first_order=False) -> Tensor:
    """MAML as the libraries write it: one task after another."""
    losses = []
    for sx, sy, qx, qy in zip(*tasks, strict=True):
        weights = dict(model.named_parameters())
        for _ in range(steps):
            loss = loss_fn(torch.func.functional_call(model, weights, (sx,)), sy)
            grads = torch.autograd.grad(loss, list(weights.values()), create_graph=not first_order)
            weights = {n: w - lr * g for (n, w), g in zip(weights.items(), grads, strict=True)}
        losses.append(loss_fn(torch.func.functional_call(model, weights, (qx,)), qy))
    return torch.stack(losses).mean()
