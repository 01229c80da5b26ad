"""Notebook 05's panels and figures: every control at its ends and middle; what they compute."""

import numpy as np
import pandas as pd
import pytest
import torch
from panels import check_background_reused, check_every_control

from labkit import data, encoders, explorers, plots, sweeps, tasks, transfer
from labkit.advice import Situation
from labkit.calibration import Answers, answers, reliability
from labkit.failure import corruptions, invariance, under_shift
from labkit.failure.label_free_estimates import accuracy_line
from labkit.statistics import Scores
from labkit.ui.panel import Panel


@pytest.fixture(scope="module")
def panels() -> dict[str, Panel]:
    return {name: getattr(explorers, name)() for name in ("damage", "labels", "invariances")}


@pytest.mark.parametrize("name", ["damage", "labels", "invariances"])
def test_panels_follow_every_control(panels, name: str) -> None:
    check_every_control(panels[name])


def test_frames_of_a_severity_reuse_the_background(panels) -> None:
    check_background_reused(panels["damage"], "severity", [1, 2, 3])


def test_damage_is_the_corruption_and_its_answers() -> None:
    test = tasks.style_shift(("twemoji",), ()).test.at(torch.arange(30))
    flatten = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 12))

    class OfPixels(torch.nn.Module):
        def forward(self, images):
            return flatten(images.float() / 255)

    def content(images: torch.Tensor) -> list[bytes]:
        return sorted(image.numpy().tobytes() for image in images)

    damaged = explorers.damage_all(OfPixels(), test, seed=3)
    for kind in corruptions.AMOUNTS:
        clean, *_, worst = damaged.images[kind]
        assert content(clean) == content(test.images) and not torch.equal(worst, clean)
    found = explorers.compute_damage(damaged, "noise", 2, 1.5, page=1)
    expected = answers(damaged.logits["noise"][2], damaged.labels, 1.5)
    assert found.accuracy[2] == pytest.approx(expected.right.mean())
    assert found.confidence[2] == pytest.approx(expected.confidence.mean())
    wrong = np.flatnonzero(~expected.right)
    order = wrong[expected.confidence[wrong].argsort()[::-1]]
    order = order[np.arange(8, 16) % len(order)]  # the second page; few mistakes come round again
    assert found.sure == pytest.approx(expected.confidence[order])
    taken_for = damaged.logits["noise"][2][order].argmax(axis=1)
    assert found.said == [data.class_names()[place] for place in taken_for]
    last = explorers.compute_damage(damaged, "noise", 2, 1.5, page=6)
    assert set(last.sure) <= set(expected.confidence[wrong]), "a page over the end starts again"
    assert f"{found.accuracy[2]:.0%}" in explorers.describe_damage(found)


def test_damage_of_a_task_of_ones_own_names_its_classes_and_may_find_no_mistake() -> None:
    """Vehicles were once said to be taken for faces, and an image all got right for an error."""
    classes = ("vehicle", "animal")
    task = tasks.style_shift(("twemoji",), (), classes=classes)
    model = transfer.linear_probe(encoders.load("clip-conv").image, task).model
    answer = transfer.features(model, task.test.images).argmax(dim=1)
    damaged = explorers.damage_all(model, task.test._replace(labels=answer), classes=classes)
    assert set(explorers.compute_damage(damaged, "noise", 5, 1.0, page=0).said) <= set(classes)
    right = explorers.compute_damage(damaged, "noise", 0, 1.0, page=0)
    assert right.accuracy[0] == 1 and (np.diff(right.sure) <= 0).all()
    assert "surest answers: " in explorers.describe_damage(right)
    with pytest.raises(ValueError, match="^classes: got .*as many as the model has outputs, 2"):
        explorers.damage_all(model, task.test)


