"""Notebook 04: the bottleneck, what trains, LoRA, counting and merging."""

from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import transfer
from labkit.adapters.methods import METHODS, insert, trained
from labkit.encoders import VisionTransformer
from labkit.exercise import NOTHING, checker, compare

DIM, WIDTH = 12, 3
VOLUMES = {  # alpha and rank -> the hint to an answer that no usual mistake explains
    (6.0, 2): "",
    (5.0, 3): "Yours is right for another alpha and rank: are both in your factor?",
}


def _normal(seed: int, *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]


def _copies(given: Iterable[Tensor]) -> list[Tensor]:
    """For a function that may work in place."""
    return [x.clone() for x in given]


@checker
def bottleneck(make: Callable[[int, int], nn.Module]) -> Iterator[str]:
    """Notebook 04: a module class, make(dim, width), with linear layers `down` and `up`."""
    yours, large = make(DIM, WIDTH), make(16 * DIM, 16 * WIDTH)
    for name, shape in (("down", (WIDTH, DIM)), ("up", (DIM, WIDTH))):
        layer = getattr(yours, name, None)
        if not isinstance(layer, nn.Linear):
            yield f"yours has no linear layer `self.{name}` yet: nn.Linear(inputs, outputs)."
        elif tuple(layer.weight.shape) != shape:
            yield (
                f"the weight of `{name}` is {tuple(layer.weight.shape)}, expected {shape}: `down` "
                "goes from dim to width, `up` back from width to dim."
            )
        elif layer.bias is None:
            yield f"`{name}` has no bias; the paper's have, and start at 0: nn.init.zeros_."
    yield from _start(yours)
    for name in ("down", "up"):
        weight = getattr(large, name).weight
        if weight.any() and (weight[0] == weight[1]).all():
            yield f"all rows of `{name}` start the same, so that they stay the same: draw them."
        if not 3e-4 < weight.std() < 3e-3:
            yield f"`{name}` starts with a standard deviation of {weight.std():.1g}, expected 1e-3."
    yield from _formula(yours)


def _start(yours: nn.Module) -> Iterator[str]:
    """Near the identity, but able to leave it."""
    (x,) = _normal(0, (4, 5, DIM))
    y = yours(x)
    if not isinstance(y, Tensor) or y.shape != x.shape:
        got = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        yield f"x is {tuple(x.shape)} and your output is {got}; expected the shape of x."
    size, gap = ((part.norm() / x.norm()).item() for part in (y, y - x))
    if size < 0.1:
        yield "your output is almost 0 at the start, expected almost x: add x itself (residual)."
    if gap > 0.01:
        yield (
            f"at the start your output differs from x by {gap:.0%} of its size, expected far below "
            "1 %: draw both weights with a standard deviation of 1e-3 and set the biases to 0."
        )
    if not (yours.down.weight.any() or yours.up.weight.any()):
        yield (
            "both weights start at exactly 0, so that neither gets a gradient through the other "
            "and nothing ever trains: draw them with a standard deviation of 1e-3."
        )
    if yours.down.bias.any() or yours.up.bias.any():
        yield "your biases do not start at 0: use nn.init.zeros_."


