"""Notebook 04: every control at its ends, what the block shows, the table and its figures."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from looks import check_looks
from matplotlib.text import Text
from panels import check_background_reused, check_every_control, settings
from shared import ENCODERS, assert_same, small_encoder, snapshot, tiny_task

from labkit import adapters, encoders, explorers, figures, plots, transfer
from labkit.adapters import comparison, sweep
from labkit.adapters import panels as adapter_panels
from labkit.statistics import mean_interval


def test_the_block_follows_every_control() -> None:
    panel = explorers.transformer_block()
    check_every_control(panel)
    result = panel.result
    fig, ax = plots.figure(size=(9, 3.2))
    plots.draw_block(ax, result)
    plots.Picture(fig, "a test")
    shown = {text.get_text() for text in ax.findobj(Text)}
    for part, (_, label) in plots.PARTS.items():
        count = result.trains[part]
        there = (f"{label}\n{count:,}" if count else label) in shown
        assert there == (part not in result.absent), "what trains is filled and numbered"


@pytest.mark.parametrize("method", adapters.METHODS)
@pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)
def test_the_blocks_parts_add_up_to_what_trains(method: str, make) -> None:
    """Parts outside once, those of a block as often as there are blocks, are all that trains."""
    encoder = make()
    before = snapshot(encoder)
    result = explorers.compute_block(encoder, method, 5)
    times = {part: 1 if part in result.once else result.depth for part in result.trains}
    assert sum(times[part] * n for part, n in result.trains.items()) == result.count
    assert f"{result.count:,} of {result.total:,}" in explorers.describe_block(result)
    assert_same(before, snapshot(encoder))


def test_a_parallel_adapter_is_drawn_above_its_layer() -> None:
    encoder = small_encoder()
    beside = explorers.compute_block(encoder, "parallel-adapters", 2)
    assert beside.beside == ("after_attention", "after_feed_forward")
    after = explorers.compute_block(encoder, "ffn-adapters", 2)
    assert after.beside == () and after.absent == ("tokens", "after_attention")


def test_live_training_follows_every_control(monkeypatch) -> None:
    monkeypatch.setattr(adapter_panels, "LIVE_STEPS", 3)
    panel = explorers.train_adapters(encoders.load("clip-vit").image, tiny_task(32))
    assert panel.result is None
    panel.run()
    assert panel.picture.frames == 5, "every step, and the probe at the end"
    for name, control in panel.controls.items():
        if name != "seed":
            for value in settings(control):
                control.value = value
                panel.run()
                assert panel.error is None and panel.png() and panel.alt, f"{name} at {value}"
        panel.reset()


@pytest.mark.parametrize(
    ("depth", "blocks"),
    [
        (6, [tuple(range(6)), (0,), (5,), (0, 1, 2), (3, 4, 5)]),
        (2, [(0, 1), (0,), (1,)]),
        (1, [(0,)]),
    ],
)
def test_blocks_are_chosen_in_a_transformer_of_any_depth(depth: int, blocks: list) -> None:
    encoder = encoders.VisionTransformer(dim=16, depth=depth, heads=2, patch=8, size=16)
    panel = explorers.train_adapters(encoder, tiny_task())
    assert settings(panel.controls["blocks"]) == blocks


def test_live_training_repeats_and_leaves_the_encoder_alone(monkeypatch) -> None:
    monkeypatch.setattr(adapter_panels, "LIVE_STEPS", 3)
    encoder, task, done = small_encoder(), replace(tiny_task(), ood={}), []
    before = snapshot(encoder)
    probe = transfer.moment(0, transfer.linear_probe(encoder, task).model, task)
    method = adapters.Adapters(width=2, blocks=(1,))

    def run():
        told = {"progress": lambda share, _: done.append(share)}
        return explorers.compute_live(encoder, task, probe, method, 0.01, 0, **told)

    one = run()
    assert done[-1] == 1 and one.histories == run().histories
    assert [moment.step for moment in one.histories["adapters"]] == [0, 1, 2, 3]
    assert_same(before, snapshot(encoder))
    assert one.histories["probe"] == (probe,)
    told = f"colours: adapters of width 2 in blocks 1, learning rate 0.01: {one.count:,}"
    assert told in explorers.describe_live(one)


def test_the_calculator_follows_every_control() -> None:
    panel = explorers.storage_calculator()
    check_every_control(panel)
    assert "100 tasks" in panel.alt and "adapters 17.3 MB" in panel.alt
    check_background_reused(panel, "width", [3, 40])


def row(task: str, setting: tuple, seed: int, right: float, pruned: str = "none") -> dict:
    method, width = setting
    size = {"probe": 10, "adapters": 100 * width, "fine-tuning": 10_000}[method]
    values = {"id": right, "ood": right - 0.1, "moved_ood": 2.0, "old_job": right / 2}
    about = {"task": task, "seed": seed, "method": method, "width": width, "pruned": pruned}
    return {**about, "parameters": size, **values, "overlap": 0.3}


SETTINGS = {
    ("probe", 0): "linear probe", ("adapters", 2): "adapters 2", ("adapters", 8): "adapters 8",
    ("fine-tuning", 0): "fine-tuning",
}  # fmt: skip
TABLE = pd.DataFrame(
    [
        row(task, setting, seed, 0.4 + 0.1 * i + 0.01 * seed + 0.05 * j)
        for i, task in enumerate(("one", "two"))
        for seed in (2, 1, 0)
        for j, setting in enumerate(SETTINGS)
    ]
    + [
        row(task, ("adapters", 8), seed, 0.35 + 0.01 * seed, pruned)
        for task in ("one", "two")
        for seed in (0, 1, 2)
        for pruned in (*"012345", "all")
    ]
)


def test_scores_are_by_seed_and_averaged_over_tasks() -> None:
    assert comparison.names(TABLE) == SETTINGS
    tasks = ("one", ["one", "two"])
    one, both = (comparison.means(TABLE, "id", t).loc["adapters 8"] for t in tasks)
    assert tuple(one) == pytest.approx(mean_interval([0.5, 0.51, 0.52], overlap=0.3))
    assert tuple(both) == pytest.approx([x + 0.05 for x in one])


def test_leads_and_losses_are_paired_and_in_points() -> None:
    leads = comparison.both(TABLE, comparison.PROBE, ["one", "two"])
    assert tuple(leads.loc["fine-tuning", "OOD"]) == pytest.approx((15, 15, 15))
    assert "linear probe" not in leads.index
    lost = comparison.pruned(TABLE)
    assert tuple(lost.loc[("3", "one")]) == pytest.approx((15, 15, 15))
    assert tuple(lost.loc[("all", "two")]) == pytest.approx((25, 25, 25))


@pytest.mark.parametrize(
    ("over", "task", "message"),
    [
        (("probe", 0), "three", "task: got .*three"),
        (("adapters", 5), "one", "width: got .*5"),
        (("lora", 8), "one", "method: got .*lora"),
    ],
)
def test_what_was_not_measured_is_refused(over: tuple, task: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        comparison.leads(TABLE, "id", over, task)


def test_the_tables_figures_show_every_setting() -> None:
    named = list(SETTINGS.values())
    fig, ax = plots.figure(size=(12, 6))
    result = comparison.frontier(TABLE)
    plots.draw_frontier(ax, result)
    alt = plots.describe_settings(result, "Points ahead", "{:+.1f}")
    plots.Picture(fig, alt)
    assert "two, OOD: adapters 2 +5.0; adapters 8 +10.0; fine-tuning +15.0." in alt
    title = "8 of 8 differences from the probe are more than luck"
    assert ax.get_title(loc="left") == title
    assert [label.get_text() for label in ax.get_yticklabels()] == list(result)
    assert [text.get_text() for text in ax.texts] == ["adapters 8", "fine-tuning"]
    folded = figures.folded("All", plots.show(pd.concat(result, axis=1))).data
    assert folded.startswith("<details><summary>All") and all(name in folded for name in named[1:])
    fig, axes = plots.figure(1, 2, size=(13, 5))
    moved = comparison.moved(TABLE)
    plots.draw_movement(axes, moved)
    plots.Picture(fig, plots.describe_settings(moved, "OOD accuracy"))
    assert all(len(ax.collections) == len(SETTINGS) for ax in axes)
    assert all(name in plots.show(comparison.means(TABLE, "id", "one")).to_html() for name in named)


def test_forgetting_and_pruning_are_drawn_and_told() -> None:
    fig, ax = plots.figure()
    kept = comparison.means(TABLE, "old_job", ["one", "two"])
    plots.draw_forgetting(ax, kept)
    plots.Picture(fig, plots.describe_settings(kept, "Still named"))
    assert [label.get_text() for label in ax.get_yticklabels()] == list(SETTINGS.values())
    assert ax.get_title(loc="left") == "Fewest after linear probe: 23%, and 23% before"
    assert "adapters 8 28%" in plots.describe_settings(kept, "Still named")
    fig, ax = plots.figure()
    lost = comparison.pruned(TABLE)
    plots.draw_pruning(ax, lost)
    plots.Picture(fig, plots.describe_pruning(lost))
    assert "all: one 15, two 25." in plots.describe_pruning(lost)
    dots = [line for line in ax.lines if len(line.get_xdata()) == 7]
    assert np.allclose([line.get_xdata() for line in dots], [[15] * 7, [25] * 7])


def test_a_method_is_a_cell_of_its_own_and_the_shipped_table_has_all() -> None:
    """So that a new method's cells alone are run."""
    name, _, cells, _ = sweep.EXPERIMENTS[1]
    table = sweep.sweeps.read(name)
    assert list(table.columns[:3]) == list(cells[0])
    done = set(table[["task", "seed", "method"]].itertuples(index=False, name=None))
    assert done == {tuple(cell.values()) for cell in cells}
    assert set(sweep.RATES) | set(sweep.FAMILIES) | {"probe"} == set(adapters.METHODS)


def test_a_cell_measures_each_width_and_takes_blocks_out(monkeypatch) -> None:
    """On a small task, with the shipped transformer: what a row holds."""
    job = sweep.Job(lambda seed: tiny_task(32), 2, sweep.FIRST)
    monkeypatch.setitem(sweep.JOBS, "tiny", job)
    monkeypatch.setattr(sweep, "old_job", lambda encoder: 0.5)
    rows = sweep.run_main("tiny", 0, "adapters")
    about = [(row["width"], row["pruned"]) for row in rows]
    assert about == [(8, "none"), *((8, p) for p in (*"012345", "all")), (32, "none")]
    assert len({row["parameters"] for row in rows}) == 2
    (probe,) = sweep.run_main("tiny", 0, "probe")
    assert probe["parameters"] == 3 * 129 and probe["moved_ood"] == 0


def test_every_method_has_a_look_of_its_own() -> None:
    """Variants share a colour, and have letters of their own."""
    looks = plots.TUNED
    assert set(looks) == set(adapters.METHODS)
    check_looks({look.color: look for look in looks.values()})
    for field in ("name", "marker"):
        assert len({getattr(look, field) for look in looks.values()}) == len(looks)
