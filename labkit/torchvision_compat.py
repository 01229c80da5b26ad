"""The one door to torchvision: import it even where its compiled operators do not load.

torchvision's ordinary Linux wheel is linked against CUDA. Beside a CPU-only torch its compiled
operators cannot load, and then `import torchvision` dies with "operator torchvision::nms does
not exist", although transforms, models and data sets never call such an operator. Declaring the
missing operators (a name and a signature, no code) is enough to import everything else.
"""

import importlib
import sys
from types import ModuleType

SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

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
    import torch

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # what the failed import left behind
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + SIGNATURE)
    _declared.append(library)
    return importlib.import_module("torchvision")
