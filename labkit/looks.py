"""A method keeps its colour, marker and name in every figure of every notebook."""

from typing import NamedTuple


class Look(NamedTuple):
    """How a method is drawn."""

    name: str
    color: str
    marker: str


# Okabe & Ito's colour-blind-safe colours, those that read on white and on black.
LOOKS = {
    "scratch": Look("from scratch", "#707070", "s"),
    "probe": Look("linear probe", "#0078bb", "o"),
    "fine-tuning": Look("fine-tuning", "#d55e00", "^"),
    "lp-ft": Look("LP-FT", "#009e73", "D"),
    "wise-ft": Look("WiSE-FT", "#b0558f", "h"),
    "surgical": Look("surgical tuning", "#5757d9", "*"),
    "clip": Look("CLIP", "#6549f2", "v"),
    "simclr": Look("SimCLR", "#a65832", "P"),
    "supervised": Look("supervised", "#008aa6", "X"),
    "random": Look("random features", "#998a3d", "p"),
    "maml": Look("MAML", "#db5fe3", "<"),
    "reptile": Look("Reptile", "#62920c", ">"),
    "prototypes": Look("prototypes", "#bf2654", "d"),
    "joint": Look("joint training", "#a8879d", "8"),
    "adapters": Look("adapters", "#6e9d5d", "$\\mathbf{A}$"),
    "lora": Look("LoRA", "#936ffd", "$\\mathbf{L}$"),
    "bitfit": Look("BitFit", "#b67fc3", "$\\mathbf{B}$"),
    "norms": Look("layer norms", "#116e7b", "$\\mathbf{N}$"),
}
