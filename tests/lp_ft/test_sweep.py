"""The sweep's rows, and the figures of notebook 06 that show them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from labkit import encoders, plots, sweeps, tasks
from labkit.lp_ft import sweep
from labkit.statistics import read_hits

METHODS = ["scratch", "probe", "fine-tuning", "lp-ft", "wise-ft", "surgical"]


@pytest.fixture
def toy(monkeypatch) -> None:
    """The sweep on a task that trains at once, by an encoder of one block."""
    task = tasks.toy(ood={"other": tasks.toy(seed=1).test})
    tiny = SimpleNamespace(image=encoders.TinyEncoder())
    monkeypatch.setattr(sweep, "make_task", lambda shift, seed: task)
    monkeypatch.setattr(sweep.encoders, "load", lambda name: tiny)
    monkeypatch.setattr(sweep, "BLOCKS", ("stem",))
    monkeypatch.setattr(sweep, "STEPS", 2)


def test_a_row_is_a_network_with_numbers_and_one_is_picked(toy) -> None:
    table = pd.DataFrame(sweep.run("sub-population", 3))
    shipped = sweeps.read("lp_ft")
    overlaps = ["overlap", "overlap_ood"]
    assert ["shift", "seed", *table.columns, *overlaps] == list(shipped.columns)
    same_test = shipped.loc[shipped["overlap_ood"] == 1, "shift"].unique()
    assert list(same_test) == ["sub-population"] and shipped["overlap"].between(0.28, 0.34).all()
    tried = table.groupby("method").size()
    assert tried.to_dict() == {**{m: len(rates) for m, rates in sweep.RATES.items()},
                               "probe": 1, "wise-ft": 4}  # fmt: skip
    assert (table.groupby("method")["picked"].sum() == 1).all()
    assert table["rate"].dtype == table["strength"].dtype == float
    again = sweeps.picked_again(table.assign(seed=3), {}, ["seed"])
    assert (again["picked"] == table["picked"]).all()


@pytest.mark.parametrize("name", ["lp_ft", "lp_ft_steps", "lp_ft_heads"])
def test_what_the_sweeps_picked_is_picked_again(name) -> None:
    """Ties too: of heads of two speeds the slower one."""
    table = sweeps.read(name)
    again = sweeps.picked_again(table, {}, ["shift", "seed"])
    assert list(again["picked"]) == list(table["picked"])


@pytest.mark.parametrize(
    ("run", "rates", "designs"),
    [(sweep.run_longer, sweep.LONGER, sweep.FAST), (sweep.run_heads, sweep.RATES, sweep.HEADS)],
)
def test_far_tables_have_every_network_and_hits_of_the_picked(
    monkeypatch, run, rates, designs
) -> None:
    tiny = SimpleNamespace(image=encoders.TinyEncoder(32))
    monkeypatch.setattr(sweep.encoders, "load", lambda name: tiny)
    monkeypatch.setattr(sweep, "STEPS", 1)
    table = pd.DataFrame(run(sweep.FAR[1], 3))
    tried = {m: len(d.rates) * len(d.times) * len(d.strengths) for m, d in designs.items()}
    tried |= {"probe": 1, "wise-ft": len(rates["lp-ft"])}
    tried |= {m: len(rates[m]) for m in ("fine-tuning", "lp-ft")}
    assert table.groupby("method").size().to_dict() == tried
    hits = table[["id_hits", "ood_hits"]].notna().all(axis=1)
    assert hits.equals(table["picked"]) and table.groupby("method")["picked"].sum().eq(1).all()
    _, there = read_hits(table.loc[hits, "ood_hits"])
    tested = set(np.flatnonzero(there.sum(axis=0)))
    concepts = sorted(sum(tasks.downstream_parts(3).values(), []))
    assert {concepts[place] for place in tested} == tasks.test_concepts(3)


def test_a_design_is_what_its_fields_say(toy) -> None:
    """From the probe's head, statistics frozen, at one speed, without a pull: that is LP-FT."""
    here = sweep.Recipes("sub-population", 3)
    given, fit = sweep.taken_apart(here, sweep.Design((0.01,), probed=True, frozen=True))[0]
    assert given == {"rate": 0.01, "head_times": 1, "strength": None}
    assert_same(fit.model, here.lp_ft(0.01).model)
    (_, random), (_, fast), (_, pulled) = (
        sweep.taken_apart(here, sweep.Design((0.01,), **design))[0]
        for design in ({}, {"times": (30,)}, {"strengths": (50.0,)})
    )
    assert_same(random.model, here.fine_tune(0.01).model)
    start, fast, pulled = (
        torch.nn.utils.parameters_to_vector(encoder.parameters()).detach()
        for encoder in (here.encoder, fast.model.encoder, pulled.model.encoder)
    )
    moved = torch.nn.utils.parameters_to_vector(random.model.encoder.parameters()).detach() - start
    assert (pulled - start).norm() < moved.norm() and not torch.equal(fast - start, moved)


