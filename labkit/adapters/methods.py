"""Parameter-efficient fine-tuning: a few new weights in a frozen transformer, and taking them out.

A `Method` says what is inserted into a vision transformer and which of its own weights train
beside it. `insert` changes a network in place, `remove` gives it back exactly as it was.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from labkit.adapters.layers import Adapted, Bottleneck, LoRALinear
from labkit.encoders import VisionTransformer
from labkit.inputs import check_choice, finite, whole

PLACES = ("attention", "feed_forward")  # the two halves of a transformer block


@dataclass(frozen=True)
class Method:
    """What is inserted into every chosen block, and which of the network's own weights train."""

    form: str = "serial"  # "serial" or "parallel" bottlenecks, "lora", or "none"
    width: int = 8  # of a bottleneck, or the rank of LoRA
    places: tuple[str, ...] = PLACES  # where a block gets a bottleneck
    blocks: tuple[int, ...] | None = None  # None: all
    trains: str = "norms"  # of the network itself: "nothing", "norms", "biases" or "all"
    alpha: float = 8.0  # of LoRA

    def __post_init__(self) -> None:
        check_choice("form", (self.form,), ("serial", "parallel", "lora", "none"))
        check_choice("places", self.places, PLACES)
        check_choice("trains", (self.trains,), ("nothing", "norms", "biases", "all"))
        whole("width", self.width, 1)
        finite("alpha", self.alpha)


METHODS = {
    "probe": Method("none", trains="nothing"),
    "norms": Method("none", trains="norms"),
    "bitfit": Method("none", trains="biases"),  # Ben Zaken et al. 2022: every bias term
    "lora": Method("lora", trains="nothing"),  # queries and values, as Hu et al. choose
    "ffn-adapters": Method(places=("feed_forward",)),  # one a block, as Pfeiffer et al. 2021 do
    "parallel-adapters": Method("parallel"),
    "adapters": Method(),  # Houlsby et al. 2019: two a block; adapters, layer norms and head train
    "fine-tuning": Method("none", trains="all"),
}


class Inserted(NamedTuple):
    """What `remove` needs: the encoder carries it along, copies of the encoder their own copy."""

    method: Method
    requires_grad: dict[str, bool]
    values: dict[str, Tensor]  # of the network's own weights that train, as they were


def insert(encoder: VisionTransformer, method: Method, generator: Generator) -> VisionTransformer:
    """Make `encoder` train as `method` says (in place; returns it). Its output hardly changes yet.

    Raises ValueError for another kind of encoder, a block that does not exist, or when something
    is inserted already.
    """
    if not isinstance(encoder, VisionTransformer):
        raise ValueError(f"encoder: got a {type(encoder).__name__}, accepted: a VisionTransformer")
    if inserted(encoder) is not None:
        raise ValueError("encoder: something is inserted already; `remove` it first")
    everything = tuple(range(len(encoder.blocks)))
    blocks = everything if method.blocks is None else method.blocks
    if set(blocks) - set(everything) or len(set(blocks)) < len(blocks):
        raise ValueError(f"method.blocks: got {blocks}, accepted: 0 to {everything[-1]}, each once")
    own = dict(encoder.named_parameters())
    flags = {name: parameter.requires_grad for name, parameter in own.items()}
    values = {n: own[n].detach().clone() for n in _trained_names(encoder, method.trains)}
    for name, parameter in own.items():
        parameter.requires_grad_(name in values)
    for number in blocks:
        _insert_into(encoder.blocks[number], encoder.dim, method, generator)
    encoder.inserted = Inserted(method, flags, values)
    return encoder


def inserted(encoder: nn.Module) -> Inserted | None:
    """What `insert` did to this encoder; None if nothing is inserted."""
    return getattr(encoder, "inserted", None)


def _insert_into(block: nn.Module, dim: int, method: Method, generator: Generator) -> None:
    device = next(block.parameters()).device
    if method.form == "lora":
        for name in ("query", "value"):
            linear = getattr(block.attention, name)
            lora = LoRALinear(linear, method.width, method.alpha, generator)
            setattr(block.attention, name, lora)
    elif method.form != "none":
        for place in method.places:
            adapter = Bottleneck(dim, method.width, generator=generator).to(device)
            adapted = Adapted(getattr(block, place), adapter, method.form == "parallel")
            setattr(block, place, adapted)


def _trained_names(encoder: nn.Module, trains: str) -> list[str]:
    """The names of the network's own parameters that train."""
    names = [name for name, _ in encoder.named_parameters()]
    if trains == "biases":
        return [name for name in names if name.endswith("bias")]
    if trains == "norms":
        norms = {n for n, module in encoder.named_modules() if isinstance(module, nn.LayerNorm)}
        return [name for name in names if name.rpartition(".")[0] in norms]
    return names if trains == "all" else []


@torch.no_grad()
def remove(encoder: nn.Module) -> nn.Module:
    """Undo `insert` and the training since then (in place; returns `encoder`).

    Modules, weights and what requires gradients are as before, bit for bit. Raises ValueError when
    nothing is inserted.
    """
    before = inserted(encoder)
    if before is None:
        raise ValueError("encoder: nothing is inserted")
    _replace(encoder, _original)
    _require_gradients_as(before, encoder)
    for name, parameter in encoder.named_parameters():
        if name in before.values:
            parameter.copy_(before.values[name])
        parameter.grad = None
    del encoder.inserted
    return encoder


def merged(encoder: nn.Module) -> nn.Module:
    """A copy of `encoder` in which LoRA is part of the weights: no new modules, the same output."""
    found = copy.deepcopy(encoder)
    if inserted(found) is None or found.inserted.method.form != "lora":
        raise ValueError("encoder: only LoRA can be merged; a bottleneck is not linear")
    _replace(found, lambda module: module.merged())
    _require_gradients_as(found.inserted, found)  # so that all of it can be tuned again
    del found.inserted
    return found


def _require_gradients_as(before: Inserted, network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(before.requires_grad[name])


def without(encoder: nn.Module, blocks: tuple[int, ...]) -> nn.Module:
    """A copy of `encoder` in which these blocks have lost what was inserted, and nothing else has.

    As Houlsby et al. (2019, figure 6) do after training, to see which adapters matter. Raises
    ValueError for a block that the encoder does not have.
    """
    check_choice("blocks", blocks, range(len(encoder.blocks)))
    found = copy.deepcopy(encoder)
    for number in blocks:
        _replace(found.blocks[number], _original)
    return found


def _original(module: Adapted | LoRALinear) -> nn.Module:
    return module.layer if isinstance(module, Adapted) else module.linear


def _replace(network: nn.Module, by: Callable[[nn.Module], nn.Module]) -> None:
    """Put `by(module)` in the place of every module that `insert` has made."""
    for name, module in list(network.named_modules()):
        if isinstance(module, (Adapted, LoRALinear)):
            network.set_submodule(name, by(module))


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that train, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def count(module: nn.Module) -> int:
    """How many numbers train."""
    return sum(parameter.numel() for parameter in trained(module).values())
