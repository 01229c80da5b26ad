"""What a reader sees of a check: a box, and hints that come one at a time."""

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
    assert "Solved" not in wrong._repr_html_() and isinstance(right, checks.Outcome)


def test_the_same_mistake_gets_the_next_hint_whatever_the_numbers() -> None:
    halve.met.clear()
    hints = [halve(lambda x, add=add: x + add) for add in (0, 1, 2, 3)]
    ends = [outcome.message.partition("<1.")[2] for outcome in hints]
    assert ends == ["", " Divide.", " Divide. By 2.", " Divide. By 2."]
    assert [outcome.more for outcome in hints] == [True, True, False, False]
