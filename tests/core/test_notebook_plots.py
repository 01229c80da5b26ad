"""What notebooks draw themselves, beside the panels: where marks stand, and the same in words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from labkit import evaluate, plots
from labkit.meta.figures import FEW_SHOT
from labkit.transfer import Moment

ROWS = [
    {"method": method, "shots": shots, "seed": str(seed), "id": str(0.1 * seed + extra), "ood": "0"}
    for seed in (2, 0, 1)
    for method, extra in (("probe", 0.3), ("scratch", 0.1))
    for shots in ("all", "1", "10")
]


def names(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_a_curve_of_shots_is_the_mean_and_interval_over_seeds() -> None:
    curves = evaluate.shots_curves(ROWS, "id", all_labels=52.5)
    assert list(curves) == ["probe", "scratch"]
    for method, extra in (("probe", 0.3), ("scratch", 0.1)):
        curve = curves[method]
        assert curve.method == method and curve.shots.tolist() == [1, 10, 52.5]
        expected = evaluate.mean_interval([extra, 0.1 + extra, 0.2 + extra])
        for found, value in zip((curve.mean, curve.low, curve.high), expected, strict=True):
            assert found == pytest.approx(np.full(3, value))


def test_learning_curves_are_told_by_their_ends() -> None:
    curves = evaluate.shots_curves(ROWS, "id", all_labels=52.5)
    told = plots.describe_shots(list(curves.values()))
    assert f"{plots.METHODS['probe'].name} goes from 40% at 1 to 40%" in told
    history = [Moment(0, 0.25, {}), Moment(5, 0.75, {})]
    told = plots.describe_history({"lp-ft": history})
    assert told.endswith(f"{plots.METHODS['lp-ft'].name} ends at 75%.")


def test_guesses_stand_at_what_was_guessed() -> None:
    fig, (ax, few) = plots.figure(1, 2)
    plots.draw_guesses(ax, {"probe": 0.6, "scratch": 0.2}, shots=10)
    assert [tuple(line.get_xydata()[0]) for line in ax.lines] == [(10, 0.6), (10, 0.2)]
    assert all(line.get_markerfacecolor() == "none" for line in ax.lines)
    plots.draw_few_shot_guesses(few, {"prototypes": 0.7})
    x, y = few.lines[0].get_xydata()[0]
    assert x == 0.7 and list(FEW_SHOT)[::-1][round(y)] == "prototypes"


def test_steps_have_a_curve_a_name_and_words_for_each_method() -> None:
    curves = {"whole": ("maml", "-", [0.2, 0.5, 0.6]), "head only": ("maml", "--", [0.2, 0.3, 0.3])}
    fig, ax = plots.figure()
    plots.draw_steps(ax, curves, chance=0.2, title="The body moves")
    whole, head, chance = ax.lines
    assert list(whole.get_ydata()) == [0.2, 0.5, 0.6] and head.get_linestyle() == "--"
    assert set(chance.get_ydata()) == {0.2} and ax.get_xlim() == (0, 2)
    assert names(ax) == ["whole", "head only", "guessing"]
    told = plots.describe_steps(curves)
    assert told == "whole 20% to 60%; head only 20% to 30%, after 2 steps."


def test_labels_stand_beside_what_they_name() -> None:
    functions = {"random": np.array([0.0, 9.0]), "maml": np.array([0.0, 7.9])}
    fig, (ax, grid) = plots.figure(1, 2)
    plots.label_functions(ax, SimpleNamespace(functions=functions))
    assert names(ax) == ["random", plots.METHODS["maml"].name]
    ys = [text.xy[1] for text in ax.texts]
    assert abs(ys[0] - ys[1]) >= 1.6 - 1e-9 and ys[0] > ys[1], "apart, in the curves' order"
    plots.label_grid(grid, ["colour"], ["0°", "30°"], size=32)
    assert names(grid) == ["colour", "0°", "30°"]
    left, right = (text.get_position()[0] for text in grid.texts[1:])
    assert grid.texts[0].get_position()[0] < 0 < left < 32 < right
