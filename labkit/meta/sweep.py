"""Notebook 02's long experiments: few-shot accuracies, and what is left of a sinusoid's error.

    python -m labkit.meta.sweep    # 13 minutes of one core

Or tables by name: fewshot_chosen (on validation), fewshot (on test), sinusoids.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from labkit import data, encoders, meta, tasks, transfer
from labkit.meta import fewshot, sinusoids
from labkit.sweeps import Experiment, Row, command_line, grid

# ------------------------------------------------ few-shot emoji

EPISODES = {"validation": 50, "test": 600}  # 600 as the papers do
SEED = {"validation": 1, "test": 2}
WAYS, SHOTS, CHUNK = 5, (1, 5), 50  # episodes at once


class Contestant(NamedTuple):
    """A method of the table."""

    algorithm: Callable[[Any], meta.Algorithm]  # of one of `choices`
    encoder: str = ""  # frozen: it is run once, and A is given its features for images
    choices: tuple = (None,)  # the best on validation episodes is used


def from_scratch(choice: tuple[float, int]) -> meta.Algorithm:
    model = transfer.reinitialised(fewshot.network(24), torch.Generator().manual_seed(0))
    return meta.GradientDescent(model, *choice, F.cross_entropy, True)


CONTENDERS = {
    "maml": Contestant(lambda steps: fewshot.maml(fewshot.load("maml"), steps), "", (1, 3)),
    "maml_head": Contestant(
        lambda steps: fewshot.maml(fewshot.load("maml").head, steps), "maml", (1, 3)
    ),
    "prototypes": Contestant(lambda _: meta.Prototypes(nn.Identity()), "prototypes"),
    "clip_prototypes": Contestant(lambda _: meta.Prototypes(nn.Identity()), "clip"),
    "clip_logistic": Contestant(
        lambda strength: meta.LogisticHead(nn.Identity(), strength), "clip", (0.1, 1.0, 10.0)
    ),
    # Rate and steps; 60 steps are no better.
    "scratch": Contestant(from_scratch, "", ((0.1, 5), (0.4, 5), (0.1, 20))),
}


@cache
def prepared(part: str, encoder: str) -> data.Emoji:
    """The images of a part, or their features in their place."""
    emoji = data.load(parts=part)
    if not encoder:
        return emoji
    if encoder == "clip":
        found = transfer.features(encoders.load("clip-conv").image, emoji.images)
    else:
        found = transfer.features(fewshot.load(encoder).body, emoji.images / 255)
    return data.Emoji(found, emoji.concept, emoji.style)


def episodes(part: str, encoder: str, setting: str, shots: int) -> list[tasks.Episode]:
    """The same for every encoder, as the same seed draws them."""
    queries = 1 if shots == 5 else 2  # six colour styles: five to learn from, one to ask about
    size = (WAYS, shots, queries, torch.Generator().manual_seed(SEED[part]))
    emoji, styles = prepared(part, encoder), fewshot.SETTINGS[setting]
    return [tasks.sample_episode(emoji, *size, *styles) for _ in range(EPISODES[part])]


def measure(method: str, choice: Any, part: str, setting: str, shots: int) -> Tensor:
    """(episodes,): accuracies of a method, with one of its choices."""
    use = CONTENDERS[method]
    algorithm, drawn = use.algorithm(choice), episodes(part, use.encoder, setting, shots)
    chunks = (fewshot.stack(drawn[at : at + CHUNK]) for at in range(0, len(drawn), CHUNK))
    return torch.cat([fewshot.accuracies(algorithm, chunk).detach() for chunk in chunks])


def choose(setting: str, shots: int) -> list[Row]:
    """What each method uses in one setting: the best choice on validation episodes."""
    rows = []
    for method, use in CONTENDERS.items():
        found = [measure(method, c, "validation", setting, shots).mean() for c in use.choices]
        best = int(torch.stack(found).argmax())
        chosen = {"options": len(found), "chosen": str(use.choices[best])}
        rows.append({"method": method, **chosen, "validation": round(found[best].item(), 4)})
    return rows


def test(setting: str, shots: int) -> list[Row]:
    """Every method's accuracy on every test episode, a row each, and the episode's concepts."""
    drawn = episodes("test", "", setting, shots)
    columns = {"concepts": [" ".join(map(str, e.concepts.tolist())) for e in drawn]}
    for row in choose(setting, shots):
        method = row["method"]
        choice = next(c for c in CONTENDERS[method].choices if str(c) == row["chosen"])
        right = measure(method, choice, "test", setting, shots).tolist()
        columns[method] = [float(f"{x:.4g}") for x in right]
    rows = zip(*columns.values(), strict=True)
    return [{"episode": i, **dict(zip(columns, row, strict=True))} for i, row in enumerate(rows)]


# ------------------------------------------------ sinusoids

RANGES = {"inside": sinusoids.TRAINED, "outside": sinusoids.Sines((5.0, 8.0), (3.14, 6.28))}


def adapt(seed: int, method: str) -> list[Row]:
    """The mean squared error after 0 to 5 steps on 200 new tasks, from the trained range and not.

    By how theta was chosen in 600 steps of meta-training.
    """
    model, rows = sinusoids.meta_train(method, 600, seed), []
    for name, sines in RANGES.items():
        new = sinusoids.sample(200, 10, 50, torch.Generator().manual_seed(1000 + seed), sines)
        errors = sinusoids.errors_after(model, new, 5).mean(dim=1).tolist()
        rows.append({"range": name} | {f"k{k}": float(f"{e:.4g}") for k, e in enumerate(errors)})
    return rows


FEW_SHOT = grid(setting=fewshot.SETTINGS, shots=SHOTS)
SEEDS = grid(seed=range(5), method=sinusoids.THETAS)
EXPERIMENTS = (
    Experiment("fewshot_chosen", choose, FEW_SHOT),
    Experiment("fewshot", test, FEW_SHOT),
    Experiment("sinusoids", adapt, SEEDS, {"overlap": lambda _: ()}),  # independent runs
)

if __name__ == "__main__":
    command_line(__doc__, *EXPERIMENTS)
