"""What one task adds to a shared backbone: its adapters, norms and head, as a small file.

weights = extract(model)          # all that trained, nothing else
save(weights, path); read(path)   # kilobytes
model = attach(backbone, weights) # the backbone now does this task; attach another to switch
"""

from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from labkit.adapters.methods import Method, insert, inserted, remove, trained
from labkit.adapters.parts import parts_of
from labkit.inputs import refused
from labkit.training import Classifier, blank_head
from labkit.weights import digest, parse_tensors, write_tensors


class TaskWeights(NamedTuple):
    """Everything that one task needs beside the backbone."""

    method: Method
    tensors: dict[str, Tensor]  # "encoder.blocks.0...", "head.weight", "head.bias"
    backbone: str  # digest of the frozen weights that they were trained with


def extract(model: Classifier) -> TaskWeights:
    """Copy what trained out of a classifier. Raises ValueError when nothing is inserted in it."""
    change = inserted(model.encoder)
    if change is None:
        raise ValueError("model: its encoder has nothing inserted (labkit.adapters.insert)")
    tensors = {name: p.detach().clone() for name, p in trained(model).items()}
    return TaskWeights(change.method, tensors, frozen_digest(model.encoder))


def frozen_digest(encoder: nn.Module) -> str:
    """SHA-256 of all parameters that do not train, in their order: what a task relies on."""
    frozen = [p for p in encoder.parameters() if not p.requires_grad]
    return digest({f"{i:04}": p.detach().contiguous() for i, p in enumerate(frozen)}, {})


def attach(encoder: nn.Module, weights: TaskWeights) -> Classifier:
    """Make `encoder` do this task (in place), instead of the one attached before.

    The backbone is not copied: only this task's tensors are. Raises ValueError, naming the tensor,
    when they do not fit this encoder, or for another backbone than they were trained with; then
    nothing is attached.
    """
    if inserted(encoder) is not None:
        remove(encoder)
    head = weights.tensors.get("head.weight")
    if head is None or head.ndim != 2:
        raise ValueError("weights: 'head.weight' is missing, accepted: (classes, dim)")
    dim = parts_of(encoder).dim_of(encoder)
    model = Classifier(encoder, blank_head(dim, len(head)).to(head))
    insert(encoder, weights.method, Generator().manual_seed(0))  # values follow below
    try:
        _copy_into(trained(model), weights.tensors)
        if (found := frozen_digest(encoder)) != weights.backbone:
            accepted = f"{weights.backbone[:12]}, with which these weights were trained"
            raise refused("encoder", f"a backbone with digest {found[:12]}", accepted)
    except ValueError:
        remove(encoder)
        raise
    return model.eval()


@torch.no_grad()
def _copy_into(places: dict[str, nn.Parameter], tensors: dict[str, Tensor]) -> None:
    accepted = {name: tuple(place.shape) for name, place in places.items()}
    given = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(accepted | given):
        if accepted.get(name) != given.get(name):
            shapes = f"got {given.get(name, 'none')}, accepted: {accepted.get(name, 'none')}"
            raise ValueError(f"weights: {name!r}: {shapes}")
    for name, place in places.items():
        place.copy_(tensors[name])


def save(weights: TaskWeights, path: Path) -> None:
    """Write a task's weights to a safetensors file; all of it or nothing."""
    method = {"kind": type(weights.method).__name__, **asdict(weights.method)}
    write_tensors(weights.tensors, {"method": method, "backbone": weights.backbone}, Path(path))


def read(path: Path) -> TaskWeights:
    """Read what `save` wrote. Raises ValueError, naming the file, for something else."""
    content = Path(path).read_bytes()
    kinds = {kind.__name__: kind for kind in (Method, *Method.__subclasses__())}
    try:
        about, tensors = parse_tensors(content)
        method = {n: tuple(x) if isinstance(x, list) else x for n, x in about["method"].items()}
        return TaskWeights(kinds[method.pop("kind")](**method), tensors, str(about["backbone"]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"path: {path} holds no task's weights ({error})") from error
