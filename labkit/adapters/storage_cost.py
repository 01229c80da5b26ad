"""What a task costs to keep: how many numbers each method stores, in closed form."""

from __future__ import annotations

from typing import NamedTuple

from labkit.inputs import check_choice, whole

METHODS = ("probe", "norms", "bitfit", "lora", "adapters", "fine-tuning")
MEGABYTE = 1e6


class Backbone(NamedTuple):
    """A transformer, as far as counting goes."""

    name: str
    parameters: int
    dim: int
    depth: int
    classes: int  # outputs of a task's head


BACKBONES = {
    "this lab's ViT": Backbone("ViT", 1_216_640, 128, 6, 12),
    "BERT-large (the paper's)": Backbone("BERT-large", 335_141_888, 1024, 24, 3),
}


def numbers(method: str, backbone: Backbone, width: int) -> int:
    """How many numbers one task stores, its head included.

    width: of the two bottlenecks a block, or the rank of LoRA on queries and values; the other
    methods do not depend on it. Biases are those of six linear layers a block, of the layer norms
    and of the embedding. Raises ValueError for an unknown method or a width below 1.
    """
    check_choice("method", (method,), METHODS)
    whole("width", width, 1)
    d, depth = backbone.dim, backbone.depth
    norms = depth * 4 * d + 2 * d  # two a block and one at the end, each a scale and a shift
    new = {
        "probe": 0,
        "norms": norms,
        "bitfit": depth * (4 * d + 4 * d + d + 2 * d) + 2 * d,
        "lora": depth * 2 * (2 * d * width),
        "adapters": depth * 2 * (2 * d * width + d + width) + norms,
        "fine-tuning": backbone.parameters,
    }
    return new[method] + (d + 1) * backbone.classes


def megabytes(method: str, backbone: Backbone, width: int, tasks: int, precision: int) -> float:
    """What `tasks` tasks cost together, the shared backbone included, at `precision` bytes each.

    Full tuning keeps no shared backbone: every task has its own.
    """
    tasks, precision = whole("tasks", tasks, 1), whole("precision", precision, 1)
    shared = 0 if method == "fine-tuning" else backbone.parameters
    return precision * (shared + tasks * numbers(method, backbone, width)) / MEGABYTE
