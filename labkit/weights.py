"""Tensors, and what they are, in one safetensors file that notices when it is damaged."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from labkit.files import replacing


def write_tensors(tensors: dict[str, Tensor], config: dict, path: Path) -> None:
    """Write tensors and their `config` to a safetensors file; all of it or nothing."""
    whole = {name: value.detach().contiguous() for name, value in tensors.items()}
    # One entry only: safetensors writes several in any order, and the same run the same bytes.
    text = json.dumps([config, digest(whole, config)])
    # Not its own save_file, whose error for a full disk is no OSError.
    content = save(whole, metadata={"config": text})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def parse_tensors(content: bytes) -> tuple[dict, dict[str, Tensor]]:
    """The configuration and the tensors of a file that `write_tensors` wrote.

    Raises ValueError for anything else, and for a file that was damaged since. (The older
    shipped weights have no digest within: data/checksums.txt has theirs.)
    """
    try:
        length = int.from_bytes(content[:8], "little")  # the format: length, JSON header, tensors
        about = json.loads(content[8 : 8 + length])["__metadata__"]
        found, tensors = json.loads(about["config"]), load(content)
        config, expected = found if isinstance(found, list) else (found, None)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"these are no tensors with a configuration: {error}") from error
    if isinstance(found, list) and expected != digest(tensors, config):
        raise ValueError("the tensors or their configuration are not those that were written")
    return config, tensors


def digest(tensors: dict[str, Tensor], config: dict) -> str:
    """SHA-256 of the configuration and of every name, type, shape and number."""
    found = hashlib.sha256(json.dumps(config).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()
