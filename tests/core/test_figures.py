"""What several notebooks draw: dots and curves where the table says, named, and told in words."""

import numpy as np
import pandas as pd
import pytest
from drawings import lines, render, texts

from labkit import figures, plots
from labkit.looks import LOOKS
from labkit.statistics import Scores
from labkit.transfer import Moment

INDEX = pd.MultiIndex.from_product([["near", "far"], ["probe", "lp-ft"]])
TABLE = pd.DataFrame(
    {"mean": [0.5, 0.6, 0.3, 0.4], "low": [0.4, 0.5, 0.2, 0.3], "high": [0.6, 0.7, 0.4, 0.5]}, INDEX
)


def test_dots_stand_at_their_means_a_row_below_the_other() -> None:
    fig, ax = plots.figure()
    plots.draw_dots(ax, TABLE, chance=0.1)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["near", "far"]
    for line, method in zip(ax.lines, ("probe", "lp-ft"), strict=False):
        assert line.get_xdata().tolist() == TABLE.xs(method, level=1)["mean"].tolist()
        assert np.round(line.get_ydata()).tolist() == [0, 1]
        assert line.get_color() == LOOKS[method].color
    plots.name_methods(ax)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["linear probe", "LP-FT"]
    told = plots.describe_dots(TABLE)
    assert told == "near: linear probe 50%, LP-FT 60%; far: linear probe 30%, LP-FT 40%."


def test_curves_are_named_at_their_ends_without_overlap() -> None:
    curve = pd.DataFrame({"mean": [0.1, 0.5]}, index=[1, 10])
    fig, ax = plots.figure()
    plots.draw_curves(ax, {"probe": curve, "lp-ft": curve}, gap=0.1, chance=0.2)
    names = {text.get_text(): text.xy for text in ax.texts}
    assert set(names) == {"linear probe", "LP-FT", "guessing"}
    assert abs(names["linear probe"][1] - names["LP-FT"][1]) >= 0.1 - 1e-9
    assert plots.describe_curves({"probe": curve}) == "linear probe from 10% at 1 to 50% at 10."


def test_tables_are_shown_with_names_and_in_points() -> None:
    shown = plots.styled(TABLE).to_html()
    assert "linear probe" in shown and LOOKS["probe"].color in shown and "50.0%" in shown
    lead = Scores(np.array([0.1 - 0.12 / 12.706, 0.1 + 0.12 / 12.706]), overlap=0)  # t of .975
    found = plots.in_points({"far": lead}).to_html()
    assert all(text in found for text in ("+10.0", "-2.0", "+22.0", "95 % interval for other runs"))


def history(ids: list[float], oods: list[float]) -> list[Moment]:
    return [
        Moment(step * 10, i, {"one": o - 0.1, "two": o + 0.1})
        for step, (i, o) in enumerate(zip(ids, oods, strict=True))
    ]


def test_histories_are_solid_in_distribution_and_dashed_outside() -> None:
    fig, ax = plots.figure()
    histories = {"fine-tuning": history([0.1, 0.5, 0.8], [0.1, 0.4, 0.3])}
    histories["probe"] = history([0.6], [0.5])
    plots.draw_history(ax, histories, 0.1, "Fine-tuning forgets")
    render(fig)
    assert plots.describe_history(histories).endswith("linear probe ends at 60% (OOD 50%).")
    solid, dashed = lines(ax, LOOKS["fine-tuning"].color)
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert list(solid.get_ydata()) == [0.1, 0.5, 0.8]
    assert list(dashed.get_ydata()) == pytest.approx([0.1, 0.4, 0.3]), "the mean over OOD tests"
    flat, _ = lines(ax, LOOKS["probe"].color)
    assert list(flat.get_ydata()) == [0.6, 0.6] and list(flat.get_xdata()) == [0, 20]
    for words in ("fine-tuning", "linear probe", "Fine-tuning forgets"):
        assert words in texts(ax)


def test_a_history_without_ood_tests_is_one_line() -> None:
    fig, ax = plots.figure()
    moments = [Moment(0, 0.1, {}), Moment(5, 0.4, {})]
    plots.draw_history(ax, {"scratch": moments}, 0.1, "only ID")
    render(fig)
    assert len(lines(ax, LOOKS["scratch"].color)) == 1
    assert plots.describe_history({"scratch": moments}).endswith(" ends at 40%.")


def test_a_mean_without_an_interval_is_drawn_alone() -> None:
    """Two seeds that agree say nothing of others."""
    rows = {"probe": (0.7, np.nan, np.nan), "fine-tuning": (0.8, 0.7, 0.9)}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["mean", "low", "high"])
    fig, ax = plots.figure(size=(6, 3))
    figures.draw_dots(ax, pd.concat({"here": table}))
    plots.Picture(fig, figures.describe_dots(pd.concat({"here": table})))