def test_labels_show_double_descent_and_ridge_removes_it(panels) -> None:
    panel, curves = panels["labels"], []
    for strength in ("almost none (least squares)", "about right (30)"):
        panel.controls["ridge"].value = explorers.RIDGES[strength]
        curves.append(dict(zip(panel.result.counts, panel.result.curve[1], strict=True)))
    panel.reset()
    curve, threshold, most = curves[0], panel.result.threshold, panel.controls["n"].max
    assert {12, 24, 48, threshold, most} <= set(curve)
    assert curve[threshold] < min(curve[48], curve[most]) - 0.1
    assert curves[1][threshold] > curve[threshold] + 0.15


def test_neighbours_are_the_nearest_traps_of_their_style(panels) -> None:
    """Against a plain loop."""
    gallery = explorers.make_trap_gallery()
    place = next(c.position for c in data.concepts() if c.emoji == "💙")
    found = explorers.compute_seen(gallery, None, None, (False, False), place, "noto")
    noto, positions = data.STYLES.index("noto"), gallery.emoji.concept.tolist()
    features = torch.nn.functional.normalize(gallery.features[False, False], dim=1)
    drawn = [i for i, style in enumerate(gallery.emoji.style) if style == noto]
    rows = [i for i in drawn if data.traps()[positions[i]].kind == "colour"]
    query = next(i for i in rows if positions[i] == place)
    near = sorted((i for i in rows if i != query), key=lambda i: -(features[i] @ features[query]))
    near = [positions[i] for i in near[: len(found.names)]]
    assert found.names == [data.concepts()[p].name for p in near] and found.trait == "colour"
    assert found.same == [data.traps()[p].colour == "blue" for p in near]
    with_scores = found._replace(scores=panels["invariances"].result.scores)
    assert "blue heart" in explorers.describe_seen(with_scores)


def test_an_emoji_that_a_style_lacks_is_shown_in_another() -> None:
    gallery = explorers.make_trap_gallery()
    traps = [data.concepts()[place] for place in data.traps()]
    trap, lacking = next((t, s) for t in traps for s in invariance.TRAP_STYLES if s not in t.styles)
    found = explorers.compute_seen(gallery, None, None, (True, True), trap.position, lacking)
    assert found.name == trap.name


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("shifts", ["model", "test"]),
        ("traps", ["weights", "question", "method"]),
        ("mismatch", ["kind", "trained", "tested"]),
    ],
)
def test_the_tables_hold_every_seed_once(name: str, keys: list[str]) -> None:
    table = sweeps.read(name)
    seeds = sorted(table["seed"].unique())
    assert len(seeds) >= 5
    assert table.groupby(keys)["seed"].apply(lambda found: sorted(found) == seeds).all()


def test_trap_scores_are_those_of_the_table() -> None:
    table = sweeps.read("traps")
    found, chance = explorers.trap_scores(table), explorers.trap_chance(table)
    where = {"weights": "simclr-color", "question": "shape", "method": "probe"}
    expected = sweeps.scores(table, "id", **where).mean
    assert found.loc[("shape", "simclr-color"), "mean"] == pytest.approx(expected)
    assert found.index.tolist() == [
        (question, name) for question in invariance.QUESTIONS for name in plots.ENCODERS
    ]
    assert list(chance.index) == list(invariance.QUESTIONS) and 0 < chance["colour"] < 0.3


