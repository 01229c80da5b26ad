"""Whether colours read on light and dark, and can be told apart with and without colour vision."""

import itertools
from collections.abc import Mapping

import numpy as np
from matplotlib.colors import to_rgb

BACKGROUNDS = ("#ffffff", "#111111")  # of JupyterLab's themes

# Machado, Oliveira & Fernandes 2009, severity 1, on linear light.
EYES = {
    "full colour vision": np.eye(3),
    "protanopia": np.array([
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]),
    "deuteranopia": np.array([
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]),
}  # fmt: skip


def linear(colour: str) -> np.ndarray:
    """sRGB to linear light (IEC 61966-2-1)."""
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(one: str, two: str) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    dark, light = sorted(linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, two))
    return (light + 0.05) / (dark + 0.05)


def lab(light: np.ndarray) -> np.ndarray:
    """Linear light to CIELAB under D65, where a distance of 2 or 3 can just be seen."""
    to_xyz = [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07218], [0.01933, 0.11919, 0.9503]]
    t = np.array(to_xyz) @ light.clip(0, 1) / [0.95047, 1, 1.08883]
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def check_looks(looks: Mapping) -> None:
    """Every look of one figure reads on both themes, and any two of them can be told apart.

    looks: method -> `labkit.looks.Look`.
    """
    for name, look in looks.items():
        assert min(contrast(look.color, background) for background in BACKGROUNDS) >= 3, name
    for one, two in itertools.combinations(looks, 2):
        assert all(a != b for a, b in zip(looks[one], looks[two], strict=True)), (one, two)
        for eyes, seen in EYES.items():
            a, b = (lab(seen @ linear(looks[name].color)) for name in (one, two))
            assert np.linalg.norm(a - b) >= 10, (one, two, eyes)
