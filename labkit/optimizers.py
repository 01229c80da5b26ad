"""torch's SGD, Adam and AdamW without its compiler.

Making one of torch's optimizers imports `torch._dynamo` and all that belongs to it: 822 modules in
torch 2.13, two seconds and 74 MB of every kernel that trains. It serves only to keep the compiler
away from a few methods, by wrappers round them, and nothing is compiled here. These classes have
the methods that are within the wrappers, so a step is torch's own, bit for bit.
"""

from inspect import unwrap
from typing import TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=type[Optimizer])


def without_compiler(kind: Kind) -> Kind:
    """A subclass of an optimizer whose steps import no compiler; a torch without wrappers is fine.

    It cannot be differentiated through (torch's `differentiable=True`).
    """
    methods = {name: unwrap(getattr(kind, name)) for name in ("add_param_group", "zero_grad")}
    return type(kind.__name__, (kind,), methods | {"step": torch.no_grad()(unwrap(kind.step))})


SGD, Adam, AdamW = map(without_compiler, (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW))
