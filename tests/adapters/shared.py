"""What the tests of adapters share: small networks, a small task, and what is the same in two."""

import copy
from functools import partial

import torch
from seeds import generator, seeded
from torch import nn

from labkit import adapters, tasks, training
from labkit.augment import as_float
from labkit.encoders import VisionTransformer
from labkit.torchvision_compat import import_torchvision


def small_encoder(seed: int = 0) -> VisionTransformer:
    make = partial(VisionTransformer, dim=16, depth=3, heads=2, patch=8, size=16)
    return seeded(make, seed).eval()


class Torchvisions(nn.Module):
    """torchvision's transformer, narrow, held as `encoders.torchvision_encoder` holds it.

    It has a class token, and one weight for all three projections of attention.
    """

    def __init__(self) -> None:
        super().__init__()
        kind = import_torchvision().models.VisionTransformer
        sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 32, "mlp_dim": 128}
        self.backbone = seeded(lambda: kind(16, 8, **sizes))
        self.backbone.heads, self.dim = nn.Identity(), 32
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.backbone(as_float(images))


ENCODERS = {"this lab's": small_encoder, "torchvision's": Torchvisions}


def tiny_task(size: int = 16) -> tasks.Task:
    return tasks.toy(size=size, ood={"other": tasks.toy(1, size=size).test})


def tuned(
    method: adapters.Method, encoder: nn.Module | None = None, seed: int = 0
) -> training.Classifier:
    """A few large steps, so that everything that trains has moved."""
    encoder = small_encoder() if encoder is None else encoder
    model = training.new_classifier(encoder, 3, generator(seed))
    adapters.insert(model.encoder, method, generator(seed))
    schedule = training.Schedule(steps=6, batch=8, optimizer="adam", record_every=0)
    return training.fit(model, tiny_task(), 0.02, generator(seed), schedule).model


def snapshot(encoder: nn.Module) -> tuple:
    """Weights, kinds of modules, their modes, and what asks for gradients."""
    return (
        copy.deepcopy(encoder.state_dict()),
        [(name, type(module), module.training) for name, module in encoder.named_modules()],
        {name: p.requires_grad for name, p in encoder.named_parameters()},
    )


def assert_same(one: tuple, two: tuple) -> None:
    assert list(one[0]) == list(two[0])
    assert all(torch.equal(x, two[0][name]) for name, x in one[0].items())
    assert one[1:] == two[1:]
