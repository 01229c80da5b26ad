"""What a task costs to keep: how many numbers each method stores, in closed form."""

from typing import NamedTuple

from labkit.adapters.methods import METHODS
from labkit.inputs import check_choice, whole

COMPARED = ("probe", "norms", "bitfit", "lora", "adapters", "fine-tuning")
MEGABYTE = 1e6


class Backbone(NamedTuple):
    """A transformer, as far as counting goes; its feed-forward layers are four times as wide."""

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
    """How many numbers one task stores, its head included; width: of what the method inserts."""
    check_choice("method", (method,), METHODS)
    chosen = METHODS[method].with_width(whole("width", width, 1))
    d, depth = backbone.dim, backbone.depth
    own = {
        "nothing": 0,
        "norms": depth * 4 * d + 2 * d,  # two a block and one at the end, each a scale and a shift
        # of six linear layers and two norms a block, of the last norm and of the patches
        "biases": depth * (4 * d + 4 * d + d + 2 * d) + 2 * d,
        "all": backbone.parameters,
    }[chosen.trains]
    blocks = depth if chosen.blocks is None else len(chosen.blocks)
    return own + blocks * chosen.new_numbers(d) + (d + 1) * backbone.classes


def megabytes(method: str, backbone: Backbone, width: int, tasks: int, precision: int) -> float:
    """What `tasks` tasks cost together, the shared backbone included, at `precision` bytes each.

    Full tuning keeps no shared backbone: every task has its own.
    """
    tasks, precision = whole("tasks", tasks, 1), whole("precision", precision, 1)
    stored = tasks * numbers(method, backbone, width)
    shared = 0 if METHODS[method].trains == "all" else backbone.parameters
    return precision * (shared + stored) / MEGABYTE
