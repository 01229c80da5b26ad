"""Parameter-efficient fine-tuning: a few new weights in a frozen transformer, and taking them out.

A method is a small class: what it puts into a block (`into`), how many numbers that is
(`new_numbers`), and which of the network's own weights train beside it.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from labkit.adapters.layers import Adapted, Bottleneck, LoRAAttention, LoRALinear, Prompted, Wrapper
from labkit.adapters.parts import HALVES, Parts, parts_of
from labkit.inputs import check_choice, finite, refused, whole

TRAINS = ("nothing", "norms", "biases", "all")


@dataclass(frozen=True, kw_only=True)
class Method:
    """Train some of the network's own weights, and insert nothing; others add to this."""

    trains: str = "nothing"  # of the network itself: one of TRAINS
    width: int = 0  # of what is inserted into a block; 0: nothing is
    blocks: tuple[int, ...] | None = None  # that something is inserted into; None: all

    def __post_init__(self) -> None:
        check_choice("trains", (self.trains,), TRAINS)
        if type(self) is Method and self.width:
            raise refused("width", self.width, "0, or a kind that inserts")
        whole("width", self.width, int(type(self) is not Method))

    def into(
        self, block: nn.Module, encoder: nn.Module, parts: Parts, generator: Generator
    ) -> nn.Module:
        """The block with what is new in it, drawn from `generator`."""
        return block

    def new_numbers(self, dim: int) -> int:
        """How many numbers are new in one block."""
        return 0

    def with_width(self, width: int) -> "Method":
        """The same with another width, if it has one."""
        return replace(self, width=width) if self.width else self


@dataclass(frozen=True, kw_only=True)
class Adapters(Method):
    """Bottlenecks of some width (Houlsby et al. 2019); they, the layer norms and the head train."""

    trains: str = "norms"
    width: int = 8
    places: tuple[str, ...] = HALVES  # the halves of a block that get one
    parallel: bool = False  # beside its layer (He et al. 2022) instead of after it

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("places", self.places, HALVES)

    def into(self, block, encoder, parts, generator):
        for place in self.places:
            name = getattr(parts, place)
            adapter = Bottleneck(parts.dim_of(encoder), self.width, generator=generator)
            adapter.to(next(block.parameters()))
            setattr(block, name, Adapted(getattr(block, name), adapter, self.parallel))
        return block

    def new_numbers(self, dim: int) -> int:
        return len(self.places) * (2 * dim * self.width + dim + self.width)


@dataclass(frozen=True, kw_only=True)
class LoRA(Method):
    """Low-rank changes of the weights of queries and values (Hu et al. 2022); width is the rank."""

    width: int = 8
    alpha: float = 8.0

    def __post_init__(self) -> None:
        super().__post_init__()
        finite("alpha", self.alpha)

    def into(self, block, encoder, parts, generator):
        attention = getattr(block, parts.attention)
        if not parts.projections:
            lora = LoRAAttention(attention, self.width, self.alpha, generator)
            setattr(block, parts.attention, lora)
        for name in parts.projections:
            linear = getattr(attention, name)
            setattr(attention, name, LoRALinear(linear, self.width, self.alpha, generator))
        return block

    def new_numbers(self, dim: int) -> int:
        return 2 * (2 * dim * self.width)


@dataclass(frozen=True, kw_only=True)
class Prompts(Method):
    """New tokens before every block (VPT-deep, Jia et al. 2022), or the first (-shallow).

    Width is their number. Drawn from U(-b, b), b = sqrt(6 / (3 patch^2 + dim)), as in the paper's
    code: unlike what other methods insert, they change the output at once.
    """

    width: int = 8

    def into(self, block, encoder, parts, generator):
        dim, like = parts.dim_of(encoder), next(block.parameters())
        pixels = next(encoder.get_submodule(parts.patches).parameters())[0].numel()
        bound = (6 / (pixels + dim)) ** 0.5
        prompts = torch.empty(self.width, dim).uniform_(-bound, bound, generator=generator)
        return Prompted(block, prompts.to(like), parts.tokens_of(encoder), parts.class_tokens)

    def new_numbers(self, dim: int) -> int:
        return self.width * dim


