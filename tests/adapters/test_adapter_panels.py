"""Notebook 04: every control at its ends, counts against the network, the table and its figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.text import Text
from panels import check_every_control, settings
from test_adapters import generator, small_encoder, tiny_task

from labkit import adapters, encoders, evaluate, explorers, plots, transfer
from labkit.adapters import results
from labkit.adapters import storage_cost as storage

# ------------------------------------------------ what trains


@pytest.fixture(scope="module")
def block_panel():
    return explorers.transformer_block()


def test_the_block_follows_every_control(block_panel) -> None:
    check_every_control(block_panel)


@pytest.mark.parametrize("method", adapters.METHODS)
def test_the_blocks_parts_add_up_to_what_trains(method: str) -> None:
    """Parts outside once, those of a block six times, are all that trains."""
    encoder = encoders.load("clip-vit").image
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    result = explorers.compute_block(encoder, method, 5)
    once = sum(result.trains[part] for part in ("patches", "norm", "head"))
    inside = sum(result.trains.values()) - once
    assert once + result.depth * inside == result.count
    assert f"{result.count:,} of {result.total:,}" in explorers.describe_block(result)
    after = encoder.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_what_trains_is_filled_and_numbered(block_panel) -> None:
    block_panel.reset()
    result = block_panel.result
    fig, ax = plots.figure(size=(9, 3.2))
    plots.draw_block(ax, result)
    plots.Picture(fig, "a test")
    shown = {text.get_text() for text in ax.findobj(Text)}
    for part, (_, label) in plots.PARTS.items():
        count = result.trains[part]
        assert (f"{label}\n{count:,}" if count else label) in shown


def test_a_parallel_adapter_is_drawn_above_its_layer() -> None:
    encoder = small_encoder()
    beside = explorers.compute_block(encoder, "parallel-adapters", 2)
    assert beside.beside == ("after_attention", "after_feed_forward")
    after = explorers.compute_block(encoder, "ffn-adapters", 2)
    assert after.beside == () and after.absent == ("after_attention",)


# ------------------------------------------------ adapters, trained live


def test_live_training_follows_every_control(monkeypatch) -> None:
    monkeypatch.setattr(explorers.adapters, "LIVE_STEPS", 3)
    panel = explorers.train_adapters(encoders.load("clip-vit").image, live_task())
    assert panel.result is None
    panel.run()
    for name, control in panel.controls.items():
        if name != "seed":
            for value in settings(control):
                control.value = value
                panel.run()
                assert panel.error is None and panel.png() and panel.alt, f"{name} at {value}"
        panel.reset()


def live_task():
    """32 x 32 pixels, for the shipped transformer."""
    task = tiny_task()
    parts = {
        part: examples._replace(images=examples.images.repeat(1, 1, 2, 2))
        for part in ("train", "validation", "test")
        for examples in (getattr(task, part),)
    }
    return replace(task, **parts, ood={"other": parts["test"]})


def test_live_training_repeats_and_leaves_the_encoder_alone(monkeypatch) -> None:
    monkeypatch.setattr(explorers.adapters, "LIVE_STEPS", 3)
    encoder, done = small_encoder(), []
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    probe = transfer.moment(0, transfer.linear_probe(encoder, tiny_task()).model, tiny_task())

    def run():
        return explorers.compute_live(
            encoder, tiny_task(), probe, adapters.Method(width=2, blocks=(1,)), 0.01, 0,
            lambda share, text: done.append(share),
        )  # fmt: skip

    one = run()
    assert done[-1] == 1 and one.history == run().history
    assert [moment.step for moment in one.history] == [0, 1, 2, 3]
    assert list(encoder.state_dict()) == list(before)
    assert all(torch.equal(x, encoder.state_dict()[name]) for name, x in before.items())
    assert one.probe == probe
    assert f"{one.count:,} numbers" in explorers.describe_live(one)


# ------------------------------------------------ what tasks cost


@pytest.mark.parametrize("method", storage.METHODS)
@pytest.mark.parametrize("width", [1, 8, 33])
def test_stored_numbers_are_those_that_train(method: str, width: int) -> None:
    encoder = encoders.VisionTransformer(patch=8)
    model = transfer.new_classifier(encoder, 12, generator())
    adapters.insert(model.encoder, replace(adapters.METHODS[method], width=width), generator())
    backbone = storage.BACKBONES["this lab's ViT"]
    assert storage.numbers(method, backbone, width) == adapters.count(model)
    assert backbone.parameters == sum(p.numel() for p in encoder.parameters())


@given(st.sampled_from(storage.METHODS), st.integers(1, 64), st.integers(1, 999))
def test_another_task_costs_what_it_stores(method: str, width: int, tasks: int) -> None:
    for backbone in storage.BACKBONES.values():
        cost = [storage.megabytes(method, backbone, width, n, 4) for n in (tasks, tasks + 1)]
        stored = 4e-6 * storage.numbers(method, backbone, width)
        assert cost[1] - cost[0] == pytest.approx(stored, rel=1e-6)
        assert storage.megabytes(method, backbone, width, tasks, 2) == pytest.approx(cost[0] / 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("prompt", 8, 1), "method: got"), (("lora", 0, 1), "width: got"), (("lora", 1, 0), "tasks")],
    ids=["method", "width", "tasks"],
)
def test_impossible_storage_is_refused(arguments: tuple, message: str) -> None:
    method, width, tasks = arguments
    with pytest.raises(ValueError, match=message):
        storage.megabytes(method, storage.BACKBONES["this lab's ViT"], width, tasks, 4)


def test_the_calculator_follows_every_control() -> None:
    panel = explorers.storage_calculator()
    check_every_control(panel)
    assert "100 tasks" in panel.alt and "adapters 17.3 MB" in panel.alt
    hits = panel.canvas.hits
    for width in (3, 40):
        panel.controls["width"].value = width
    assert panel.canvas.hits == hits + 2, "the axes are not drawn again"


# ------------------------------------------------ the table


def row(task: str, setting: tuple, seed: int, right: float, pruned: str = "") -> dict[str, str]:
    method, width = setting
    values = {"id": right, "ood": right - 0.1, "moved_ood": 2.0, "old_job": right / 2}
    if not pruned:
        size = {"probe": 10, "adapters": 100 * width, "fine-tuning": 10_000}
        values["parameters"] = size[method]
    return {
        "task": task, "seed": str(seed), "method": method, "width": str(width), "pruned": pruned,
        **{name: str(value) for name, value in values.items()},
    }  # fmt: skip


SETTINGS = [("probe", 0), ("adapters", 2), ("adapters", 8), ("fine-tuning", 0)]
ROWS = [
    row(task, setting, seed, 0.4 + 0.1 * i + 0.01 * seed + 0.05 * j)
    for i, task in enumerate(("one", "two"))
    for seed in (1, 0)
    for j, setting in enumerate(SETTINGS)
] + [
    row(task, ("adapters", 8), seed, 0.35 + 0.01 * seed, pruned)
    for task in ("one", "two")
    for seed in (0, 1)
    for pruned in (*"012345", "all")
]


def test_scores_are_by_seed_and_averaged_over_tasks() -> None:
    assert results.tasks(ROWS) == ["one", "two"] and results.settings(ROWS) == SETTINGS
    one = results.scores(ROWS, "one", ("adapters", 8), "id")
    assert one == pytest.approx([0.5, 0.51])
    assert results.scores(ROWS, ["one", "two"], ("adapters", 8), "id") == pytest.approx(one + 0.05)
    assert results.parameters(ROWS, "one", ("adapters", 8)) == 800
    assert results.interval(ROWS, "one", ("adapters", 8), "id") == evaluate.mean_interval(one)


def test_leads_and_losses_are_paired() -> None:
    lead = results.lead(ROWS, ["one", "two"], ("fine-tuning", 0), ("probe", 0), "ood")
    assert lead == pytest.approx((0.15, 0.15, 0.15))
    assert results.lost(ROWS, "one", ("adapters", 8), "3") == pytest.approx((0.15, 0.15, 0.15))


@pytest.mark.parametrize(
    ("task", "setting"), [("three", ("probe", 0)), ("one", ("adapters", 5)), ("one", ("lora", 8))]
)
def test_what_was_not_measured_is_refused(task: str, setting: tuple) -> None:
    with pytest.raises(ValueError, match="has seeds"):
        results.scores(ROWS, task, setting, "id")


def test_scores_of_no_task_are_refused() -> None:
    with pytest.raises(ValueError, match="cells: got none"):
        results.scores(ROWS, [], ("probe", 0), "id")


def test_the_tables_figures_show_every_setting() -> None:
    fig, axes = plots.figure(2, 2, size=(13, 8))
    plots.draw_frontier(axes, ROWS, ("one", "two"))
    plots.Picture(fig, plots.describe_frontier(ROWS))
    for ax in axes.flat:
        assert ax.get_xscale() == "log"
        marks = [line for line in ax.lines if len(line.get_xdata()) == 1]
        assert sorted(line.get_xdata()[0] for line in marks) == [10, 200, 800, 10_000]
    fig, axes = plots.figure(1, 2, size=(13, 5))
    plots.draw_movement(axes, ROWS, ("one", "two"))
    plots.Picture(fig, plots.describe_movement(ROWS))
    assert all(len(ax.collections) == len(SETTINGS) for ax in axes)


def test_forgetting_and_pruning_are_drawn_and_told() -> None:
    fig, ax = plots.figure()
    plots.draw_forgetting(ax, ROWS, "Full tuning forgets")
    alt = plots.describe_forgetting(ROWS)
    plots.Picture(fig, alt)
    assert [label.get_text() for label in ax.get_yticklabels()][::-1] == [
        "linear probe", "adapters 2", "adapters 8", "fine-tuning",
    ]  # fmt: skip
    assert "adapters 8 28%" in alt
    fig, ax = plots.figure()
    plots.draw_pruning(ax, ROWS, ("adapters", 8), ("one", "two"), "Every block counts")
    alt = plots.describe_pruning(ROWS, ("adapters", 8))
    plots.Picture(fig, alt)
    assert "one: blocks 0 to 5 +15.0" in alt and "all +25.0" in alt
    curves = [line for line in ax.lines if len(line.get_xdata()) == 6]
    assert np.allclose([curve.get_ydata() for curve in curves], [[0.15] * 6, [0.25] * 6])
