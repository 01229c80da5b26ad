"""The one door to torchvision: import it even where its compiled operators do not load.

torchvision's ordinary Linux wheel is linked against CUDA. Beside a CPU-only torch its compiled
operators cannot load, and then `import torchvision` dies with "operator torchvision::nms does
not exist", although transforms, models and data sets never call such an operator. Declaring the
missing operators (a name and a signature, no code) is enough to import everything else.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

MISSING_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_declared: list = []  # torch forgets a declaration once its Library object is collected


def import_torchvision() -> ModuleType:
    """Return the torchvision module, whatever torch it was built for.

    Where the compiled operators load, this is a plain import. Where they do not, detection
    operators (`torchvision.ops.nms` and its kind) raise when called; nothing else differs.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error) or "does not exist" not in str(error):
            raise
    _forget_failed_import()
    _declare_missing_operators()
    return importlib.import_module("torchvision")


def _forget_failed_import() -> None:
    """Drop the submodules that the failed import left behind, so that they are imported anew."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]


def _declare_missing_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in MISSING_SCHEMAS:
        if not hasattr(torch.ops.torchvision, schema.partition("(")[0]):
            library.define(schema)
    _declared.append(library)
