"""Notebook 01's figures: where curves, marks and the arrow stand, and the same in words."""

import pandas as pd
import pytest

from labkit import plots
from labkit.statistics import mean_interval

TABLE = pd.DataFrame(
    {"method": method, "shots": shots, "seed": seed, "overlap": 1, "id": 0.1 * seed + extra}
    for seed in (2, 0, 1)
    for method, extra in (("probe", 0.3), ("scratch", 0.1))
    for shots in ("all", "1", "10")
)


def test_a_curve_of_shots_is_the_mean_and_interval_over_seeds() -> None:
    curves = plots.shots_curves(TABLE, "id", all_labels=52.5)
    assert list(curves) == ["probe", "scratch"]
    for method, extra in (("probe", 0.3), ("scratch", 0.1)):
        assert curves[method].index.tolist() == [1, 10, 52.5]
        expected = mean_interval([extra, 0.1 + extra, 0.2 + extra], overlap=1)
        for _, found in curves[method].iterrows():
            assert tuple(found) == pytest.approx(expected)
    told = plots.describe_shots(curves)
    assert f"{plots.LOOKS['probe'].name} from 40% at 1 to 40% at 52.5" in told


def test_the_arrow_reads_the_curves_horizontally() -> None:
    known = pd.DataFrame({"mean": [0.2, 0.4], "high": [0.3, 0.5]}, index=[1.0, 100.0])
    unknown = pd.DataFrame({"mean": [0.1, 0.3], "high": [0.2, 0.4]}, index=[1.0, 100.0])
    fig, ax = plots.figure()
    plots.draw_worth(ax, known, unknown, shots=1.0)
    assert [text.get_text() for text in ax.texts] == ["", "1 labels = 10 without"]
    plots.draw_worth(ax, known, unknown, shots=100.0)
    assert ax.texts[-1].get_text() == "more than all"


def test_guesses_stand_at_what_was_guessed() -> None:
    fig, ax = plots.figure()
    plots.draw_guesses(ax, {"probe": 0.6, "scratch": 0.2}, shots=10)
    assert [tuple(line.get_xydata()[0]) for line in ax.lines] == [(10, 0.6), (10, 0.2)]
    assert all(line.get_markerfacecolor() == "none" for line in ax.lines)


def test_the_names_of_a_grid_stand_beside_it() -> None:
    fig, grid = plots.figure()
    plots.label_grid(grid, ["colour"], ["0°", "30°"], size=32)
    assert [text.get_text() for text in grid.texts] == ["colour", "0°", "30°"]
    left, right = (text.get_position()[0] for text in grid.texts[1:])
    assert grid.texts[0].get_position()[0] < 0 < left < 32 < right
