"""Where a vision transformer keeps its parts: this lab's, and torchvision's (`vit_b_16`).

What is known of their names stands here, and nowhere else in the folder.
"""

from dataclasses import dataclass, replace

from torch import nn

from labkit.inputs import refused

HALVES = ("attention", "feed_forward")  # of a transformer block


@dataclass(frozen=True)
class Parts:
    """Names of parts: of the first five from the encoder, of the others from a block."""

    patches: str  # makes the patches' tokens
    position: str  # a parameter (..., tokens, dim)
    blocks: str
    norm: str  # the last one
    norm1: str
    attention: str
    norm2: str
    feed_forward: str
    projections: tuple[str, ...]  # in attention, of queries and values; (): of a packed weight
    class_tokens: int  # that stand before the patches; more tokens go in between

    def blocks_of(self, encoder: nn.Module) -> nn.Sequential:
        return encoder.get_submodule(self.blocks)

    def dim_of(self, encoder: nn.Module) -> int:
        return encoder.get_submodule(self.norm).normalized_shape[-1]

    def tokens_of(self, encoder: nn.Module) -> int:
        """How many tokens a block is given: patches, and class tokens."""
        return encoder.get_parameter(self.position).shape[-2]


THIS_LABS = Parts(
    "patches", "position", "blocks", "norm",
    "norm1", "attention", "norm2", "feed_forward", ("query", "value"), 0,
)  # fmt: skip
TORCHVISIONS = Parts(
    "conv_proj", "encoder.pos_embedding", "encoder.layers", "encoder.ln",
    "ln_1", "self_attention", "ln_2", "mlp", (), 1,
)  # fmt: skip


def parts_of(encoder: nn.Module) -> Parts:
    """The parts of a vision transformer, also inside `encoders.torchvision_encoder`.

    Raises ValueError for another kind of encoder.
    """
    known = {name for name, _ in encoder.named_modules()}
    known |= {name for name, _ in encoder.named_parameters()}
    for inside in ("", "backbone."):
        for parts in (THIS_LABS, TORCHVISIONS):
            outer = {
                n: inside + getattr(parts, n) for n in ("patches", "position", "blocks", "norm")
            }
            if known.issuperset(outer.values()):
                return replace(parts, **outer)
    accepted = "a vision transformer, this lab's or torchvision's"
    raise refused("encoder", f"a {type(encoder).__name__}", accepted)
