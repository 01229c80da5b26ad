"""Notebook 07: honest intervals, the planted leak, and advice that says its numbers."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import torch

from labkit.advice import first_try
from labkit.exercise import NOTHING, checker, compare
from labkit.looks import LOOKS
from labkit.statistics import Scores, mean_interval

NEAR = 0.05  # what the pairs of `pictures_with_a_leak` are below, and no others
NEARER = 0.02  # and all but SPOTTED
SPOTTED = (4, 17)


@checker
def honest_interval(function: Callable) -> Iterator[str]:
    """Notebook 07: function(scores, overlap) -> (mean, low, high) of re-split tests, 95 %."""
    rng = np.random.default_rng(0)
    for n, overlap in ((4, 0.25), (10, 0.2), (6, 0.0)):
        scores = rng.normal(0.7, 0.05, n)
        mean, one = scores.mean(), scores.std(ddof=1) * np.array([0, -1, 1])
        mistakes = {
            "The splits share test images, and you count them as independent.\nNadeau & Bengio: "
            "1 / n becomes 1 / n + overlap / (1 - overlap).": mean_interval(scores, 0),
            "You took 1.96, as of many splits; few have wider tails.\nThe factor is "
            "`t.ppf(0.975, n - 1)` of scipy.stats.": (
                mean + 1.96 * one * np.sqrt(1 / n + overlap / (1 - overlap))
            ),
            "That is the spread of one split's score, not how sure their mean is.": mean + one,
        }
        otherwise = (
            "How sure is the mean of few numbers that are not independent?\nIts error is the "
            "standard deviation (ddof=1) times the root of 1 / n + overlap / (1 - overlap)."
        )
        yours, what = function(scores.copy(), overlap), f"{n} splits that share {overlap:.0%}: "
        yield from compare(yours, mean_interval(scores, overlap), mistakes, otherwise, what)


def pictures_with_a_leak() -> tuple[torch.Tensor, set[tuple[int, int]]]:
    """Random pictures (20, 3, 16, 16) uint8, five of them twice: as it is, noisy, mirrored.

    One of the five has a spot on its copy; and one picture is another's in all but a twentieth,
    one in other colours.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(20, 230, (20, 3, 16, 16), generator=generator)
    pairs = {(0, 15): 0, (3, 16): 0, (4, 17): 5, (7, 18): 0, (9, 19): 5}
    for (one, two), noise in pairs.items():
        images[two] = images[one].flip(2) if two >= 18 else images[one]
        images[two] += torch.randint(-noise, noise + 1, images[two].shape, generator=generator)
    images[17, :, 3, 3] = 255 - images[17, :, 3, 3]
    altered = torch.rand(images[2].shape, generator=generator) < 0.05
    images[14] = torch.where(altered, 255 - images[2], images[2])  # their mean difference is small
    images[13] = images[5].roll(1, 0)
    return images.byte(), set(pairs)


@checker
def planted_leak(function: Callable) -> Iterator[str]:
    """Notebook 07: function(images, threshold) -> pairs (a, b), a < b, of one picture."""
    images, expected = pictures_with_a_leak()
    if (found := function(images.clone(), NEAR)) is None:
        yield NOTHING
    try:
        yours = {(int(a), int(b)) for a, b in found}
    except (TypeError, ValueError, RuntimeError):
        yield f"yours is {type(found).__name__}, expected pairs of row numbers, such as (3, 16)."
    extra, missing = yours - expected, expected - yours
    if any(a >= b for a, b in extra):
        yield "yours has a picture beside itself, or a pair both ways round: keep those with a < b."
    if extra == {(5, 13)}:
        yield "yours takes pictures 5 and 13 for one: what of their colours? Compare every channel."
    if extra:
        yield (
            f"yours has {len(extra)} pairs too many, such as {min(extra)}: two pictures.\nTake the "
            "root of the mean square of the difference, with pixels from 0 to 1, as floats."
        )
    if missing and missing <= {(7, 18), (9, 19)}:
        yield (
            f"yours misses {sorted(missing)}: look at the two side by side. In which direction do "
            "they look?\nCompare with `images.flip(3)` too."
        )
    if missing:
        yield (
            f"yours misses {sorted(missing)}: no two of their pixels need be equal, yet it is one "
            "picture.\nTake the root of the mean square of the difference, and pairs up to it."
        )
    nearer = {(int(a), int(b)) for a, b in function(images.clone(), NEARER)}
    if nearer != expected - {SPOTTED}:
        yield f"yours is right for another threshold, {NEAR}, but not for {NEARER}: is it used?"


@checker
def advice(function: Callable) -> Iterator[str]:
    """Notebook 07: function(scores) -> advice in words: the method, its accuracy, the interval.

    A text may compare methods: the first that it names is the one that it advises.
    """
    rng, luck = np.random.default_rng(0), np.random.default_rng(1).normal(0, 0.03, 8)
    means = {
        "luck": {"probe": 0.70, "lp-ft": 0.708, "fine-tuning": 0.66},
        "clear": {"probe": 0.52, "lp-ft": 0.61, "fine-tuning": 0.58},
    }
    for case in means.values():
        scores = {
            m: Scores(x + luck + rng.normal(0, 0.004, 8), tuple(range(8)), 0.2)
            for m, x in case.items()
        }
        text, first = function(dict(scores)), first_try(scores)
        if text is None:
            yield NOTHING
        if not isinstance(text, str):
            yield f"yours is a {type(text).__name__}, expected a paragraph of text."
        named = {m: text.lower().find(LOOKS[m].name.lower()) for m in scores}
        if min((m for m in scores if named[m] >= 0), key=named.get, default="") != first:
            told = ", ".join(f"{LOOKS[m].name} {x.mean:.1%}" for m, x in scores.items())
            yield (
                f"({told}): the method that yours names first is not {LOOKS[first].name}. Which is "
                "the least change that nothing is clearly ahead of?\n"
                "That is `advice.first_try(scores)`."
            )
        text = re.sub(r"\.\.+|[–—]", "-", text)  # "60..64 %" and "60 – 64 %" are "60-64 %"
        numbers = {int(x) for x in re.findall(r"(?<![\d.])\d+(?!\.?\d)", text)}
        wanted = [round(100 * x) for x in scores[first].interval]
        if wanted[0] not in numbers:
            yield f"yours does not say how often {LOOKS[first].name} is right: {wanted[0]} %."
        if not set(wanted) <= numbers:
            yield (
                f"yours says {wanted[0]} %, and not how sure that is.\nThe ends of its interval "
                f"are {wanted[1]} % and {wanted[2]} %: `.low` and `.high`."
            )
        yield from _exchanged(text, LOOKS[first].name, *wanted)


def _exchanged(text: str, name: str, mean: int, low: int, high: int) -> Iterator[str]:
    """Whether an interval in words, "60 to 64 %", has the mean as an end.

    A text may also say all three in a row, or give no interval as such.
    """

    def spans(one: int, two: int) -> bool:
        return bool(re.search(rf"\b{one} ?%? ?(-|to|and) ?{two}\b", text))

    if spans(low, high) or spans(low, mean) == spans(mean, high):
        return
    end, given = ("low", low) if spans(mean, high) else ("high", high)
    yield (
        f"in yours the {end} end, {given} %, is given as how often {name} is right: which of the "
        "three numbers is the mean, and which are the ends?"
    )