METHODS = {
    "probe": Method(),
    "norms": Method(trains="norms"),
    "bitfit": Method(trains="biases"),  # Ben Zaken et al. 2022: every bias term
    "lora": LoRA(),
    "ffn-adapters": Adapters(places=("feed_forward",)),  # one a block, as Pfeiffer et al. 2021 do
    "parallel-adapters": Adapters(parallel=True),
    "adapters": Adapters(),
    "vpt-shallow": Prompts(blocks=(0,)),  # Jia et al. 2022
    "vpt-deep": Prompts(),
    "fine-tuning": Method(trains="all"),
}


class Inserted(NamedTuple):
    """What `remove` needs: the encoder carries it along, copies of the encoder their own copy."""

    method: Method
    requires_grad: dict[str, bool]
    values: dict[str, Tensor]  # of the network's own weights that train, as they were


def insert(encoder: nn.Module, method: Method, generator: Generator) -> nn.Module:
    """Make `encoder` train as `method` says (in place; returns it).

    encoder: a vision transformer, this lab's or torchvision's. Raises TypeError for no method,
    ValueError for another kind of encoder, one whose blocks share weights, a block that does not
    exist, or when something is inserted already. The output hardly changes yet (with prompts it
    does).
    """
    if not isinstance(method, Method):
        raise refused("method", repr(method), "a Method, such as METHODS['adapters']", TypeError)
    parts = parts_of(encoder)
    if inserted(encoder) is not None:
        raise ValueError("encoder: something is inserted already; `remove` it first")
    blocks = parts.blocks_of(encoder)
    if len(set(blocks)) < len(blocks):
        raise refused("encoder", "a block that is used several times", "each once")
    everything = range(len(blocks))
    chosen = everything if method.blocks is None else method.blocks
    if set(chosen) - set(everything) or len(set(chosen)) < len(chosen):
        raise refused("method.blocks", chosen, f"0 to {len(blocks) - 1}, each once")
    own, there = dict(encoder.named_parameters()), set(encoder.modules())
    flags = {name: parameter.requires_grad for name, parameter in own.items()}
    values = {n: own[n].detach().clone() for n in _trained_names(encoder, method.trains)}
    with torch.random.fork_rng(devices=[]):  # what layers draw is overwritten, by `generator`
        for number in chosen:
            blocks[number] = method.into(blocks[number], encoder, parts, generator)
    for name, parameter in own.items():  # now: LoRA freezes what it holds
        parameter.requires_grad_(name in values)
    for module in set(encoder.modules()) - there:
        module.training = encoder.training
    encoder.inserted = Inserted(method, flags, values)
    return encoder


def inserted(encoder: nn.Module) -> Inserted | None:
    """What `insert` did to this encoder; None if nothing is inserted."""
    return getattr(encoder, "inserted", None)


def _trained_names(encoder: nn.Module, trains: str) -> list[str]:
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
    _replace(encoder, lambda module: module.original)
    _require_gradients_as(before, encoder)
    for name, parameter in encoder.named_parameters():
        if name in before.values:
            parameter.copy_(before.values[name])
        parameter.grad = None
    del encoder.inserted
    return encoder


def merged(encoder: nn.Module) -> nn.Module:
    """A copy of `encoder` in which LoRA is part of the weights: no new modules, the same output."""
    if inserted(encoder) is None or not isinstance(inserted(encoder).method, LoRA):
        raise ValueError("encoder: only LoRA can be merged; a bottleneck is not linear")
    found = copy.deepcopy(encoder)
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
    found = copy.deepcopy(encoder)
    inside = parts_of(found).blocks_of(found)
    check_choice("blocks", blocks, range(len(inside)))
    for number in blocks:
        holder = nn.Sequential(inside[number])
        _replace(holder, lambda module: module.original)
        inside[number] = holder[0]
    return found


def _replace(network: nn.Module, by: Callable[[Wrapper], nn.Module]) -> None:
    """Put `by(module)` in the place of every module that `insert` has made."""
    for name, module in list(network.named_modules()):
        if isinstance(module, Wrapper):
            network.set_submodule(name, by(module))


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that train, by name."""
    return {name: p for name, p in module.named_parameters() if p.requires_grad}


def count(module: nn.Module) -> int:
    """How many numbers train."""
    return sum(parameter.numel() for parameter in trained(module).values())