def _formula(yours: nn.Module) -> Iterator[str]:
    """Large random weights, where the formula shows; either form of GELU will do."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in yours.parameters():
            parameter.normal_(generator=generator)
    x = torch.randn(7, DIM, generator=generator).requires_grad_()
    y, down, up = yours(x), yours.down, yours.up
    expected = x + up(F.gelu(down(x)))
    if torch.allclose(y, expected, atol=0.05):
        inputs = {"`down.weight`": down.weight, "`up.weight`": up.weight, "x": x}
        yield from _gradients(y, expected, inputs)
        return
    usual = {
        "Yours leaves out x itself: the sum is what makes it harmless at first.": expected - x,
        "Yours has no nonlinearity.\nApply F.gelu between `down` and `up`.": x + up(down(x)),
        "Yours uses ReLU; the adapters of the paper use GELU.": x + up(F.relu(down(x))),
        "Yours applies GELU after `up`; it belongs between the two.": x + F.gelu(up(down(x))),
    }
    otherwise = "Follow x: down, bend, up, and what is added?\nIt is x + up(gelu(down(x)))."
    yield from compare(y, expected, usual, otherwise, "with larger weights ")


def _gradients(yours: Tensor, right: Tensor, inputs: dict[str, Tensor]) -> Iterator[str]:
    """What trains by your output, as it does by the right one."""
    if not yours.requires_grad:
        yield "the values are right, but nothing trains: what cuts your output off its weights?"
        return
    slopes = (
        torch.autograd.grad(y.sum(), list(inputs.values()), materialize_grads=True)
        for y in (yours, right)
    )
    for name, one, two in zip(inputs, *slopes, strict=True):
        if not torch.allclose(one, two, rtol=0.05, atol=0.05 * two.abs().max().item()):
            yield f"the values are right, but not the gradient in {name}: what cuts a way to it?"


WHY = {  # part of a parameter's name -> what is to be said of it, if nothing before fits
    ".adapter.": "Everything inside an adapter trains.",
    "head": "Each task has a head of its own.",
    "norm": "So do the layer norms, both in the blocks and the last one.",
    "up.": "The FFN has layers called `up` and `down` too: look for `.adapter.`.",
    "down.": "The FFN has layers called `up` and `down` too: look for `.adapter.`.",
    "": "Only adapters, layer norms and head train.",
}


@checker
def what_trains(function: Callable[[str], bool]) -> Iterator[str]:
    """Notebook 04: function(name) -> does the parameter of this name train with adapters?"""
    generator = torch.Generator().manual_seed(0)
    encoder = VisionTransformer(dim=8, depth=2, heads=2, patch=16)
    model = transfer.new_classifier(encoder, 3, generator)
    insert(model.encoder, METHODS["adapters"], generator)
    answers = {name: function(name) for name, _ in model.named_parameters()}
    if all(answer is None for answer in answers.values()):
        yield NOTHING
    for name, answer in answers.items():  # in the order of the network
        if bool(answer) != (name in trained(model)):
            both = ("is frozen", "it trains") if answer else ("trains", "it does not")
            why = next(why for part, why in WHY.items() if part in name)
            yield f"{name!r} {both[0]}, and yours says {both[1]}. {why}"


@checker
def lora(function: Callable) -> Iterator[str]:
    """Notebook 04: function(x, W, b, A, B, alpha) -> x W' + b + alpha / rank x A' B'."""
    for (alpha, rank), otherwise in VOLUMES.items():
        x, W, b, A, B = given = _normal(2, (5, 6), (4, 6), (4,), (rank, 6), (4, rank))
        plain, change = x @ W.T + b, x @ A.T @ B.T
        expected = plain + alpha / rank * change
        usual = {
            "That is the frozen layer alone: add the low-rank path.": plain,
            "A factor is missing.\nIt is alpha / rank; the rank is len(A).": plain + change,
            "Your factor is alpha.\nDivide it by the rank, len(A).": plain + alpha * change,
            "The frozen bias b is missing.": expected - b,
            "That is the low-rank path alone: add the frozen layer's output.": expected - plain,
        }
        yours, what = function(*_copies(given), alpha), f"alpha {alpha:g}, rank {rank}: "
        yield from compare(yours, expected, usual, otherwise, what)
    if isinstance(yours, Tensor):
        for part in (x, A, B):
            part.requires_grad_()
        expected = x @ W.T + b + alpha / rank * x @ A.T @ B.T
        yours = function(*_copies(given), alpha)
        yield from _gradients(yours, expected, {"A": A, "B": B, "x": x})


@checker
def merge(function: Callable) -> Iterator[str]:
    """Notebook 04: function(W, A, B, alpha) -> the one weight that does both."""
    for (alpha, rank), otherwise in VOLUMES.items():
        W, A, B = given = _normal(2, (4, 6), (rank, 6), (4, rank))
        expected = W + alpha / rank * B @ A
        usual = {
            "That is W alone.": W,
            "A factor is missing.\nIt is alpha / rank; the rank is len(A).": W + B @ A,
            "Your factor is alpha.\nDivide it by the rank, len(A).": W + alpha * B @ A,
            "That is the change alone: add W.": expected - W,
        }
        yours, what = function(*_copies(given), alpha), f"alpha {alpha:g}, rank {rank}: "
        yield from compare(yours, expected, usual, otherwise, what)


@checker
def count_adapters(function: Callable[[int, int, int], int]) -> Iterator[str]:
    """Notebook 04: function(dim, depth, width) -> numbers in all adapters, two a block."""
    for dim, depth, width in ((128, 6, 8), (128, 6, 64), (1024, 24, 64), (5, 1, 2)):
        expected = 2 * depth * (2 * dim * width + dim + width)
        usual = {
            "There are two adapters a block.": expected / 2,
            "What of the biases?\nAdd `width` and `dim` of them.": 4 * depth * dim * width,
            "That is one block; there are `depth` of them.": expected / depth,
            "That is one adapter; there are two in each of `depth` blocks.": expected / 2 / depth,
        }
        what = f"dim {dim}, depth {depth}, width {width}: "
        yield from compare(function(dim, depth, width), expected, usual, what=what, tolerance=1e-9)
