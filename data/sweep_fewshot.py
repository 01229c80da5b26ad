"""Notebook 02's table: five-way few-shot accuracy on concepts that no method was trained on.

    python data/sweep_fewshot.py          # two to three minutes of one core

Writes data/sweeps/fewshot.csv, a row per test episode with every method's accuracy on it (so that
methods can be paired), and data/sweeps/fewshot_chosen.csv, what was chosen on validation concepts.
Methods that the tables have already are kept: delete both files to measure everything anew.
"""

from __future__ import annotations

import argparse
import csv
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from labkit import data, encoders, fewshot, meta, transfer

OUT = data.DATA / "sweeps"
EPISODES, VALIDATION = 600, 50  # 600 as the papers do
WAYS, SHOTS = 5, (1, 5)
METHODS = ("maml", "maml_head", "prototypes", "clip_prototypes", "clip_logistic", "scratch")
STEPS, STRENGTHS = (1, 3), (0.1, 1.0, 10.0)
# Rate and steps. Twenty take four times as long, and were two points better on 50 validation
# episodes (one shot, within): no more than noise, and far from MAML.
SCRATCH = ((0.1, 5), (0.4, 5))

Cell = tuple[str, int]  # setting and shots
CELLS: list[Cell] = list(product(fewshot.SETTINGS, SHOTS))


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


def network(name: str) -> nn.Module:
    """The frozen encoder or the start of gradient descent that a method reads or adapts."""
    if name == "clip":
        return encoders.load("clip-conv").image
    if name == "scratch":
        return transfer.reinitialised(fewshot.network(24), torch.Generator().manual_seed(0))
    model = fewshot.load("prototypes" if name == "meta-trained" else "maml")
    return model if name == "maml" else model.body


def prepare(part: str, method: str) -> data.Emoji:
    """The images of a part, or their features by a frozen encoder in their place."""
    emoji, name = data.load(parts=part), kind(method)
    if name == "images":
        return emoji
    images = emoji.images if name == "clip" else emoji.images / 255
    return data.Emoji(transfer.features(network(name), images), emoji.concept, emoji.style)


def accuracies(use: meta.Algorithm, emoji: data.Emoji, cell: Cell, count: int, seed: int) -> Tensor:
    """(count,): the same episodes for every method, since the same seed draws them."""
    setting, shots = cell
    queries = 1 if shots == 5 else 2  # six colour styles: five to learn from, one to ask about
    generator, parts = torch.Generator().manual_seed(seed), []
    for _ in range(count // 50):
        batch = fewshot.sample(
            emoji, 50, WAYS, shots, queries, generator, fewshot.SETTINGS[setting]
        )
        parts.append(fewshot.accuracies(use, batch).detach())
    return torch.cat(parts)


def read(name: str) -> list[dict]:
    path = OUT / name
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(name: str, rows: list[dict]) -> None:
    path = OUT / name
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    Path(temporary).replace(path)


def run(method: str) -> tuple[list[str], list[dict]]:
    """A method's accuracy on every test episode, cell by cell, and what was chosen for it."""
    model = network(method) if method in ("maml", "scratch") else nn.Identity()
    model = network("maml").head if method == "maml_head" else model
    validation, test = (prepare(part, method) for part in ("validation", "test"))
    column, chosen = [], []
    for cell in CELLS:
        scored = [
            (accuracies(algorithm(method, c, model), validation, cell, VALIDATION, 1).mean(), c)
            for c in choices(method)
        ]
        right, choice = max(scored, key=lambda pair: pair[0])
        column += accuracies(algorithm(method, choice, model), test, cell, EPISODES, 2).tolist()
        chosen.append(
            {"method": method, "setting": cell[0], "shots": cell[1], "options": len(scored),
             "chosen": choice, "validation": f"{right.item():.4f}"}
        )  # fmt: skip
    return [f"{value:.4g}" for value in column], chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    torch.set_num_threads(1)
    rows = read("fewshot.csv") or [
        {"setting": setting, "shots": shots, "episode": episode}
        for (setting, shots), episode in product(CELLS, range(EPISODES))
    ]
    chosen = read("fewshot_chosen.csv")
    for method in tqdm(parser.parse_args().methods):
        if method in rows[0]:
            continue
        column, choice = run(method)
        rows = [row | {method: value} for row, value in zip(rows, column, strict=True)]
        chosen += choice
        write("fewshot.csv", rows)
        write("fewshot_chosen.csv", chosen)


if __name__ == "__main__":
    main()
