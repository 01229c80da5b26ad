"""Notebook 02's table: five-way few-shot accuracy on concepts that no method was trained on.

    python data/sweep_fewshot.py          # about three minutes of one core

Writes data/sweeps/fewshot.csv, a row per test episode with every method's accuracy on it (so that
methods can be paired), and data/sweeps/fewshot_chosen.csv, what was chosen on validation concepts.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from labkit import data, encoders, fewshot, meta, transfer

OUT = data.DATA / "sweeps"
EPISODES, VALIDATION_EPISODES = 600, 100  # 600 as the papers do
WAYS, SHOTS = 5, (1, 5)
METHODS = ("maml", "maml_head", "prototypes", "clip_prototypes", "clip_logistic", "scratch")
STEPS, STRENGTHS = (1, 3, 10), (0.1, 1.0, 10.0)
SCRATCH = ((0.03, 30), (0.1, 30), (0.4, 30))  # rate and steps: more steps than MAML gets

Emoji = dict[str, data.Emoji]  # "images", or the features of a frozen encoder in their place


def choices(method: str) -> tuple:
    """What is chosen on validation episodes."""
    if method.startswith("maml"):
        return STEPS
    return {"clip_logistic": STRENGTHS, "scratch": SCRATCH}.get(method, (None,))


def kind(method: str) -> str:
    """Which of the prepared inputs a method reads."""
    if method.startswith("clip"):
        return "clip"
    return "meta-trained" if method == "prototypes" else "images"


def algorithm(method: str, choice, networks: dict[str, nn.Module]) -> meta.Algorithm:
    if method == "maml":
        return fewshot.maml(networks["maml"], choice)
    if method == "maml_head":
        return fewshot.maml(networks["maml"], choice, only="head")
    if method == "clip_logistic":
        return meta.LogisticHead(nn.Identity(), choice)
    if method == "scratch":
        rate, steps = choice
        return meta.GradientDescent(networks["scratch"], rate, steps, F.cross_entropy, True)
    return meta.Prototypes(nn.Identity())  # on features already computed


def prepare(part: str, networks: dict[str, nn.Module]) -> Emoji:
    """The images of a part, and their features by both frozen encoders."""
    emoji = data.load(parts=part)
    found = {"images": emoji}
    for name in ("clip", "meta-trained"):
        images = emoji.images if name == "clip" else emoji.images / 255
        features = transfer.features(networks[name], images)
        found[name] = data.Emoji(features, emoji.concept, emoji.style)
    return found


def accuracies(
    method: str, choice, emoji: Emoji, cell: tuple[str, int], count: int, networks, seed: int
) -> torch.Tensor:
    """(count,): the same episodes for every method, since the same seed draws them."""
    setting, shots = cell
    queries = 1 if shots == 5 else 2  # six colour styles: five to learn from, one to ask about
    generator = torch.Generator().manual_seed(seed)
    use, parts = algorithm(method, choice, networks), []
    for size in [50] * (count // 50):
        batch = fewshot.sample(
            emoji[kind(method)], size, WAYS, shots, queries, generator, fewshot.SETTINGS[setting]
        )
        parts.append(fewshot.accuracies(use, batch).detach())
    return torch.cat(parts)


def best(score: Callable[[object], float], options: tuple) -> tuple[object, float]:
    scored = [(option, score(option)) for option in options]
    return max(scored, key=lambda pair: pair[1])


def write(name: str, rows: list[dict]) -> None:
    path = OUT / name
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    Path(temporary).replace(path)


def main() -> None:
    torch.set_num_threads(1)
    networks = {
        "maml": fewshot.load("maml"),
        "meta-trained": fewshot.load("prototypes").body,
        "clip": encoders.load("clip-conv").image,
    }
    networks["scratch"] = transfer.reinitialised(networks["maml"], torch.Generator().manual_seed(0))
    validation, test = prepare("validation", networks), prepare("test", networks)
    rows: list[dict] = []
    chosen: list[dict] = []
    cells = list(product(fewshot.SETTINGS, SHOTS))
    bar = tqdm(total=len(cells) * len(METHODS))
    for cell in cells:
        scores = {}
        for method in METHODS:
            options = choices(method)
            choice, right = best(
                lambda option, method=method, cell=cell: accuracies(
                    method, option, validation, cell, VALIDATION_EPISODES, networks, seed=1
                ).mean().item(),
                options,
            )  # fmt: skip
            scores[method] = accuracies(method, choice, test, cell, EPISODES, networks, seed=2)
            chosen.append(
                {"setting": cell[0], "shots": cell[1], "method": method, "options": len(options),
                 "chosen": choice, "validation": f"{right:.4f}"}
            )  # fmt: skip
            bar.update()
        for episode in range(EPISODES):
            values = {m: f"{scores[m][episode].item():.4g}" for m in METHODS}
            rows.append({"setting": cell[0], "shots": cell[1], "episode": episode, **values})
        write("fewshot.csv", rows)
        write("fewshot_chosen.csv", chosen)


if __name__ == "__main__":
    main()
