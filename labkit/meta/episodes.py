"""Notebook 02: a few-shot episode, to be guessed before the model answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch

from labkit import data, encoders, meta, plots, tasks
from labkit.meta import fewshot
from labkit.ui.panel import Panel, panel


class Episode(NamedTuple):
    """One few-shot task as pictures, and what the model answered (if it may say)."""

    support: np.ndarray  # (ways, shots, 3, 64, 64) uint8
    query: np.ndarray  # (queries, 3, 64, 64)
    answers: list[str]  # letters, the truth
    guesses: list[str]  # letters, the model's
    names: list[str]  # of the concepts
    marks: list[str]  # what stands under each query
    title: str
    revealed: bool


Answer = Callable[[meta.TaskBatch, int], torch.Tensor]  # episode, steps -> labels (queries,)
WAYS, QUERIES, VIEWER_STEPS = 5, 2, 10


def episode_models() -> dict[str, Answer]:
    """Name -> how it answers an episode: the lab's encoder, and the meta-trained networks."""
    clip, maml = encoders.load("clip-conv").image, fewshot.load("maml")
    meta_trained = fewshot.load("prototypes").body

    def by(algorithm: meta.Algorithm) -> Answer:
        return lambda batch, steps: _labels(algorithm, batch)

    def by_maml(batch: meta.TaskBatch, steps: int) -> torch.Tensor:
        return _labels(fewshot.maml(maml, steps), batch)

    return {
        "MAML": by_maml,
        "prototypes, meta-trained": by(meta.Prototypes(meta_trained)),
        "prototypes, pretrained encoder": by(meta.Prototypes(clip)),
        "logistic head, pretrained encoder": by(meta.LogisticHead(clip)),
    }


def _labels(algorithm: meta.Algorithm, batch: meta.TaskBatch) -> torch.Tensor:
    logits = algorithm(batch.support_x, batch.support_y)(batch.query_x)
    return logits[0].argmax(dim=1)


def compute_episode(
    emoji: tuple[data.Emoji, data.Emoji],
    answer: Answer,
    model: str,
    episode: int,
    shots: int,
    setting: str,
    steps: int,
    reveal: bool,
) -> Episode:
    """Draw an episode twice, at 32 pixels for the model and at 64 for the reader."""
    small, large = (
        tasks.sample_episode(
            part, WAYS, shots, _queries(shots, setting), torch.Generator().manual_seed(episode),
            *fewshot.SETTINGS[setting],
        )
        for part in emoji
    )  # fmt: skip
    order = torch.randperm(
        len(small.query.labels), generator=torch.Generator().manual_seed(episode)
    )
    batch = fewshot.stack([small._replace(query=small.query.at(order))])
    letters = np.array(list("ABCDE"))
    guesses, answers = letters[answer(batch, steps)], letters[small.query.labels[order]]
    who = f"{model}, {steps} steps" if model == "MAML" else model
    right = int((guesses == answers).sum())
    title = f"{who}: {right} of {len(answers)} right" if reveal else f"You first, then {who}"
    ticks = np.where(guesses == answers, "✓ ", "✗ ")
    marks = [t + g if reveal else "?" for t, g in zip(ticks, guesses, strict=True)]
    return Episode(
        large.support.images.unflatten(0, (WAYS, shots)).numpy(),
        large.query.images[order].numpy(),
        answers.tolist(),
        guesses.tolist(),
        [data.concepts()[c].name for c in small.concepts.tolist()],
        marks,
        title,
        reveal,
    )


def _queries(shots: int, setting: str) -> int:
    """Five shots within the six colour styles leave one drawing to ask about."""
    return 1 if setting == "within" and shots > 4 else QUERIES


def describe_episode(result: Episode) -> str:
    named = zip("ABCDE", result.names, strict=True)
    shown = ", ".join(f"{letter} {name}" for letter, name in named)
    base = f"{result.title}. Classes: {shown}."
    if not result.revealed:
        return f"{base} {len(result.query)} queries wait for your guess."
    pairs = zip(result.guesses, result.answers, strict=True)
    return f"{base} Answers and truth: {', '.join(f'{g} for {a}' for g, a in pairs)}."


def episode_viewer() -> Panel:
    """Draw a support set, see the queries, guess, then let a model answer."""
    emoji = data.load(parts="test"), data.load(parts="test", size=64)
    models = episode_models()

    def compute(model: str, **values) -> Episode:
        return compute_episode(emoji, models[model], model, **values)

    return panel(
        compute,
        plots.draw_episode,
        describe_episode,
        size=(7, 6.6),
        title="Five concepts nobody has seen: guess before the model does",
        model=list(models),
        episode=ipywidgets.IntSlider(0, 0, 99, description="Episode"),
        shots=ipywidgets.IntSlider(1, 1, 5, description="Shots"),
        setting=ipywidgets.Dropdown(
            options={"within flat colour styles": "within", "colour to black and white": "across"},
            description="Styles",
        ),
        steps=ipywidgets.IntSlider(3, 0, VIEWER_STEPS, description="MAML's steps"),
        reveal=ipywidgets.Checkbox(False, description="Let the model answer"),
    )
