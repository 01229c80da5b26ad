"""Notebook 02's table: five-way few-shot accuracy on concepts that no method was trained on.

    python -m labkit.meta.sweep          # eleven minutes of one core

Writes data/sweeps/fewshot_chosen.csv, what was chosen on validation concepts, and
data/sweeps/fewshot.csv, a row per test episode with every method's accuracy on it (so that methods
can be paired).
"""

from __future__ import annotations

from functools import cache
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import data, encoders, meta, transfer
from labkit.meta import fewshot
from labkit.sweep import Row, command_line

OUT = data.DATA / "sweeps"
EPISODES = {"validation": 50, "test": 600}  # 600 as the papers do
SEED = {"validation": 1, "test": 2}
WAYS, SHOTS = 5, (1, 5)
METHODS = ("maml", "maml_head", "prototypes", "clip_prototypes", "clip_logistic", "scratch")
STEPS, STRENGTHS = (1, 3), (0.1, 1.0, 10.0)
SCRATCH = ((0.1, 5), (0.4, 5), (0.1, 20))  # rate and steps; 60 steps are no better


def choices(method: str) -> tuple:
    """What is chosen on validation episodes."""
    if method.startswith("maml"):
        return STEPS
    return {"clip_logistic": STRENGTHS, "scratch": SCRATCH}.get(method, (None,))


def kind(method: str) -> str:
    """Which of the prepared inputs a method reads."""
    if method.startswith("clip"):
        return "clip"
    return {"prototypes": "meta-trained", "maml_head": "maml body"}.get(method, "images")


def algorithm(method: str, choice, model: nn.Module) -> meta.Algorithm:
    """A; frozen encoders have already done their work, and `model` is the identity for them."""
    if method == "clip_logistic":
        return meta.LogisticHead(model, choice)
    if method == "scratch":
        rate, steps = choice
        return meta.GradientDescent(model, rate, steps, F.cross_entropy, True)
    if method in ("maml", "maml_head"):  # the model, or its head on features of the body
        return fewshot.maml(model, choice)
    return meta.Prototypes(model)


@cache
def network(name: str) -> nn.Module:
    """The frozen encoder or the start of gradient descent that a method reads or adapts."""
    if name == "clip":
        return encoders.load("clip-conv").image
    if name == "scratch":
        return transfer.reinitialised(fewshot.network(24), torch.Generator().manual_seed(0))
    model = fewshot.load("prototypes" if name == "meta-trained" else "maml")
    if name == "maml":
        return model
    return model.head if name == "maml head" else model.body


def start(method: str) -> nn.Module:
    """What A starts from where images (or the body's features) are given: all else is prepared."""
    if method in ("maml", "scratch"):
        return network(method)
    return network("maml head") if method == "maml_head" else nn.Identity()


@cache
def prepare(part: str, method: str) -> data.Emoji:
    """The images of a part, or their features by a frozen encoder in their place."""
    emoji, name = data.load(parts=part), kind(method)
    if name == "images":
        return emoji
    images = emoji.images if name == "clip" else emoji.images / 255
    return data.Emoji(transfer.features(network(name), images), emoji.concept, emoji.style)


def accuracies(use: meta.Algorithm, emoji: data.Emoji, cell: Row, count: int, seed: int) -> Tensor:
    """(count,): the same episodes for every method, since the same seed draws them."""
    styles, shots = fewshot.SETTINGS[cell["setting"]], cell["shots"]
    queries = 1 if shots == 5 else 2  # six colour styles: five to learn from, one to ask about
    generator, parts = torch.Generator().manual_seed(seed), []
    for _ in range(count // 50):
        batch = fewshot.sample(emoji, 50, WAYS, shots, queries, generator, styles)
        parts.append(fewshot.accuracies(use, batch).detach())
    return torch.cat(parts)


@cache  # the test asks again
def choose(setting: str, shots: int) -> list[Row]:
    """What each method uses in one setting: the best choice on validation episodes."""
    torch.set_num_threads(1)
    cell, rows = {"setting": setting, "shots": shots}, []
    for method in METHODS:
        scored = {
            str(choice): measure(method, choice, "validation", cell).mean().item()
            for choice in choices(method)
        }
        best = max(scored, key=scored.get)
        found = {"options": len(scored), "chosen": best, "validation": f"{scored[best]:.4f}"}
        rows.append({"method": method, **found})
    return rows


def test(**cell) -> list[Row]:
    """Every method's accuracy on every test episode of one setting."""
    torch.set_num_threads(1)
    chosen = {row["method"]: row["chosen"] for row in choose(**cell)}
    columns = {}
    for method in METHODS:
        choice = next(c for c in choices(method) if str(c) == chosen[method])
        columns[method] = [f"{x:.4g}" for x in measure(method, choice, "test", cell).tolist()]
    return [
        {"episode": f"{episode:03}"} | {method: columns[method][episode] for method in METHODS}
        for episode in range(EPISODES["test"])
    ]


def measure(method: str, choice, part: str, cell: Row) -> Tensor:
    use = algorithm(method, choice, start(method))
    return accuracies(use, prepare(part, method), cell, EPISODES[part], SEED[part])


CELLS = [
    {"setting": setting, "shots": shots} for setting, shots in product(fewshot.SETTINGS, SHOTS)
]

if __name__ == "__main__":
    command_line(choose, CELLS, OUT / "fewshot_chosen.csv", __doc__)
    command_line(test, CELLS, OUT / "fewshot.csv", __doc__)
