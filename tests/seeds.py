"""Generators and networks for what a test draws."""

from collections.abc import Callable

import torch


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seeded(make: Callable[[], torch.nn.Module], seed: int = 0) -> torch.nn.Module:
    """A network drawn from a seed, torch's own generator left where it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()
