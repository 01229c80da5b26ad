"""What notebooks draw themselves, beside the panels: where marks stand, and the same in words."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from labkit import evaluate, plots
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
    fig, ax = plots.figure()
    plots.draw_guesses(ax, {"probe": 0.6, "scratch": 0.2}, shots=10)
    assert [tuple(line.get_xydata()[0]) for line in ax.lines] == [(10, 0.6), (10, 0.2)]
    assert all(line.get_markerfacecolor() == "none" for line in ax.lines)


def test_labels_stand_beside_what_they_name() -> None:
    fig, (legend, grid) = plots.figure(1, 2)
    plots.label_encoders(legend)
    labels = [text.get_text() for text in legend.get_legend().get_texts()]
    assert labels == ["neither", "flips", "colour", "colour and flips"]
    assert len({(line.get_marker(), to_hex(line.get_color())) for line in legend.lines}) == 4
    plots.label_grid(grid, ["colour"], ["0°", "30°"], size=32)
    assert names(grid) == ["colour", "0°", "30°"]
    left, right = (text.get_position()[0] for text in grid.texts[1:])
    assert grid.texts[0].get_position()[0] < 0 < left < 32 < right