def test_a_gain_is_paired_by_seed_and_averages_the_other_switch() -> None:
    rows = [
        {"weights": name, "seed": seed, "question": "shape", "method": "probe", "overlap": 0.5,
         "id": 0.8 + 0.1 * seed - 0.4 * color - 0.1 * flip}
        for (color, flip), name in invariance.WEIGHTS.items()
        for seed in range(3)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    assert explorers.gain_without(table, "shape", 0).interval == pytest.approx((0.4, 0.4, 0.4))
    flips = explorers.gain_without(table, "shape", 1)
    assert flips.interval == pytest.approx((0.1, 0.1, 0.1))


@pytest.fixture(scope="module")
def shifted():
    tests = under_shift.by_test(sweeps.read("shifts"), "probe")
    return tests.loc[["fluent", "noise 5", "blur 1", "inversion 3", "rotation 1"]]


def test_colours_of_kinds_and_encoders_are_no_methods() -> None:
    own = {look.color for looks in (plots.KINDS, plots.ENCODERS) for look in looks.values()}
    assert len(own) == len(plots.KINDS) + 2, "flipped or not is told by the marker"
    assert len({look[1:] for look in plots.ENCODERS.values()}) == len(plots.ENCODERS)
    assert not own & {look.color for look in plots.LOOKS.values()}
    assert len({look.marker for look in plots.KINDS.values()}) == len(plots.KINDS)


def test_reliability_draws_full_bins_and_says_their_means() -> None:
    rng = np.random.default_rng(0)
    given = Answers(rng.uniform(0.5, 1, 50), rng.random(50) < 0.7)
    found = {"clean": reliability(given, 5)}
    fig, ax = plots.figure()
    plots.draw_reliability([ax], found)
    dots = np.asarray(ax.collections[-1].get_offsets())
    full = found["clean"].count > 0
    assert dots[full, 1] == pytest.approx(found["clean"].accuracy[full])
    said = f"{given.confidence.mean():.0%} sure, {given.right.mean():.0%} right"
    assert ax.get_title("left") == f"clean\n{said}" and said in plots.describe_reliability(found)


def test_drift_says_what_the_furthest_test_does(shifted) -> None:
    fig, ax = plots.figure()
    plots.draw_drift(ax, shifted)
    noise = shifted.loc["noise 5"]
    shares = f"{noise['accuracy']:.0%} right, {noise['confidence']:.0%} sure"
    assert ax.get_title("left") == f"Furthest, noise 5: {shares}"
    assert f"noise 5 moves features by {noise['drift']:.0%}" in plots.describe_drift(shifted)
    assert [plots.kind_of(t) for t in shifted.index[:3]] == ["style", "noise", "blur"]


def test_estimates_are_drawn_and_the_worst_is_named(shifted) -> None:
    fig, axes = plots.figure(1, 2)
    plots.draw_estimates(axes, shifted)
    (x,), (y,) = next(line for line in axes[1].lines if line.get_marker() == "^").get_data()
    assert (x, y) == pytest.approx((shifted["accuracy"]["noise 5"], shifted["atc"]["noise 5"]))
    told = plots.describe_estimates(shifted)
    assert f"for noise 5 it guesses {y:.0%} where {x:.0%} is true" in told


def test_the_line_counts_its_networks() -> None:
    rows = [{"method": "probe", "id": x, "ood": x - 0.1} for x in (0.4, 0.5, 0.6)]
    networks = pd.DataFrame(rows)
    fig, ax = plots.figure()
    plots.draw_line(ax, networks, accuracy_line(networks["id"], networks["ood"]))
    assert ax.get_title("left").startswith("3 networks: correlation 1.00")


def test_the_current_encoder_stands_out() -> None:
    table = sweeps.read("traps")
    scores, chance = explorers.trap_scores(table), explorers.trap_chance(table)
    fig, ax = plots.figure()
    plots.draw_traps(ax, scores, chance, "Traps", "simclr-flip")
    shown = {line.get_label(): line for line in ax.lines}
    assert [name for name, line in shown.items() if line.get_alpha() == 1] == ["flips"]
    assert shown["flips"].get_xdata() == pytest.approx(scores.xs("simclr-flip", level=1)["mean"])


def test_the_advice_is_filled() -> None:
    values = {"probe": [0.5, 0.51, 0.5], "scratch": [0, 0, 0.01]}
    scores = {method: Scores(np.array(x), overlap=0) for method, x in values.items()}
    chart = [Situation("few labels", scores)]
    shown = plots.show_advice(chart).to_html()
    assert shown.count("background-color") == 1 and plots.LOOKS["probe"].color in shown
    assert ">best<" in shown and ">-50.0<" in shown and "from scratch" in shown
