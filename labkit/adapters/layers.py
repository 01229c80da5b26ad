"""The layers of parameter-efficient fine-tuning: a bottleneck, its place, and a low-rank change."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from labkit.inputs import finite, whole


class Bottleneck(nn.Module):
    """x + up(gelu(down(x))): an adapter (Houlsby et al. 2019, figure 2), at first almost x itself.

    (..., dim) -> (..., dim). Weights start from a normal distribution of standard deviation 1e-3
    truncated at two of them, biases at zero, as in the paper's code. `approximate="none"` is the
    exact GELU, which AdapterHub calls "gelu"; the paper's code approximates it with a tanh, here
    "tanh", which differs by less than 1e-3.
    """

    def __init__(
        self, dim: int, width: int, approximate: str = "none", generator: Generator | None = None
    ) -> None:
        super().__init__()
        whole("dim", dim, 1)
        whole("width", width, 1)
        self.approximate = approximate
        self.down, self.up = nn.Linear(dim, width), nn.Linear(width, dim)
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=1e-3, a=-2e-3, b=2e-3, generator=generator)
            nn.init.zeros_(linear.bias)

    def change(self, x: Tensor) -> Tensor:
        """What the adapter adds to x."""
        return self.up(F.gelu(self.down(x), approximate=self.approximate))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


class Adapted(nn.Module):
    """A layer of the network with an adapter after it, or beside it (`parallel`, He et al. 2022).

    It stands where the layer stood, so that the block adds its output to the residual stream.
    """

    def __init__(self, layer: nn.Module, adapter: Bottleneck, parallel: bool) -> None:
        super().__init__()
        self.layer, self.adapter, self.parallel = layer, adapter, parallel

    def forward(self, x: Tensor) -> Tensor:
        if self.parallel:
            return self.layer(x) + self.adapter.change(x)
        return self.adapter(self.layer(x))


class LoRALinear(nn.Module):
    """W x + b + alpha / rank * B A x, with W and b frozen (Hu et al. 2022, equation 3).

    (..., in) -> (..., out). A is (rank, in), drawn as nn.Linear draws; B is (out, rank) and starts
    at zero, so that nothing changes at first.
    """

    def __init__(
        self, linear: nn.Linear, rank: int, alpha: float, generator: Generator | None = None
    ) -> None:
        super().__init__()
        whole("rank", rank, 1)
        self.linear, self.scale = linear.requires_grad_(False), finite("alpha", alpha) / rank
        start = torch.empty(rank, linear.in_features)  # drawn where the generator is
        nn.init.kaiming_uniform_(start, a=math.sqrt(5), generator=generator)
        self.A = nn.Parameter(start.to(linear.weight))
        self.B = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.scale * F.linear(F.linear(x, self.A), self.B)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One linear layer that does the same: LoRA costs nothing once training is over."""
        linear = copy.deepcopy(self.linear)
        linear.weight += self.scale * self.B @ self.A
        return linear