def assert_same(one: torch.nn.Module, two: torch.nn.Module) -> None:
    for p, q in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize(("name", "rows"), [("lp_ft_steps", 2 * 5), ("lp_ft_heads", 4 * 9)])
def test_the_hits_of_far_tables_are_their_accuracies(name: str, rows: int) -> None:
    table = sweeps.read(name)
    picked = table[table["picked"]]
    cells = picked.groupby(["shift", "method"])["seed"].agg(set)
    assert len(cells) == rows and (cells == set(range(10))).all()
    for side, apart in (("id", 6e-5), ("ood", 0.011)):  # the OOD accuracy is a mean over styles
        right, count = read_hits(picked[f"{side}_hits"])
        assert right.sum(axis=1) / count.sum(axis=1) == pytest.approx(picked[side], abs=apart)


def test_two_tables_agree_where_they_hold_the_same_networks() -> None:
    by, same = ["shift", "seed", "method", "rate"], ["validation", "id", "ood", "moved_id"]
    one, two = (sweeps.read(name).set_index(by) for name in ("lp_ft", "lp_ft_heads"))
    both = one.index.intersection(two.index).unique()
    assert len(both) >= 4 * 10 * 3  # fine-tuning, LP-FT, WiSE-FT
    assert one.loc[both, same].sort_index().equals(two.loc[both, same].sort_index())


def test_the_committed_sweep_is_complete() -> None:
    """Ten seeds of six methods under seven shifts, each with the best on validation picked."""
    table = sweeps.read("lp_ft")
    cells = table.groupby(["shift", "method", "seed"])
    assert len(cells) == 7 * 6 * 10
    assert set(table["shift"]) == set(sweep.SHIFTS) and set(table["method"]) == set(METHODS)
    picked = table[table["picked"]].set_index(["shift", "method", "seed"])["validation"]
    assert picked.sort_index().equals(cells["validation"].max().sort_index())


def test_the_figures_show_every_method_and_shift() -> None:
    table = sweeps.read("lp_ft")
    by, sides = ["shift", "method"], ("id", "ood")
    found = {score: sweeps.intervals(table, score, by, picked=True) for score in sides}
    fig, axes = plots.figure(1, 2, (13, 6), sharey=True)
    plots.draw_shifts(axes, found)
    shifts = list(dict.fromkeys(table["shift"]))
    assert [t.get_text() for t in axes[0].get_yticklabels()] == shifts
    methods = list(dict.fromkeys(table["method"]))
    for ax, score in zip(axes, found, strict=True):
        for line, method in zip(ax.lines, methods, strict=True):
            expected = sweeps.scores(table, score, shift=shifts[0], method=method, picked=True)
            assert line.get_xdata()[0] == pytest.approx(expected.mean)
            assert line.get_color() == plots.LOOKS[method].color
    first = found["ood"].loc[(shifts[0], "fine-tuning"), "mean"]
    assert f"fine-tuning {first:.0%}" in plots.describe_shifts(found).split("Out of")[1]


def curve(*means: float, index=(0.001, 0.01)) -> pd.DataFrame:
    return pd.DataFrame({"mean": means, "low": means, "high": means}, index=index)


def test_a_title_says_which_rate_is_best_whatever_the_data() -> None:
    curves = {
        "id": {"fine-tuning": curve(0.3, 0.5), "lp-ft": curve(0.6, 0.5)},
        "ood": {"fine-tuning": curve(0.2, 0.4), "lp-ft": curve(0.3, 0.1)},
    }
    fig, ax = plots.figure()
    plots.draw_rates(ax, curves)
    assert ax.get_title("left") == "Best OOD: fine-tuning 40% at 0.01, LP-FT 30% at 0.001"
    assert [line.get_linestyle() for line in ax.lines] == ["-", "-", "--", "--"]
    assert "Best ID: fine-tuning 50% at 0.01" in plots.describe_rates(curves)


def test_layers_are_drawn_for_both_sides() -> None:
    moved = {"lp-ft": pd.DataFrame({"id": [0.1, 0.4], "ood": [0.1, 0.2]}, index=["stem", "top"])}
    fig, ax = plots.figure()
    plots.draw_layers(ax, moved)
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.1, 0.4], [0.1, 0.2]]
    assert ax.get_title("left") == "The last layer moves: LP-FT 40%"
    said = plots.describe_layers(moved)
    assert "output moves by LP-FT 40%; out of distribution by LP-FT 20%" in said
