"""Notebook 05's panels and figures: every control at its ends and middle; what they compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from panels import check_every_control

from labkit import data, evaluate, explorers, plots, results, tasks
from labkit.failure import corruptions, invariance
from labkit.failure.advice import Situation
from labkit.failure.calibration import Answers, answers, reliability
from labkit.failure.invariance_figures import ENCODERS
from labkit.failure.label_free_estimates import accuracy_line
from labkit.ui.panel import Panel


@pytest.fixture(scope="module")
def damage() -> Panel:
    return explorers.damage()


@pytest.fixture(scope="module")
def labels() -> Panel:
    return explorers.labels()


@pytest.fixture(scope="module")
def invariances() -> Panel:
    return explorers.invariances()


def test_damage_follows_every_control(damage: Panel) -> None:
    check_every_control(damage)


def test_frames_of_a_severity_reuse_the_background(damage: Panel) -> None:
    hits = damage.canvas.hits
    for severity in (1, 2, 3):
        damage.controls["severity"].value = severity
    assert damage.canvas.hits == hits + 3
    damage.reset()


def test_damage_is_the_corruption_and_its_answers() -> None:
    test = tasks.style_shift(("twemoji",), ()).test.at(torch.arange(30))
    flatten = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 12))

    class OfPixels(torch.nn.Module):
        def forward(self, images):
            return flatten(images.float() / 255)

    damaged = explorers.damage_all(OfPixels(), test, seed=3)
    for kind in corruptions.AMOUNTS:
        clean = damaged.images[kind][0]
        assert sorted(i.numpy().tobytes() for i in clean) == sorted(
            i.numpy().tobytes() for i in test.images
        )
        assert not torch.equal(damaged.images[kind][5], clean)
    found = explorers.compute_damage(damaged, "noise", 2, 1.5, page=1)
    expected = answers(damaged.logits["noise"][2], damaged.labels, 1.5)
    assert found.accuracy[2] == pytest.approx(expected.right.mean())
    assert found.confidence[2] == pytest.approx(expected.confidence.mean())
    rows = [*range(20, 30), *range(10)]  # a page that runs over the end starts again
    assert found.right == expected.right[rows].tolist()
    assert f"{found.accuracy[2]:.0%}" in explorers.describe_damage(found)


def test_labels_follow_every_control(labels: Panel) -> None:
    check_every_control(labels)


def test_labels_show_double_descent_and_ridge_removes_it(labels: Panel) -> None:
    labels.reset()
    curve = dict(zip(labels.result.counts, labels.result.curve[1], strict=True))
    threshold = labels.result.threshold
    assert {12, 24, 48, threshold, labels.controls["n"].max} <= set(curve)
    assert curve[threshold] < min(curve[48], curve[labels.controls["n"].max]) - 0.1
    labels.controls["ridge"].value = explorers.RIDGES["about right (30)"]
    tuned = dict(zip(labels.result.counts, labels.result.curve[1], strict=True))
    assert tuned[threshold] > curve[threshold] + 0.15
    labels.reset()


def test_draws_follow_the_seed(labels: Panel) -> None:
    first = labels.result.draws
    labels.controls["seed"].value = 5
    assert not np.array_equal(labels.result.draws, first)
    labels.reset()
    assert np.array_equal(labels.result.draws, first)


def test_invariances_follow_every_control(invariances: Panel) -> None:
    check_every_control(invariances)


def test_neighbours_are_the_nearest_traps_of_their_style(invariances: Panel) -> None:
    """Against a plain loop."""
    gallery = explorers.make_trap_gallery()
    place = next(c.position for c in data.concepts() if c.emoji == "💙")
    found = explorers.compute_seen(gallery, {}, {}, (False, False), place, "noto")
    noto, positions = data.STYLES.index("noto"), gallery.emoji.concept.tolist()
    features = torch.nn.functional.normalize(gallery.features[False, False], dim=1)
    rows = [
        i
        for i in range(len(gallery.emoji))
        if gallery.emoji.style[i] == noto and data.traps()[positions[i]].kind == "colour"
    ]
    query = next(i for i in rows if positions[i] == place)
    near = sorted((i for i in rows if i != query), key=lambda i: -(features[i] @ features[query]))
    names = [data.concepts()[positions[i]].name for i in near[: len(found.names)]]
    assert found.names == names and found.trait == "colour"
    blue = [data.traps()[positions[i]].colour == "blue" for i in near[: len(found.names)]]
    assert found.same == blue
    with_scores = found._replace(scores=invariances.result.scores)
    assert "blue heart" in explorers.describe_seen(with_scores)


def test_an_emoji_that_a_style_lacks_is_shown_in_another(invariances: Panel) -> None:
    gallery = explorers.make_trap_gallery()
    lacking = [
        (place, style)
        for place in data.traps()
        for style in invariance.TRAP_STYLES
        if style not in data.concepts()[place].styles
    ]
    assert lacking
    found = explorers.compute_seen(gallery, {}, {}, (True, True), *lacking[0])
    assert found.name == data.concepts()[lacking[0][0]].name


# ---------------------------------------------------------------- tables and figures


def test_the_tables_hold_every_seed() -> None:
    for name, keys in {
        "shifts": ("model", "test"),
        "traps": ("weights", "question", "method"),
        "mismatch": ("kind", "trained", "tested"),
    }.items():
        rows = data.read_table(f"sweeps/{name}.csv")
        seeds = {row["seed"] for row in rows}
        for cell in {tuple(row[key] for key in keys) for row in rows}:
            found = {row["seed"] for row in rows if tuple(row[key] for key in keys) == cell}
            assert found == seeds and len(seeds) >= 5, (name, cell)


def test_trap_scores_are_columns_of_the_table() -> None:
    rows = data.read_table("sweeps/traps.csv")
    found = explorers.trap_scores(rows)
    assert set(found) == set(invariance.QUESTIONS)
    expected = results.column(rows, "id", weights="simclr-color", question="shape", method="probe")
    assert found["shape"][True, False] == pytest.approx(expected)
    assert 0 < explorers.trap_chance(rows)["colour"] < 0.3


def test_a_gain_is_paired_by_seed_and_averages_the_other_switch() -> None:
    luck = np.array([0.0, 0.1, 0.2])
    found = {
        (color, flip): luck - 0.4 * color - 0.1 * flip
        for color in (False, True)
        for flip in (False, True)
    }
    assert explorers.gain_without(found, 0) == pytest.approx((0.4, 0.4, 0.4))
    assert explorers.gain_without(found, 1) == pytest.approx((0.1, 0.1, 0.1))


def drawn(function, *arguments, rows: int = 1, columns: int = 1, **options) -> bytes:
    fig, axes = plots.figure(rows, columns)
    function(axes, *arguments, **options)
    return plots.Picture(fig, "a figure").png


SHARE = evaluate.Interval(0.5, 0.4, 0.6)


def test_reliability_says_what_it_draws() -> None:
    rng = np.random.default_rng(0)
    found = {"clean": reliability(Answers(rng.uniform(0.5, 1, 50), rng.random(50) < 0.7), 5)}
    fig, axes = plots.figure(1, 1)
    plots.draw_reliability([axes], found)
    dots = np.asarray(axes.collections[-1].get_offsets())
    full = found["clean"].count > 0
    assert dots[:, 1] == pytest.approx(found["clean"].accuracy[full])
    assert "clean: " in plots.describe_reliability(found)


def test_drift_line_and_estimates_say_what_they_draw() -> None:
    tests = {"noto": (0.2, SHARE, 0.7), "noise 3": (0.9, SHARE, 0.8), "blur 1": (0.1, SHARE, 0.6)}
    assert drawn(plots.draw_drift, tests, "Drift")
    assert "noise 3 moves features by 90%: 50% right, 80% sure" in plots.describe_drift(tests)
    assert [plots.kind_of(t) for t in tests] == ["style", "noise", "blur"]
    pairs = {"probe": np.array([[0.4, 0.3], [0.5, 0.45], [0.6, 0.5]])}
    line = accuracy_line(*pairs["probe"].T)
    assert drawn(plots.draw_line, pairs, line, "Line")
    guesses = {name: {"noto": (0.6, 0.61), "noise 3": (0.1, 0.9)} for name in ("one", "two")}
    assert drawn(plots.draw_estimates, guesses, columns=2)
    assert "for noise 3 it guesses 90% where 10% is true" in plots.describe_estimates(guesses)


def test_traps_grid_contest_and_chart_say_what_they_draw() -> None:
    scores = {question: dict.fromkeys(ENCODERS, SHARE) for question in ("shape", "colour")}
    assert drawn(plots.draw_traps, scores, {"shape": 0.3, "colour": 0.1}, "Traps")
    assert "colour and flips 50%" in plots.describe_traps(scores)
    grid = np.array([[0.5, 0.2], [0.4, 0.6]])
    assert drawn(plots.draw_grid, (16, 32), grid, "Size", "pixels")
    assert "20% for 16 then 32 (trained on 32: 60%)" in plots.describe_grid((16, 32), grid, "px")
    contest = {"here": {"probe": SHARE, "scratch": SHARE}}
    assert drawn(plots.draw_contest, contest, "Contest")
    assert "from scratch 50%" in plots.describe_contest(contest)
    chart = [Situation("few labels", {"probe": np.array([0.5, 0.51]), "scratch": np.array([0, 0])})]
    assert drawn(plots.draw_chart, chart)
    assert "few labels: try linear probe" in plots.describe_chart(chart)
