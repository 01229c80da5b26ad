"""What a reader sees of a check: a box, and hints that come one at a time."""

import torch

from labkit import checks
from labkit.exercise import checker


@checker
def halve(function):
    if function(1) != 0.5:
        yield f"yours is {function(1)}, expected <1.\nDivide.\nBy 2."


def test_a_box_says_in_words_and_by_a_mark_what_its_colour_says() -> None:
    right, wrong = halve(lambda x: x / 2), halve(lambda x: x)
    assert "✓ Solved:" in right._repr_html_() and "✎ Not yet:" in wrong._repr_html_()
    assert "expected &lt;1." in wrong._repr_html_() and "further hint" in wrong._repr_html_()
    assert repr(right) == "✓ That is right." and repr(wrong).startswith("✗ yours is 1, expected")
    shown = checks.Outcome(False, "call `f(x) < 1`.")._repr_html_()
    assert "call <code>f(x) &lt; 1</code>." in shown
    assert "Solved" not in wrong._repr_html_() and isinstance(right, checks.Outcome)


def test_the_same_mistake_gets_the_next_hint_whatever_the_numbers() -> None:
    halve.met.clear()
    hints = [halve(lambda x, add=add: x + add) for add in (0, 1, 2, 3)]
    ends = [outcome.message.partition("<1.")[2] for outcome in hints]
    assert ends == ["", " Divide.", " Divide. By 2.", " Divide. By 2."]
    assert [outcome.more for outcome in hints] == [True, True, False, False]


def test_an_error_is_told_whole_and_where_the_reader_s_own_code_made_it() -> None:
    def several_lines(_):
        raise ValueError("one\ntwo")

    raised = halve(several_lines)
    assert "raised ValueError: one two (line: raise ValueError(" in raised.message
    assert not raised.more, "the rest of an error is no further hint"
    outside = halve(lambda x: torch.cat([x]))
    assert outside.message.endswith("(line: outside = halve(lambda x: torch.cat([x])))")
    nested = halve(lambda x: torch.nn.Linear(2, 1)(torch.zeros(3)))
    assert "(line: nested = halve(" in nested.message, "not torch's own line"


def test_what_a_check_cannot_read_is_not_said_to_be_raised_by_the_reader() -> None:
    known = checks.expected_calibration_error(lambda *_: [0.1, 0.2])
    assert "what your function returns cannot be checked (ValueError: " in known.message
