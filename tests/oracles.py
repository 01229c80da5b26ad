"""Float64 values that other libraries computed, kept in tests/fixtures."""

from pathlib import Path

import numpy as np
import torch


def oracle(library: str, run: int, case: str) -> dict[str, torch.Tensor]:
    """ "in/..." and "out/..." of one case."""
    stored = np.load(Path(__file__).parent / f"fixtures/{library}.npz")
    start = f"{run}/{case}/"
    keys = [key for key in stored.files if key.startswith(start)]
    return {key.removeprefix(start): torch.from_numpy(np.array(stored[key])) for key in keys}
