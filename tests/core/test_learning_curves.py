"""Learning curves: ID solid, OOD dashed, each named at its end."""

from __future__ import annotations

import pytest
from drawings import lines, render, texts

from labkit import figures
from labkit.looks import LOOKS
from labkit.transfer import Moment
from labkit.ui.style import figure


def history(ids: list[float], oods: list[float]) -> list[Moment]:
    return [
        Moment(step * 10, i, {"one": o - 0.1, "two": o + 0.1})
        for step, (i, o) in enumerate(zip(ids, oods, strict=True))
    ]


def test_histories_are_solid_in_distribution_and_dashed_outside() -> None:
    fig, ax = figure()
    histories = {"fine-tuning": history([0.1, 0.5, 0.8], [0.1, 0.4, 0.3])}
    histories["probe"] = history([0.6], [0.5])
    figures.draw_history(ax, histories, 0.1, "Fine-tuning forgets")
    render(fig)
    solid, dashed = lines(ax, LOOKS["fine-tuning"].color)
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert list(solid.get_ydata()) == [0.1, 0.5, 0.8]
    assert list(dashed.get_ydata()) == pytest.approx([0.1, 0.4, 0.3]), "the mean over OOD tests"
    flat, _ = lines(ax, LOOKS["probe"].color)
    assert list(flat.get_ydata()) == [0.6, 0.6] and list(flat.get_xdata()) == [0, 20]
    for words in ("fine-tuning", "linear probe", "Fine-tuning forgets"):
        assert words in texts(ax)


def test_a_history_without_ood_tests_is_one_line() -> None:
    fig, ax = figure()
    moments = [Moment(0, 0.1, {}), Moment(5, 0.4, {})]
    figures.draw_history(ax, {"scratch": moments}, 0.1, "only ID")
    render(fig)
    assert len(lines(ax, LOOKS["scratch"].color)) == 1
