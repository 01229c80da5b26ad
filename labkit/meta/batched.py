"""Run one small network with different weights for every task, all tasks at once.

An inner loop gives each task weights of its own, so that no layer can be called as usual. Linear
layers become batched matrix products (twice as fast as by `vmap`), all else is mapped by `vmap`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from labkit.inputs import whole

Weights = dict[str, Tensor]  # name -> (tasks, *shape)


def stack_weights(model: nn.Module, tasks: int) -> Weights:
    """Every parameter of `model` repeated for each task, (tasks, *shape), without a copy."""
    tasks = whole("tasks", tasks, 1)
    return {name: p.expand(tasks, *p.shape) for name, p in model.named_parameters()}


def forward(model: nn.Module, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Run `model` with `weights` (tasks, *shape) on x (tasks, n, ...) -> (tasks, n, ...).

    Raises ValueError for a BatchNorm in training mode.
    """
    check_batchable(model)
    first = {p: name for name, p in model.named_parameters()}  # a shared one has several names
    everywhere = model.named_parameters(remove_duplicate=False)
    return _run(model, {name: weights[first[p]] for name, p in everywhere}, x)


def check_batchable(model: nn.Module) -> None:
    """Raise ValueError for a layer whose batch statistics would be updated by every task."""
    for name, module in model.named_modules():
        mixes = isinstance(module, _BatchNorm) or getattr(module, "track_running_stats", False)
        if isinstance(module, _NormBase) and module.training and mixes:
            raise ValueError(
                f"model: layer {name!r} is a {type(module).__name__} in training mode, whose "
                "running statistics all tasks would change; use GroupNorm or LayerNorm, or call "
                "model.eval()"
            )


ELEMENTWISE = {nn.Identity, nn.ReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus}


def _run(module: nn.Module, weights: Weights, x: Tensor) -> Tensor:
    kind = type(module)  # exactly: a subclass may compute something else
    if module._forward_hooks or module._forward_pre_hooks:
        return _mapped(module, weights, x)
    if kind is nn.Sequential:
        for name, child in module._modules.items():  # named_children() leaves out what comes twice
            start = f"{name}."
            own = {key[len(start) :]: w for key, w in weights.items() if key.startswith(start)}
            x = _run(child, own, x)
        return x
    if kind is nn.Linear and module.bias is not None and x.dim() == 3:
        return torch.baddbmm(weights["bias"][:, None], x, weights["weight"].mT)
    return module(x) if kind in ELEMENTWISE else _mapped(module, weights, x)


def _mapped(module: nn.Module, weights: Weights, x: Tensor) -> Tensor:
    """Any module: by `vmap`, or where it cannot (recurrent layers, branches) task by task."""
    # Tied weights are given at every place; a module used twice is one place, for by two names
    # `functional_call` would leave a task's weights in it.
    places = [
        f"{path}.{name}".lstrip(".")
        for path, part in module.named_modules()
        for name, _ in part.named_parameters(recurse=False, remove_duplicate=False)
    ]

    def call(own: Weights, x: Tensor) -> Tensor:
        return functional_call(module, own, (x,), tie_weights=False)

    try:
        return torch.vmap(call, randomness="different")({n: weights[n] for n in places}, x)
    except RuntimeError:
        calls = (call({n: weights[n][i] for n in places}, one) for i, one in enumerate(x))
        return torch.stack(list(calls))
