"""Notebook 06: the three-line proof as a picture, of the model that `theory` solves.

proof_model.js trains the same instances by the same steps as fast as a slider moves (a test
compares the two), so the picture needs no kernel. What it needs of an instance is small: in the
training span everything, outside of it only scalar products, since there features never move.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from labkit.looks import LOOKS
from labkit.lp_ft.scene import SHORT
from labkit.lp_ft.theory import draw_problem, simulate, span_of
from labkit.ui.alive import Alive

HERE = Path(__file__).parent
PARTS = ("canvas.js", "player.js", "proof_model.js", "proof.js", "proof_draw.js")
SCRIPTS = [HERE / name for name in PARTS]
TITLE = "The three lines as a picture: a two-layer linear model, trained as you drag"
SIZES = {"dim": 100, "rank": 2, "samples": 40, "subspace_dim": 20}  # two features: all can be seen
STEPS, SEEDS, FARTHEST = 500, 10, 1.4  # nearly orthogonal features
TRAINED = ("fine-tuning", "probe", "lp-ft")


def instance(seed: int) -> dict[str, Any]:
    """What the training and the picture need of one problem, as lists."""
    problem = draw_problem(**SIZES, feature_error=2**0.5, head_scale=1.0, seed=seed)
    ideal, other = problem.B_star, problem.B0  # at this error B0 is orthogonal to B*
    axes, moments = span_of(problem.X)
    outside = np.concatenate([x - x @ axes.T @ axes for x in (ideal, other)])  # (2k, d)
    parts = {
        "ideal": ideal @ axes.T, "other": other @ axes.T,  # (k, r) each
        "outside": outside @ outside.T,  # (2k, 2k)
        "moments": moments, "bestHead": problem.v_star, "firstHead": problem.v0,
    }  # fmt: skip
    return {name: x.tolist() for name, x in parts.items()}


@cache
def content() -> dict[str, Any]:
    return {
        "instances": [instance(seed) for seed in range(SEEDS)],
        "steps": STEPS,
        "farthest": FARTHEST,
        "methods": {m: {"name": SHORT[m], "color": LOOKS[m].color} for m in TRAINED},
    }


def theory() -> Alive:
    """Drag the features' error, the head's length and its rate; all is trained anew at once."""
    run = simulate(**SIZES, steps=STEPS)
    said = (
        "A two-layer linear model with perfect features and a random head. Errors end out of "
        f"distribution at {run.ft.ood_loss[-1] ** 0.5:.2f} for fine-tuning, which can never go "
        f"below {run.bound**0.5:.2f}, at {run.lp.ood_loss[-1] ** 0.5:.2f} for linear probing and "
        f"at {run.lp_ft.ood_loss[-1] ** 0.5:.2f} for LP-FT. Fine-tuning moves features by "
        f"{run.ft.moved_inside[-1]:.2f} inside the training span and by "
        f"{run.ft.moved_outside[-1]:.2f} outside."
    )
    return Alive(TITLE, SCRIPTS, HERE / "scene.css", content(), said)
