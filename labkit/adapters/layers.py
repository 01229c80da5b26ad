"""The layers of parameter-efficient fine-tuning: a bottleneck, its place, and a low-rank change."""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.func import functional_call

from labkit.inputs import finite, whole


class Wrapper(nn.Module):
    """What is inserted stands where a part stood and holds it; `remove` puts the part back."""

    held = "layer"  # the name of the part

    @property
    def original(self) -> nn.Module:
        return getattr(self, self.held)


class Bottleneck(nn.Module):
    """x + up(gelu(down(x))): an adapter (Houlsby et al. 2019, figure 2), at first almost x itself.

    (..., dim) -> (..., dim). Weights start from a normal distribution of standard deviation 1e-3
    truncated at two of them, biases at zero, as in the paper's code, whose GELU is approximated by
    a tanh, within 1e-3 of this one.
    """

    def __init__(self, dim: int, width: int, generator: Generator | None = None) -> None:
        super().__init__()
        whole("dim", dim, 1)
        whole("width", width, 1)
        self.down, self.up = nn.Linear(dim, width), nn.Linear(width, dim)
        for linear in (self.down, self.up):
            nn.init.trunc_normal_(linear.weight, std=1e-3, a=-2e-3, b=2e-3, generator=generator)
            nn.init.zeros_(linear.bias)

    def change(self, x: Tensor) -> Tensor:
        """What the adapter adds to x."""
        return self.up(F.gelu(self.down(x)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


class Adapted(Wrapper):
    """A layer of the network with an adapter after it, or beside it (`parallel`, He et al. 2022).

    It stands where the layer stood, so that the block adds its output to the residual stream. A
    layer may take more than x and return more than one tensor, as torch's attention does.
    """

    def __init__(self, layer: nn.Module, adapter: Bottleneck, parallel: bool) -> None:
        super().__init__()
        self.layer, self.adapter, self.parallel = layer, adapter, parallel

    def forward(self, x: Tensor, *others: Tensor, **options) -> Tensor | tuple:
        out = self.layer(x, *others, **options)
        y = out[0] if isinstance(out, tuple) else out
        y = y + self.adapter.change(x) if self.parallel else self.adapter(y)
        return (y, *out[1:]) if isinstance(out, tuple) else y


class LowRank(nn.Module):
    """alpha / rank * B A: the change of one weight (Hu et al. 2022, equation 3), zero at first.

    A is (rank, in), drawn as nn.Linear draws; B is (out, rank) and starts at zero.
    """

    def __init__(
        self, weight: Tensor, rank: int, alpha: float, generator: Generator | None
    ) -> None:
        super().__init__()
        whole("rank", rank, 1)
        self.scale = finite("alpha", alpha) / rank
        start = torch.empty(rank, weight.shape[1])  # drawn where the generator is
        nn.init.kaiming_uniform_(start, a=math.sqrt(5), generator=generator)
        self.A = nn.Parameter(start.to(weight))
        self.B = nn.Parameter(weight.new_zeros(len(weight), rank))

    def matrix(self) -> Tensor:
        """The change as a whole, (out, in)."""
        return self.scale * self.B @ self.A


class LoRALinear(LowRank, Wrapper):
    """W x + b + alpha / rank * B A x, with W and b frozen. (..., in) -> (..., out)."""

    held = "linear"

    def __init__(
        self, linear: nn.Linear, rank: int, alpha: float, generator: Generator | None = None
    ) -> None:
        super().__init__(linear.weight, rank, alpha, generator)
        self.linear = linear.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.scale * F.linear(F.linear(x, self.A), self.B)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One linear layer that does the same: LoRA costs nothing once training is over."""
        linear = copy.deepcopy(self.linear)
        linear.weight += self.matrix()
        return linear


class LoRAAttention(Wrapper):
    """LoRA on queries and values of torch's attention, whose three projections are one weight."""

    def __init__(
        self, layer: nn.MultiheadAttention, rank: int, alpha: float, generator: Generator | None
    ) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        query, _, value = layer.in_proj_weight.detach().chunk(3)
        self.query = LowRank(query, rank, alpha, generator)
        self.value = LowRank(value, rank, alpha, generator)

    def weight(self) -> Tensor:
        """The packed weight (3 dim, dim) with both changes in it."""
        query, key, value = self.layer.in_proj_weight.chunk(3)
        return torch.cat([query + self.query.matrix(), key, value + self.value.matrix()])

    def forward(self, *inputs: Tensor, **options) -> tuple[Tensor, Tensor | None]:
        return functional_call(self.layer, {"in_proj_weight": self.weight()}, inputs, options)

    @torch.no_grad()
    def merged(self) -> nn.MultiheadAttention:
        attention = copy.deepcopy(self.layer)
        attention.in_proj_weight.copy_(self.weight())
        return attention


class Prompted(Wrapper):
    """A block that sees learned tokens before the patches, in place of those of the block before.

    (n, tokens, dim) -> (n, prompts + tokens, dim), whether prompts came in or not.
    """

    def __init__(self, layer: nn.Module, prompts: Tensor, tokens: int, class_tokens: int) -> None:
        super().__init__()
        self.layer, self.prompts = layer, nn.Parameter(prompts)  # (prompts, dim)
        self.first, self.patches = class_tokens, tokens - class_tokens

    def forward(self, x: Tensor) -> Tensor:
        prompts = self.prompts.expand(len(x), -1, -1)
        return self.layer(torch.cat([x[:, : self.first], prompts, x[:, -self.patches :]], dim=1))
