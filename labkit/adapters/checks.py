"""Notebook 04: the bottleneck, what trains, LoRA, counting and merging."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import adapters, transfer
from labkit.encoders import VisionTransformer
from labkit.exercise import checker

NOTHING = "your function returns nothing; end it with `return`."
DIM, WIDTH = 12, 3


@checker
def bottleneck(make: Callable[[int, int], nn.Module]) -> Iterator[str]:
    """Notebook 04: a module class, make(dim, width), with linear layers `down` and `up`."""
    yours = make(DIM, WIDTH)
    for name, shape in (("down", (WIDTH, DIM)), ("up", (DIM, WIDTH))):
        layer = getattr(yours, name, None)
        if not isinstance(layer, nn.Linear):
            yield f"yours has no linear layer `self.{name}` yet: nn.Linear(inputs, outputs)."
            return
        if tuple(layer.weight.shape) != shape:
            yield (
                f"the weight of `{name}` is {tuple(layer.weight.shape)}, expected {shape}: `down` "
                "goes from dim to width, `up` back from width to dim."
            )
            return
    yield from _start(yours, make)
    yield from _formula(yours)


def _start(yours: nn.Module, make: Callable[[int, int], nn.Module]) -> Iterator[str]:
    """Near the identity, but able to leave it."""
    x = torch.randn(4, 5, DIM, generator=torch.Generator().manual_seed(0))
    y = yours(x)
    if not isinstance(y, Tensor) or y.shape != x.shape:
        got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        yield f"x is {tuple(x.shape)} and your output is {got}; expected the shape of x."
        return
    gap = ((y - x).norm() / x.norm()).item()
    if (y.norm() / x.norm()).item() < 0.1:
        yield "your output is almost 0 at the start, expected almost x: add x itself (residual)."
    elif gap > 0.01:
        yield (
            f"at the start your output differs from x by {gap:.0%} of its size, expected far below "
            "1 %: draw both weights with a standard deviation of 1e-3 and set the biases to 0."
        )
    if not (yours.down.weight.any() or yours.up.weight.any()):
        yield (
            "both weights start at exactly 0, so that neither gets a gradient through the other "
            "and nothing ever trains: draw them with a standard deviation of 1e-3."
        )
    drawn = make(16 * DIM, 16 * WIDTH)
    for name in ("down", "up"):
        weight = getattr(drawn, name).weight
        if weight.any() and (weight[0] == weight[1]).all():
            yield f"all rows of `{name}` start the same, so that they stay the same: draw them."
        if not 3e-4 < weight.std() < 3e-3:
            yield f"`{name}` starts with a standard deviation of {weight.std():.1g}, expected 1e-3."
    if yours.down.bias.any() or yours.up.bias.any():
        yield "your biases do not start at 0: use nn.init.zeros_."


@torch.no_grad()
def _formula(yours: nn.Module) -> Iterator[str]:
    """Large random weights, where the formula shows; either form of GELU will do."""
    generator = torch.Generator().manual_seed(1)
    for parameter in yours.parameters():
        parameter.normal_(generator=generator)
    x = torch.randn(7, DIM, generator=generator)
    y, down, up = yours(x), yours.down, yours.up
    expected = x + up(F.gelu(down(x)))
    if torch.allclose(y, expected, atol=0.05):
        return
    usual = {
        "Yours leaves out x itself: the sum is what makes it harmless at first.": expected - x,
        "Yours has no nonlinearity between `down` and `up`: apply F.gelu.": x + up(down(x)),
        "Yours uses ReLU; the adapters of the paper use GELU.": x + up(F.relu(down(x))),
        "Yours applies GELU after `up`; it belongs between the two.": x + F.gelu(up(down(x))),
    }
    hint = next((h for h, wrong in usual.items() if torch.allclose(y, wrong, atol=1e-4)), "")
    yield (
        f"with larger weights yours starts {y[0, 0]:.3f}, expected {expected[0, 0]:.3f} for "
        f"x + up(gelu(down(x))). {hint}"
    )


@checker
def what_trains(function: Callable[[str], bool]) -> Iterator[str]:
    """Notebook 04: function(name) -> does the parameter of this name train with adapters?"""
    generator = torch.Generator().manual_seed(0)
    encoder = VisionTransformer(dim=8, depth=2, heads=2, patch=16)
    model = transfer.new_classifier(encoder, 3, generator)
    adapters.insert(model.encoder, adapters.METHODS["adapters"], generator)
    expected = set(adapters.trained(model))
    answers = {name: function(name) for name, _ in model.named_parameters()}
    if all(answer is None for answer in answers.values()):
        yield NOTHING
        return
    yours = {name for name, answer in answers.items() if answer}
    for name in answers:  # in the order of the network
        if name in expected and name not in yours:
            yield f"{name!r} trains, and yours says it does not. {_why(name)}"
        if name in yours and name not in expected:
            yield f"{name!r} is frozen, and yours says it trains. {_why(name)}"


def _why(name: str) -> str:
    if ".adapter." in name:
        return "Everything inside an adapter trains."
    if name.startswith("head"):
        return "Each task has a head of its own."
    if "norm" in name:
        return "So do the layer norms, both in the blocks and the last one."
    if name.endswith(("up.weight", "up.bias", "down.weight", "down.bias")):
        return "The FFN has layers called `up` and `down` too: look for `.adapter.`."
    return "Only adapters, layer norms and head train."


def _close(one: Tensor, two: Tensor) -> bool:
    return one.shape == two.shape and torch.allclose(one, two, atol=1e-5)


def _layer() -> tuple[Tensor, ...]:
    """x (5, 6), W (4, 6), b (4,), A (2, 6), B (4, 2)."""
    generator = torch.Generator().manual_seed(2)
    shapes = ((5, 6), (4, 6), (4,), (2, 6), (4, 2))
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


@checker
def lora(function: Callable) -> Iterator[str]:
    """Notebook 04: function(x, W, b, A, B, alpha) -> x W' + b + alpha / rank x A' B'."""
    x, W, b, A, B = _layer()
    alpha, plain, change = 6.0, x @ W.T + b, x @ A.T @ B.T
    yours, expected = function(x, W, b, A, B, alpha), plain + alpha / 2 * change
    if yours is None:
        yield NOTHING
        return
    usual = {
        "That is the frozen layer alone: add the low-rank path.": plain,
        "The factor alpha / rank is missing; the rank is len(A).": plain + change,
        "Your factor is alpha; divide it by the rank, len(A).": plain + alpha * change,
        "The frozen bias b is missing.": expected - b,
        "That is the low-rank path alone: add the frozen layer's output.": alpha / 2 * change,
    }
    yield from _compare(torch.as_tensor(yours), expected, usual)


