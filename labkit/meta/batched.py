"""Run one small network with different weights for every task, all tasks at once.

An inner loop gives each task weights of its own, so that no layer can be called as usual. Known
layers have a version whose weights carry a leading task axis (a batched matrix product for Linear,
a grouped convolution for Conv2d); anything else goes through `torch.func.vmap`, which is right for
every module without side effects but several times slower on a processor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
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
    if _shares_weights(model):  # one tensor under two names: let functional_call tie them
        return _by_vmap(model, weights, x)
    return _run(model, weights, x)


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


def _run(module: nn.Module, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    kind = type(module)  # exactly: a subclass may compute something else
    if _has_hooks(module):
        return _by_vmap(module, weights, x)
    if kind is nn.Sequential:
        for name, child in module._modules.items():  # named_children() leaves out what comes twice
            x = _run(child, _below(weights, name), x)
        return x
    if kind in ELEMENTWISE:
        return module(x)
    if kind in BY_EXAMPLE and not (kind is nn.Flatten and module.start_dim < 1):
        return module(x.flatten(0, 1)).unflatten(0, x.shape[:2])
    layer = LAYERS.get(kind)
    out = layer(module, weights, x) if layer else None
    return _by_vmap(module, weights, x) if out is None else out


def _linear(layer: nn.Linear, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    rows = x.reshape(len(x), -1, layer.in_features)  # (tasks, rows, in)
    transposed = weights["weight"].transpose(1, 2)  # (tasks, in, out)
    if layer.bias is None:
        out = torch.bmm(rows, transposed)
    else:
        out = torch.baddbmm(weights["bias"][:, None], rows, transposed)
    return out.reshape(*x.shape[:-1], layer.out_features)


def _conv2d(layer: nn.Conv2d, weights: Mapping[str, Tensor], x: Tensor) -> Tensor | None:
    """A convolution whose groups are the tasks: their channels lie side by side in one image."""
    if layer.padding_mode != "zeros" or x.dim() != 5:
        return None
    tasks, n = x.shape[:2]
    side_by_side = x.transpose(0, 1).reshape(n, -1, *x.shape[3:])  # (n, tasks * channels, h, w)
    bias = None if layer.bias is None else weights["bias"].flatten()
    out = F.conv2d(
        side_by_side, weights["weight"].flatten(0, 1), bias, layer.stride, layer.padding,
        layer.dilation, tasks * layer.groups,
    )  # fmt: skip
    return out.unflatten(1, (tasks, -1)).transpose(0, 1)  # (tasks, n, out, h, w)


def _group_norm(layer: nn.GroupNorm, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    out = F.group_norm(x.flatten(0, 1), layer.num_groups, eps=layer.eps).reshape(x.shape)
    if not layer.affine:
        return out
    shape = (len(x), 1, -1, *[1] * (x.dim() - 3))  # one scale and shift per task and channel
    return out * weights["weight"].reshape(shape) + weights["bias"].reshape(shape)


def _layer_norm(layer: nn.LayerNorm, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    out = F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    if not layer.elementwise_affine:
        return out
    shape = (len(x), *[1] * (x.dim() - 1 - len(layer.normalized_shape)), *layer.normalized_shape)
    out = out * weights["weight"].reshape(shape)
    return out if layer.bias is None else out + weights["bias"].reshape(shape)


LAYERS: dict[type, Callable] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.GroupNorm: _group_norm,
    nn.LayerNorm: _layer_norm,
}
# Without weights: every number alone, and every example alone.
ELEMENTWISE = {nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid,
               nn.Softplus, nn.Dropout}  # fmt: skip
BY_EXAMPLE = {nn.Flatten, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d}


def _by_vmap(module: nn.Module, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Any module: `vmap` over tasks of a functional call."""

    def one_task(weights: Weights, x: Tensor) -> Tensor:
        return torch.func.functional_call(module, weights, (x,))

    return torch.func.vmap(one_task, randomness="different")(dict(weights), x)


def _below(weights: Mapping[str, Tensor], name: str) -> Weights:
    """The weights of the child module called `name`, under the child's own names."""
    start = f"{name}."
    return {key[len(start) :]: w for key, w in weights.items() if key.startswith(start)}


def _shares_weights(model: nn.Module) -> bool:
    return len(list(model.named_parameters(remove_duplicate=False))) > len(
        list(model.named_parameters())
    )


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
