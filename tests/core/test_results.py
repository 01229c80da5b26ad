"""Reading a sweep over shifts: only picked networks count, and seeds pair."""

from __future__ import annotations

import numpy as np
import pytest

from labkit import data, evaluate, plots, results
from labkit.evaluate import mean_interval

RATES = ("0.001", "0.01")
METHODS = ("fine-tuning", "lp-ft")


def table() -> list[dict[str, str]]:
    """Two shifts, two methods, three seeds, two rates; the second rate is always picked."""
    return [
        {
            "shift": shift, "seed": str(seed), "method": method, "setting": rate,
            "picked": str(rate == RATES[1]),
            "id": f"{0.5 + seed / 100 + (method == 'lp-ft') / 10:.3f}" if rate == RATES[1] else "0",
            "ood": f"{0.3 + seed / 100 + (shift == 'far') / 10:.3f}",
        }
        for shift in ("near", "far")
        for seed in (2, 0, 1)
        for method in METHODS
        for rate in RATES
    ]  # fmt: skip


def test_scores_are_the_picked_ones_by_seed() -> None:
    assert results.shifts(table()) == ["near", "far"]
    found = results.scores(table(), "near", "fine-tuning", "id")
    assert found.tolist() == [0.5, 0.51, 0.52]
    both = results.scores(table(), ["near", "far"], "lp-ft", "ood")
    assert both == pytest.approx([0.35, 0.36, 0.37])


def test_a_lead_pairs_seeds() -> None:
    found = results.lead(table(), ["near", "far"], "lp-ft", "fine-tuning", "id")
    assert found == pytest.approx((0.1, 0.1, 0.1)), "what both share leaves no doubt"


def test_a_lead_over_other_seeds_is_refused() -> None:
    rows = [row for row in table() if (row["method"], row["seed"]) != ("lp-ft", "1")]
    with pytest.raises(ValueError, match="has seeds .0, 1, 2.|has seeds .0, 2."):
        results.lead(rows, "near", "lp-ft", "fine-tuning", "id")
    rows = [{**row, "shots": "5"} for row in rows if row["picked"] == "True"]
    near = [row for row in rows if row["shift"] == "near"]
    with pytest.raises(ValueError, match="has seeds"):
        evaluate.lead(near, "lp-ft", "fine-tuning", "5", ["id"])


def test_all_networks_count_against_the_rate() -> None:
    found = results.against_rate(table(), "near", "lp-ft", "id")
    assert list(found) == [0.001, 0.01] and found[0.001].mean == 0
    assert found[0.01] == pytest.approx(mean_interval([0.6, 0.61, 0.62]))


@pytest.mark.parametrize("name", ["lp_ft", "lp_ft_steps"])
def test_picking_anew_with_all_rates_picks_as_the_sweeps_did(name: str) -> None:
    rows = data.read_table(f"sweeps/{name}.csv")
    assert results.repicked(rows, {}) == rows


def test_picking_anew_leaves_rates_out_of_one_method_only() -> None:
    rows = [{**row, "validation": row["setting"]} for row in table()]
    assert results.repicked(rows, {}) == rows
    found = results.repicked(rows, {"lp-ft": [0.01]})
    left = {method: {r["setting"] for r in found if r["method"] == method} for method in METHODS}
    assert left == {"fine-tuning": set(RATES), "lp-ft": {"0.001"}}
    assert results.scores(found, "near", "lp-ft", "ood").tolist() == [0.3, 0.31, 0.32]
    assert all(
        r["picked"] == str(r["setting"] == RATES[1]) for r in found if r["method"] != "lp-ft"
    )
    with pytest.raises(ValueError, match="without: got"):
        results.repicked(rows, {"lpft": [0.01]})


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="'near', 'scratch'"):
        results.scores(table(), "near", "scratch", "id")
    uneven = [row for row in table() if (row["shift"], row["seed"]) != ("far", "2")]
    with pytest.raises(ValueError, match="'far', 'lp-ft' has seeds .0, 1."):
        results.scores(uneven, ["near", "far"], "lp-ft", "id")


def test_the_figures_show_every_method_and_shift() -> None:
    methods = ("fine-tuning", "lp-ft")
    fig, axes = plots.figure(1, 2, (13, 6))
    plots.draw_shifts(axes, table(), methods)
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["near", "far"]
    for ax, score in zip(axes, ("id", "ood"), strict=True):
        for line, method in zip(ax.lines, methods, strict=True):
            expected = [results.scores(table(), s, method, score).mean() for s in ("near", "far")]
            assert line.get_xdata() == pytest.approx(expected)
            assert line.get_color() == plots.METHODS[method].color
    assert "near: fine-tuning 51% and 31%" in plots.describe_shifts(table(), methods)
    fig, ax = plots.figure()
    plots.draw_rates(ax, table(), "near", methods, "rates")
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"] * 2
    assert "best in distribution at 0.01" in plots.describe_rates(table(), "near", methods)


def test_layers_are_drawn_for_both_sides() -> None:
    moved = {"lp-ft": {"id": {"stem": 0.1, "top": 0.4}, "ood": {"stem": 0.1, "top": 0.2}}}
    fig, ax = plots.figure()
    plots.draw_layers(ax, moved, "layers")
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.1, 0.4], [0.1, 0.2]]
    assert "40% of its norm in distribution and 20%" in plots.describe_layers(moved)


def test_points_read_as_percentage_points() -> None:
    assert plots.points(mean_interval([0.01, 0.03])).startswith("+2.0 points (-10.7 to +14.7")


@pytest.mark.skipif(
    "sweeps/lp_ft.csv" not in data.checksums(), reason="the sweep has not been run yet"
)
def test_the_committed_sweep_is_complete() -> None:
    """Ten seeds of six methods under five shifts, each with exactly one network picked."""
    rows = data.read_table("sweeps/lp_ft.csv")
    methods = ("scratch", "probe", "fine-tuning", "lp-ft", "wise-ft", "surgical")
    assert len(results.shifts(rows)) == 5
    for shift in results.shifts(rows):
        for method in methods:
            assert len(results.scores(rows, shift, method, "ood")) == 10
            mine = [r for r in rows if (r["shift"], r["method"]) == (shift, method)]
            assert sum(row["picked"] == "True" for row in mine) == 10
            for seed in {row["seed"] for row in mine}:
                tried = [r for r in mine if r["seed"] == seed]
                best = max(float(row["validation"]) for row in tried)
                picked = next(row for row in tried if row["picked"] == "True")
                assert float(picked["validation"]) == best
    assert np.isfinite([float(row["ood"]) for row in rows]).all()
