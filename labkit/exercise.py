"""What a check is: it runs the reader's function, shows yours beside expected, never raises.

Each returns an `Outcome`, which is true when the exercise is solved, so that a solution notebook
can assert it. A stub that does nothing is never right. A hint comes in stages, a line each: the
first says where to look, and never the formula; the next is for those who meet it once more.
"""

import html
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NOTHING = "your function returns nothing; end it with `return`."
OTHERS = (str(Path(__file__).parent), sys.prefix, sys.base_prefix)  # code that is not the reader's
OUTCOMES = "LABKIT_OUTCOMES"  # in the environment: the file where `python -m labkit check` looks


class Outcome(NamedTuple):
    """Whether an exercise is solved, and what to tell the reader."""

    passed: bool
    message: str
    more: bool = False  # whether the same mistake gets another hint next time

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return ("✓ " if self.passed else "✗ ") + self.message

    def _repr_html_(self) -> str:
        """A box whose tint and text read on any background."""
        mark, word, tint = ("✓", "Solved", "46, 160, 67") if self.passed else (
            "✎", "Not yet", "217, 146, 0")  # fmt: skip
        said = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(self.message))
        more = "<br><em>Check it once more for a further hint.</em>" * self.more
        return (
            f'<div role="status" style="padding: 10px 14px; border-left: 6px solid rgb({tint}); '
            f'border-radius: 4px; background: rgba({tint}, 0.15)"><strong>{mark} {word}:</strong> '
            f"{said}{more}</div>"
        )


def checker(problems: Callable[..., Iterator[str]]) -> Callable[..., Outcome]:
    """Turn a generator of problems into a check: the first problem is the hint, none is a pass."""
    met: dict[str, int] = {}  # further hints -> how often their mistake was made in this process

    def check(*arguments) -> Outcome:
        try:
            problem = next(problems(*arguments), None)
        except Exception as error:  # the reader's code failed: show where, do not stop the notebook
            problem = told(error)
        first, *further = (problem or "That is right.").split("\n")
        shown = met.get("".join(further), 0)
        met["".join(further)] = shown + 1
        message = " ".join([first, *further[:shown]])
        outcome = Outcome(problem is None, message, shown < len(further))
        if path := os.environ.get(OUTCOMES):  # a grader is waiting
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps([problems.__name__, *outcome[:2]]) + "\n")
        return outcome

    check.__doc__, check.__name__, check.met = problems.__doc__, problems.__name__, met
    return check


def told(error: Exception) -> str:
    """In one line what was raised, and where in the reader's own code; else by what it returned."""
    frames = [(x.filename, x.line) for x in traceback.extract_tb(error.__traceback__)]
    own = [line for n, line in frames if not n.startswith(OTHERS) and "site-packages" not in n]
    said = f"{type(error).__name__}: " + " ".join(str(error).split())
    if own:
        return f"your function raised {said} (line: {own[-1]})"
    return f"what your function returns cannot be checked ({said})."


def compare(
    yours: Any,
    expected: Any,
    mistakes: Mapping[str, Any],
    otherwise: str = "",
    what: str = "",
    tolerance: float = 1e-4,
) -> Iterator[str]:
    """One problem at most: yours beside what is expected, and the hint that fits.

    yours, expected: numbers, arrays or tensors. mistakes: hint -> what the mistake it names gives;
    `otherwise` is the hint where none of them fits. what: of what this is, at the beginning.
    """
    if yours is None:
        yield NOTHING
        return
    try:
        given, right = plain(yours), plain(expected)
    except (TypeError, ValueError):
        yield f"{what}your function returns {yours!r}, expected {shown(expected)}."
        return
    if close(given, right, tolerance):
        return
    fitting = (hint for hint, wrong in mistakes.items() if close(given, plain(wrong), tolerance))
    hint = next(fitting, otherwise)
    hint = hint[:1].upper() + hint[1:]  # a sentence of its own
    said = f"yours {shown(yours)}, expected {shown(expected).removeprefix('is ')}"
    if given.shape != right.shape:
        said = f"yours has shape {given.shape}, expected {right.shape}"
    yield f"{what}{said}. {hint}".rstrip()


def plain(values: Any) -> np.ndarray:
    """Numbers, an array or a tensor as float64."""
    values = values.detach().cpu() if hasattr(values, "detach") else values
    return np.asarray(values, dtype=float)


def close(one: np.ndarray, two: np.ndarray, tolerance: float) -> bool:
    """Whether two arrays of one shape agree, relatively or (near 0) absolutely."""
    return one.shape == two.shape and np.allclose(one, two, rtol=tolerance, atol=tolerance / 100)


def shown(values: Any) -> str:
    """A number, or the first few of many."""
    flat = plain(values).ravel()
    first = ", ".join(f"{x:,.0f}" if float(x).is_integer() else f"{x:.4g}" for x in flat[:3])
    return f"is {first}" if flat.size == 1 else f"starts {first}"
