"""Tasks that one augmentation makes impossible: which colour, which shape, which way?

Concepts that only colour (hearts, circles, squares, books) or direction (arrows, hands) tells apart
were kept from every encoder: the traps of data/emoji/traps.csv. What pretraining was told to ignore
cannot be read from its features.
"""

from functools import cache

import pandas as pd
import torch
from torch import Generator, Tensor, nn

from labkit import data, sweeps
from labkit.augment import as_float
from labkit.inputs import check_choice
from labkit.statistics import Scores
from labkit.tasks import Examples, Task

QUESTIONS = ("shape", "colour", "direction")
# Encoders pretrained by SimCLR with colour augmentation, flips, both or neither.
WEIGHTS = {
    (color, flip): "simclr-" + ("-".join(["color"] * color + ["flip"] * flip) or "plain")
    for color in (False, True)
    for flip in (False, True)
}
TRAP_STYLES = data.COLOUR_STYLES + data.SHADED_STYLES  # black and white shows no colours


def trap_answers(question: str) -> dict[int, str]:
    """Concept position -> the right answer, for the traps that one of QUESTIONS can be asked of."""
    check_choice("question", (question,), QUESTIONS)
    kind = "direction" if question == "direction" else "colour"
    found = {place: trap for place, trap in data.traps().items() if trap.kind == kind}
    return {place: getattr(trap, question) for place, trap in found.items()}


def trap_task(question: str, seed: int) -> Task:
    """Tell the traps' shape, colour or direction in styles that were not learned from.

    `seed` draws three styles to learn in and one to validate in; the other four are the test.
    They share their concepts, so that nothing but the drawing is new. (Three of the styles lack a
    third of them: where one of these validates, fewer decide on rates and strengths.)
    """
    answers, styles = trap_answers(question), trap_styles(seed)
    names = tuple(dict.fromkeys(answers.values()))
    emoji = data.load(TRAP_STYLES, parts="trap").of(list(answers))

    def drawn_in(*some: str) -> Examples:
        part = emoji.drawn_in(*some)
        labels = [names.index(answers[place]) for place in part.concept.tolist()]
        return Examples(part.images, torch.tensor(labels))

    learned, validated, tested = (drawn_in(*s) for s in (styles[:3], styles[3:4], styles[4:]))
    return Task(f"which {question}?", names, learned, validated, tested, ood={})


def trap_styles(seed: int) -> list[str]:
    """All of them, drawn: three to learn in, one to validate in, four to be tested in."""
    order = torch.randperm(len(TRAP_STYLES), generator=Generator().manual_seed(seed)).tolist()
    return [TRAP_STYLES[i] for i in order]


@cache
class Pixels(nn.Module):
    """No pretraining at all: a thumbnail's pixels as features, to show that the answer is there."""

    def __init__(self, side: int = 8) -> None:
        super().__init__()
        self.side, self.dim = side, 3 * side**2

    def forward(self, images: Tensor) -> Tensor:
        small = nn.functional.adaptive_avg_pool2d(as_float(images), self.side)
        return small.flatten(1)  # (n, 3 * side ** 2)


def trap_scores(table: pd.DataFrame) -> pd.DataFrame:
    """data/sweeps/traps.csv: what a probe reads, by (question, weights): mean, low and high."""
    found = sweeps.intervals(table, "id", ["question", "weights"], method="probe")
    return found.loc[pd.MultiIndex.from_product([QUESTIONS, WEIGHTS.values()])]


def trap_chance(table: pd.DataFrame) -> pd.Series:
    """question -> the accuracy of always giving the most frequent answer."""
    return table.groupby("question")["chance"].mean().loc[list(QUESTIONS)]


def gain_without(table: pd.DataFrame, question: str, switch: int) -> Scores:
    """A probe's accuracy without an augmentation (switch 0: colour, 1: flips) less that with it.

    By seed, averaged over the encoders that differ in the other one.
    """
    off, on = ([WEIGHTS[k] for k in WEIGHTS if k[switch] == state] for state in (False, True))
    where = {"question": question, "method": "probe"}
    return sweeps.lead(table, "id", {"weights": off}, {"weights": on}, **where)