@checker
def merge(function: Callable) -> Iterator[str]:
    """Notebook 04: function(W, A, B, alpha) -> the one weight that does both."""
    _, W, _, A, B = _layer()
    alpha = 6.0
    yours, expected = function(W.clone(), A, B, alpha), W + alpha / 2 * B @ A
    if yours is None:
        yield NOTHING
        return
    usual = {
        "That is W alone.": W,
        "The factor alpha / rank is missing; the rank is len(A).": W + B @ A,
        "Your factor is alpha; divide it by the rank, len(A).": W + alpha * B @ A,
        "That is the change alone: add W.": expected - W,
    }
    yield from _compare(torch.as_tensor(yours), expected, usual)


def _compare(yours: Tensor, expected: Tensor, usual: dict[str, Tensor]) -> Iterator[str]:
    """One problem at most; `usual` maps a hint to what the mistake gives."""
    if _close(yours, expected):
        return
    hint = next((hint for hint, wrong in usual.items() if _close(yours, wrong)), "")
    if yours.shape != expected.shape:
        yield f"yours is {tuple(yours.shape)}, expected {tuple(expected.shape)}. {hint}"
    else:
        first, wanted = yours.flatten()[0], expected.flatten()[0]
        yield f"yours starts {first:.3f}, expected {wanted:.3f}. {hint}"


@checker
def count_adapters(function: Callable[[int, int, int], int]) -> Iterator[str]:
    """Notebook 04: function(dim, depth, width) -> numbers in all adapters, two a block."""
    for dim, depth, width in ((128, 6, 8), (128, 6, 64), (1024, 24, 64), (5, 1, 2)):
        yours = function(dim, depth, width)
        if yours is None:
            yield NOTHING
            return
        expected = 2 * depth * (2 * dim * width + dim + width)
        usual = {
            "There are two adapters a block.": expected / 2,
            "Count the biases too, `width` and `dim` of them.": 4 * depth * dim * width,
            "That is one block; there are `depth` of them.": expected / depth,
            "That is one adapter; there are two in each of `depth` blocks.": expected / 2 / depth,
        }
        hint = next((h for h, wrong in usual.items() if np.isclose(float(yours), wrong)), "")
        if yours != expected:
            yield (
                f"dim {dim}, depth {depth}, width {width}: yours {yours:,}, expected "
                f"{expected:,}. {hint}"
            )
