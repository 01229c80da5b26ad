"""Notebook 04's exercise checks."""

import torch
import torch.nn.functional as F
from exercises import exercise_tests
from torch import nn

from labkit import adapters, checks


def make(forward, std: float = 1e-3, bias: float = 0.0, down=nn.Linear) -> type[nn.Module]:
    """A bottleneck class with this forward(x, down, up), and one thing that may be odd."""

    class Yours(nn.Module):
        def __init__(self, dim: int, width: int) -> None:
            super().__init__()
            self.down, self.up = down(dim, width), nn.Linear(width, dim)
            for layer in (self.down, self.up):
                nn.init.normal_(layer.weight, std=std)
                nn.init.constant_(layer.bias, bias)

        def forward(self, x):
            return forward(x, self.down, self.up)

    return Yours


def right(x, down, up):
    return x + up(F.gelu(down(x)))


class NoBias(nn.Module):
    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.down, self.up = (nn.Linear(*size, bias=False) for size in ((dim, width), (width, dim)))


class Constant(make(right)):
    def __init__(self, dim: int, width: int) -> None:
        super().__init__(dim, width)
        nn.init.constant_(self.down.weight, 1e-3)


def down_without_gradients(x, down, up):
    with torch.no_grad():
        inside = F.gelu(down(x))
    return x + up(inside)


def by_numpy(x, W, b, A, B, alpha):
    x, W, b, A, B = (z.numpy() for z in (x, W, b, A, B))
    return x @ (W + alpha / len(A) * B @ A).T + b


def lora_in_place(x, W, b, A, B, alpha):
    y = F.linear(x, W, b)
    y += alpha / B.shape[1] * F.linear(F.linear(x, A), B)
    return y


def merge_in_place(W, A, B, alpha):
    W += alpha / len(A) * B @ A
    return W


def names(name: str) -> bool:
    return ".adapter." in name or "norm" in name or name.startswith("head")


def count_by_torch(dim: int, depth: int, width: int) -> int:
    return 2 * depth * sum(p.numel() for p in adapters.Bottleneck(dim, width).parameters())


RIGHT = [
    (checks.bottleneck, adapters.Bottleneck),
    (checks.bottleneck, make(right)),
    (checks.bottleneck, make(lambda x, down, up: x + up(F.gelu(down(x), approximate="tanh")))),
    (checks.what_trains, names),
    (checks.lora, lambda x, W, b, A, B, alpha: x @ W.T + b + alpha / len(A) * x @ A.T @ B.T),
    (checks.lora, by_numpy),
    (checks.lora, lora_in_place),
    (checks.merge, lambda W, A, B, alpha: W + alpha / len(A) * B @ A),
    (checks.merge, merge_in_place),
    (checks.count_adapters, count_by_torch),
]
MISTAKES = {
    checks.bottleneck: {
        "start the same": Constant,
        "`down` has no bias": NoBias,
        "a standard deviation of 0.01": make(right, std=0.01),
        "no linear layer `self.down`": lambda dim, width: nn.Identity(),
        "the weight of `down` is": make(right, down=lambda d, w: nn.Linear(w, d)),
        "your output is almost 0": make(lambda x, down, up: up(F.gelu(down(x)))),
        "differs from x by": make(right, std=0.3),
        "nothing ever trains": make(right, std=0.0),
        "your biases do not start at 0": make(lambda x, d, u: x, bias=0.5),
        "It is x + up": make(lambda x, down, up: x - up(F.gelu(down(x)))),
        "no nonlinearity": make(lambda x, down, up: x + up(down(x))),
        "ReLU": make(lambda x, down, up: x + up(F.relu(down(x)))),
        "applies GELU after `up`": make(lambda x, down, up: x + F.gelu(up(down(x)))),
        "your output is (4, 5, 3)": make(lambda x, down, up: down(x)),
        "nothing trains": make(lambda x, down, up: right(x, down, up).detach()),
        "your output is NoneType": make(lambda x, down, up: None),
        "not the gradient in x": make(lambda x, down, up: right(x.detach(), down, up)),
        "the gradient in x": make(lambda x, down, up: x.detach() + up(F.gelu(down(x)))),
        "not the gradient in `down.weight`": make(down_without_gradients),
    },
    checks.what_trains: {
        "returns nothing": lambda name: None,
        "layer norms": lambda name: ".adapter." in name or name.startswith("head"),
        "Everything inside an adapter": lambda name: "norm" in name or name.startswith("head"),
        "head of its own": lambda name: ".adapter." in name or "norm" in name,
        "FFN has layers called": lambda name: names(name) or "up" in name or "down" in name,
        "Only adapters, layer norms": lambda name: True,
    },
    checks.lora: {
        "the frozen layer alone": lambda x, W, b, A, B, alpha: x @ W.T + b,
        "A factor is missing. It is alpha": lambda x, W, b, A, B, a: x @ W.T + b + x @ A.T @ B.T,
        "Your factor is alpha": lambda x, W, b, A, B, a: x @ W.T + b + a * x @ A.T @ B.T,
        "bias b is missing": lambda x, W, b, A, B, a: x @ W.T + a / len(A) * x @ A.T @ B.T,
        "the low-rank path alone": lambda x, W, b, A, B, a: a / len(A) * x @ A.T @ B.T,
        "yours has shape (5, 6), expected (5, 4)": lambda x, *_: x,
        "raised RuntimeError": lambda x, W, b, A, B, a: x @ W,
        "for another alpha and rank": lambda x, W, b, A, B, a: x @ W.T + b + 3 * x @ A.T @ B.T,
        "another alpha": lambda x, W, b, A, B, a: x @ W.T + b + a / 2 * x @ A.T @ B.T,
        "the gradient in A": lambda x, W, b, A, B, a: lora_in_place(x, W, b, A.detach(), B, a),
        "the gradient in x": lambda x, W, b, A, B, a: lora_in_place(x.detach(), W, b, A, B, a),
        "yours starts 0": lambda x, W, *_: torch.zeros(len(x), len(W)),
    },
    checks.merge: {
        "W alone": lambda W, A, B, alpha: W,
        "A factor is missing. It is": lambda W, A, B, alpha: W + B @ A,
        "Your factor is alpha": lambda W, A, B, alpha: W + alpha * B @ A,
        "the change alone": lambda W, A, B, alpha: alpha / len(A) * B @ A,
        "for another alpha and rank": lambda W, A, B, alpha: W + 3 * B @ A,
        "another alpha": lambda W, A, B, alpha: W + alpha / 2 * B @ A,
        "yours has shape (6, 4), expected (4, 6)": lambda W, A, B, alpha: (W + B @ A).T,
    },
    checks.count_adapters: {
        "two adapters a block": lambda d, n, w: n * (2 * d * w + d + w),
        "What of the biases? Add": lambda d, n, w: 4 * n * d * w,
        "That is one block": lambda d, n, w: 2 * (2 * d * w + d + w),
        "That is one adapter": lambda d, n, w: 2 * d * w + d + w,
        "yours is 7, expected": lambda *_: 7,
    },
}
test_right_answers_pass, test_stubs_never_pass, test_mistakes_are_named = exercise_tests(
    RIGHT, MISTAKES
)
