"""Reading a sweep over shifts: only picked networks count, and seeds pair."""

from __future__ import annotations

import pytest

from labkit import evaluate, results
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
