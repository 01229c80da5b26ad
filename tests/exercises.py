"""What the tests of all exercises share: right answers pass, stubs never do, mistakes are named."""

import re
from collections.abc import Callable, Iterable, Mapping

import pytest
import torch

from labkit.exercise import Outcome

FORMULA = re.compile(r"`\w[^`]*[(=][^`]*`|\w[\])]? [*/+@] [\w(\[]|1e-\d\d|\w\(\w+\(")
Check = Callable[..., Outcome]
STUBS = {
    "nothing": lambda *a: None,
    "echo": lambda *a: a[-1],
    "zero": lambda *a: torch.tensor(0.0),
    "crash": lambda *a: 1 / 0,
}


def twice(check: Check, wrong: Callable) -> Outcome:
    """Make one mistake two times: the first hint gives no formula away, the second is the last."""
    check.met.clear()
    first, last = check(wrong), check(wrong)
    assert not last.more and (first.message != last.message or not first.more)
    given = FORMULA.search(first.message.split("(line: ")[0])  # which is the reader's own
    assert not given, f"{given[0]} is given away at once"
    return last


def exercise_tests(
    right: Iterable[tuple[Check, Callable]], mistakes: Mapping[Check, Mapping[str, Callable]]
) -> tuple[Callable, Callable, Callable]:
    """The tests of a slice's checks. mistakes: check -> hint -> an answer that must get it.

    A hint may leave words out: " ... ".
    """
    right, checks = list(right), list(mistakes)
    hints = [(check, hint) for check in checks for hint in mistakes[check]]

    @pytest.mark.parametrize(("check", "answer"), right, ids=range(len(right)))
    def passes(check: Check, answer: Callable) -> None:
        outcome = check(answer)
        assert outcome.passed and repr(outcome).startswith("✓"), outcome

    @pytest.mark.parametrize("check", checks, ids=lambda check: check.__name__)
    @pytest.mark.parametrize("stub", STUBS)
    def never(check: Check, stub: str) -> None:
        outcome = check(STUBS[stub])
        assert not outcome and repr(outcome).startswith("✗") and len(outcome.message) > 20

    @pytest.mark.parametrize(("check", "hint"), hints, ids=lambda x: getattr(x, "__name__", x))
    def named(check: Check, hint: str) -> None:
        outcome = twice(check, mistakes[check][hint])
        words = ".*".join(map(re.escape, hint.split(" ... ")))
        assert not outcome and re.search(words, outcome.message), outcome

    return passes, never, named
