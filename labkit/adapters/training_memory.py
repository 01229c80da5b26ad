"""What a task costs while it trains: weights, gradients, the optimizer's state, activations."""

import copy
from collections.abc import Mapping

import pandas as pd
import torch
from torch import Generator, Tensor, nn

from labkit.adapters.methods import Method, insert
from labkit.adapters.storage_cost import MEGABYTE


def training_memory(encoder: nn.Module, method: Method, images: Tensor) -> dict[str, float]:
    """Megabytes that one step with Adam holds at its largest, for a batch of images.

    A trained number has a gradient and two moments. Activations are what autograd keeps for the
    backward pass, measured, without the weights themselves. `encoder` is left as it is.
    """
    network = insert(copy.deepcopy(encoder), method, Generator().manual_seed(0)).train()
    weights = {p.untyped_storage().data_ptr(): p for p in network.parameters()}
    kept: dict[int, int] = {}  # storage -> bytes, each counted once

    def keep(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return x

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x)
    with hooks, torch.enable_grad(), torch.random.fork_rng(devices=[]):  # dropout draws
        _graph = network(images)  # alive until here, so that no storage is used twice
    trained = sum(p.nbytes for p in weights.values() if p.requires_grad)
    held = sum(p.nbytes for p in weights.values()), trained, 2 * trained, sum(kept.values())
    names = ("weights", "gradients", "optimizer", "activations")
    return {name: size / MEGABYTE for name, size in zip(names, held, strict=True)}


def memory_table(encoder: nn.Module, methods: Mapping[str, Method], images: Tensor) -> pd.DataFrame:
    """A row for each method, with its total; megabytes."""
    table = pd.DataFrame({n: training_memory(encoder, m, images) for n, m in methods.items()}).T
    return table.assign(total=table.sum(axis=1))
