"""Notebook 03's comparison: what four encoders offer a linear probe, in each of the ten styles.

    python -m labkit.contrastive.sweep      # about two minutes

All encoders are `ConvEncoder(width=32)`, frozen. Probes learn from the six flat colour styles; a
seed draws the images, the same for every encoder, and the weights of the random one. All seeds are
tested on the same concepts, so the columns of hits say how each concept fared.
"""

from collections.abc import Mapping
from functools import cache

import pandas as pd
import torch

from labkit import data, encoders, evaluate, tasks, transfer
from labkit.sweeps import Experiment, Row, command_line, grid, intervals

SHOTS = (5, 50)  # few labels, and as many as the smallest class has
WEIGHTS = {"clip": "clip-conv", "simclr": "simclr-conv", "supervised": "supervised-conv"}
ENCODERS = (*WEIGHTS, "random")


def embedded_task(encoder: torch.nn.Module) -> tasks.Task:
    """The task with features in the place of images, computed once; `ood` holds all ten styles."""

    def embed(examples: tasks.Examples) -> tasks.Examples:
        return tasks.Examples(transfer.features(encoder, examples.images), examples.labels)

    task, emoji = tasks.style_shift(data.COLOUR_STYLES, ()), data.load(parts="test")
    tests = tasks.Examples(emoji.images, data.labels_of(emoji.concept))
    parts = map(embed, (task.train, task.validation, task.test))
    return tasks.Task(task.name, task.classes, *parts, ood={"all styles": embed(tests)})


@cache  # per process: the trained encoders are the same for all seeds
def trained_task(weights: str) -> tasks.Task:
    return embedded_task(encoders.load(weights).image)


def run(method: str, seed: int) -> list[Row]:
    """Probe the features of one encoder with each number of labels: ten accuracies."""
    if method in WEIGHTS:
        task = trained_task(WEIGHTS[method])
    else:
        generator = torch.Generator().manual_seed(seed)
        task = embedded_task(transfer.reinitialised(encoders.load("clip-conv").image, generator))
    rows = []
    for shots in SHOTS:
        few = tasks.few_shot(task, shots, torch.Generator().manual_seed(seed))
        fit = transfer.linear_probe(torch.nn.Identity(), few)
        scores = {"chosen": fit.chosen, "validation": fit.validation}
        told = evaluate.Recognised(transfer.features(fit.model, task.ood["all styles"].images))
        scores |= {style: told.accuracy(style) for style in data.STYLES}
        row = {"shots": shots} | {name: float(f"{x:.4g}") for name, x in scores.items()}
        rows.append(row | {f"{style}_hits": told.hits(style) for style in data.STYLES})
    return rows


def by_style(table: pd.DataFrame, shots: int) -> pd.DataFrame:
    """Accuracy with its interval over seeds: (style, method), CLIP's best style first."""
    found = {style: intervals(table, style, ["method"], shots=shots) for style in data.STYLES}
    best = sorted(data.STYLES, key=lambda style: -found[style].loc["clip", "mean"])
    return pd.concat({style: found[style].loc[list(ENCODERS)] for style in best})


def same_style(emoji: data.Emoji, models: Mapping[str, torch.nn.Module]) -> pd.DataFrame:
    """How often an image's nearest neighbour, by centred features, is drawn in its own style."""
    same = {}
    for name, encoder in models.items():
        features = transfer.features(encoder, emoji.images)
        centred = features - features.mean(dim=0)
        first, second = evaluate.nearest(centred, centred, 2).T
        # Itself, or of twins either.
        neighbour = second.where(first == torch.arange(len(first)), first)
        same[name] = (emoji.style[neighbour] == emoji.style).float().mean().item()
    return pd.Series(same).to_frame("nearest picture has the same style")


def probe_at(places: Mapping[str, torch.nn.Module], task: tasks.Task) -> pd.DataFrame:
    """Test accuracy of a linear probe on what each network gives, ID and averaged over OOD."""
    found = {}
    for name, network in places.items():
        last = transfer.moment(0, transfer.linear_probe(network, task).model, task)
        found[name] = {"ID": last.id, "OOD": sum(last.ood.values()) / len(last.ood)}
    return pd.DataFrame(found).T


CELLS = grid(method=ENCODERS, seed=range(5))
EXPERIMENT = Experiment("contrastive", run, CELLS, {"overlap": lambda _: tasks.test_concepts()})

if __name__ == "__main__":
    command_line(__doc__, EXPERIMENT)
