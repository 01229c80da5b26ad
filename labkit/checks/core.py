"""What a check is: it runs the reader's function, shows yours beside expected, never raises.

Each returns an `Outcome`, which is true when the exercise is solved, so that a solution notebook
can assert it. A stub that does nothing is never right.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Outcome(NamedTuple):
    """Whether an exercise is solved, and what to tell the reader."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        return ("✓ " if self.passed else "✗ ") + self.message


def checker(problems: Callable[..., Iterator[str]]) -> Callable[..., Outcome]:
    """Turn a generator of problems into a check: the first problem is the hint, none is a pass."""

    def check(*arguments) -> Outcome:
        try:
            problem = next(problems(*arguments), None)
        except Exception as error:  # the reader's code failed: show where, do not stop the notebook
            line = traceback.extract_tb(error.__traceback__)[-1]
            problem = f"your function raised {type(error).__name__}: {error} (line: {line.line})"
        return Outcome(problem is None, problem or "That is right.")

    check.__doc__, check.__name__ = problems.__doc__, problems.__name__
    return check
