"""Run one small network with different weights for every task, all tasks at once.

An inner loop gives each task weights of its own, so that no layer can be called as usual. Known
layers have a version whose weights carry a leading task axis (a batched matrix product for Linear,
a grouped convolution for Conv2d). Any other module is called once for each task: right for every
module without side effects, recurrent ones too, but ten times slower on a processor.
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


def _run(module: nn.Module, weights: Weights, x: Tensor) -> Tensor:
    kind = type(module)  # exactly: a subclass may compute something else
    if module._forward_hooks or module._forward_pre_hooks:
        return _task_by_task(module, weights, x)
    if kind is nn.Sequential:
        for name, child in module._modules.items():  # named_children() leaves out what comes twice
            start = f"{name}."
            own = {key[len(start) :]: w for key, w in weights.items() if key.startswith(start)}
            x = _run(child, own, x)
        return x
    if kind in BY_EXAMPLE and not (kind is nn.Flatten and module.start_dim < 1):
        return module(x.flatten(0, 1)).unflatten(0, x.shape[:2])
    out = LAYERS[kind](module, weights, x) if kind in LAYERS else None
    return _task_by_task(module, weights, x) if out is None else out


def _task_by_task(module: nn.Module, weights: Weights, x: Tensor) -> Tensor:
    """Any module, one call after the other."""
    # Tied weights are given at every place; a module used twice is one place, for by two names
    # `functional_call` would leave a task's weights in it.
    places = [
        f"{path}.{name}" if path else name
        for path, part in module.named_modules()
        for name, _ in part.named_parameters(recurse=False, remove_duplicate=False)
    ]
    call = torch.func.functional_call
    outputs = [
        call(module, {name: weights[name][i] for name in places}, (one,), tie_weights=False)
        for i, one in enumerate(x)
    ]
    return torch.stack(outputs)


def _linear(layer: nn.Linear, weights: Weights, x: Tensor) -> Tensor:
    rows = x.reshape(len(x), -1, layer.in_features)  # (tasks, rows, in)
    transposed = weights["weight"].mT  # (tasks, in, out)
    if layer.bias is None:
        out = torch.bmm(rows, transposed)
    else:
        out = torch.baddbmm(weights["bias"][:, None], rows, transposed)
    return out.reshape(*x.shape[:-1], layer.out_features)


def _conv2d(layer: nn.Conv2d, weights: Weights, x: Tensor) -> Tensor | None:
    """A convolution whose groups are the tasks: their channels lie side by side in one image."""
    if layer.padding_mode != "zeros" or x.dim() != 5:
        return None
    side_by_side = x.transpose(0, 1).flatten(1, 2)  # (n, tasks * channels, h, w)
    out = F.conv2d(
        side_by_side, weights["weight"].flatten(0, 1),
        None if layer.bias is None else weights["bias"].flatten(),
        layer.stride, layer.padding, layer.dilation, len(x) * layer.groups,
    )  # fmt: skip
    return out.unflatten(1, (len(x), -1)).transpose(0, 1)  # (tasks, n, out, h, w)


def _norm(layer: nn.GroupNorm | nn.LayerNorm, weights: Weights, x: Tensor) -> Tensor:
    """Each picture or row alone; then each task's scale and shift, of its channels or of all."""
    if isinstance(layer, nn.LayerNorm):
        x, after = F.layer_norm(x, layer.normalized_shape, eps=layer.eps), 0
    else:
        normed = F.group_norm(x.flatten(0, 1), layer.num_groups, eps=layer.eps)
        x, after = normed.reshape(x.shape), x.dim() - 3  # axes behind the channels
    for name, w in weights.items():
        w = w.reshape(len(x), *[1] * (x.dim() - w.dim() - after), *w.shape[1:], *[1] * after)
        x = x * w if name == "weight" else x + w
    return x


LAYERS: dict[type, Callable[..., Tensor | None]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv2d,
    nn.GroupNorm: _norm,
    nn.LayerNorm: _norm,
}
# Without weights, and for every example alone.
BY_EXAMPLE = {
    nn.Identity, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus,
    nn.Dropout, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d,
}  # fmt: skip
