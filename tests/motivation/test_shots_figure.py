"""Accuracy against labels: bands, names that do not overlap, and the horizontal reading."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import lines, render, texts

from labkit import plots
from labkit.evaluate import ShotsCurve
from labkit.plots import METHODS


def curve(method: str, mean: list[float]) -> ShotsCurve:
    mean = np.array(mean)
    return ShotsCurve(method, np.array([1, 10, 100]), mean, mean - 0.05, mean + 0.05)


def test_shots_are_drawn_with_bands_names_and_chance() -> None:
    curves = [curve("scratch", [0.2, 0.3, 0.5]), curve("probe", [0.4, 0.5, 0.51])]
    fig, ax = plots.figure()
    plots.draw_shots(ax, curves, 0.12, "Pretraining is worth ten times the labels")
    render(fig)
    for c in curves:
        look = METHODS[c.method]
        (line,) = lines(ax, look.color)
        assert line.get_ydata().tolist() == c.mean.tolist() and line.get_marker() == look.marker
        assert look.name in texts(ax)
    assert len(ax.collections) == 2, "two bands"
    assert ax.get_xscale() == "log" and "Pretraining is worth" in texts(ax)
    assert "per class" in ax.get_xlabel() and "accuracy" in ax.get_ylabel()
    assert any(set(line.get_ydata()) == {0.12} for line in ax.lines), "chance"
    names = [t for t in ax.texts if t.get_text() in {METHODS[c.method].name for c in curves}]
    heights = sorted(text.get_window_extent().y0 for text in names)
    assert heights[1] - heights[0] >= 0.9 * names[0].get_window_extent().height


@pytest.mark.parametrize(("unknown", "said"), [([0.2, 0.4, 0.6], "10"), ([0.1, 0.2, 0.3], "more")])
def test_the_horizontal_reading_says_how_many_labels(unknown, said) -> None:
    fig, ax = plots.figure()
    known = curve("probe", [0.4, 0.5, 0.6])
    plots.draw_shots(ax, [known, curve("scratch", unknown)], 0.1, "worth")
    before = list(ax.texts)
    plots.draw_worth(ax, known, curve("scratch", unknown), 1)
    render(fig)
    assert said in " ".join(text.get_text() for text in ax.texts if text not in before)
