"""The recording behind the explorer: what is on the picture is what the networks do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit import data, encoders, explorers, plots, transfer
from labkit.lp_ft import distortion
from labkit.lp_ft.distortion import SIDES, Setting, class_plane, finish, record
from labkit.lp_ft.distortion_figures import describe_frame, draw_distortion

SETTING = Setting(shots=2, steps=2)


@pytest.fixture(scope="module")
def encoder() -> torch.nn.Module:
    return encoders.load("clip-conv").image


@pytest.fixture(scope="module")
def scene(encoder):
    return finish(record(encoder, SETTING))


def test_every_method_has_frames_for_the_same_images(scene) -> None:
    assert list(scene.frames) == ["probe", "fine-tuning", "lp-ft", "wise-ft"]
    for frames in scene.frames.values():
        for side in SIDES:
            n, f = len(scene.labels[side]), len(frames.at)
            assert n == len(scene.names[side]) == len(scene.images[side]) > 50
            assert frames.points[side].shape == (f, n, 2)
            assert frames.regions[side].shape == (f, 4, 3)
            assert frames.predicted[side].shape == (f, n)
        assert ((0 <= frames.inside) & (frames.inside <= 1 + 1e-6)).all()
    assert scene.frames["fine-tuning"].at.tolist() == [0, 1, 2]
    assert scene.frames["wise-ft"].at.tolist() == pytest.approx(np.linspace(0, 1, 11))


def test_nothing_has_moved_at_the_start_and_the_probe_never_moves(scene) -> None:
    for method, frames in scene.frames.items():
        for side in SIDES:
            assert frames.moved[side][0] == pytest.approx(0, abs=1e-4), method
            np.testing.assert_allclose(
                frames.points[side][0], scene.frames["probe"].points[side][0], atol=1e-3
            )
    assert scene.frames["fine-tuning"].moved["id"][-1] > 0


def test_accuracy_is_that_of_the_recipes(encoder, scene) -> None:
    """The explorer shows the real thing: its last frame is what transfer.lp_ft returns."""
    stage = distortion.Stage(encoder, SETTING)
    fit = transfer.lp_ft(
        encoder, stage.task, SETTING.lp_ft_lr, torch.Generator().manual_seed(0),
        transfer.Schedule(SETTING.steps, freeze_norm=True, record_every=0),
    )  # fmt: skip
    for side in SIDES:
        logits = transfer.features(fit.model, stage.images[side])
        right = (logits.argmax(1).numpy() == scene.labels[side]).mean()
        assert scene.frames["lp-ft"].accuracy[side][-1] == pytest.approx(right)
    x = data.load("twemoji", parts="test")
    small = dict(zip(x.concept.tolist(), x.images, strict=True))
    for concept, image in zip(scene.concepts["id"], stage.images["id"], strict=True):
        assert torch.equal(small[concept], image)


def test_wise_ft_runs_from_the_probe_to_lp_ft(scene) -> None:
    wise = scene.frames["wise-ft"]
    for side in SIDES:
        for frame, method in ((0, "probe"), (-1, "lp-ft")):
            np.testing.assert_allclose(
                wise.points[side][frame], scene.frames[method].points[side][-1], atol=1e-3
            )


def test_regions_are_the_head_on_a_slice_through_the_points_mean(encoder) -> None:
    """At the points' mean, the plane's logits are those of the mean feature."""
    stage = distortion.Stage(encoder, SETTING)
    frame = stage.frame(stage.probe.model)
    weight, bias = (x.detach().numpy() for x in stage.probe.model.head.parameters())
    for side in SIDES:
        mean = frame[side]["points"].mean(axis=0)
        drawn = frame[side]["regions"] @ [*mean, 1]
        expected = weight @ stage.start[side].mean(axis=0) + bias
        np.testing.assert_allclose(drawn, expected, rtol=1e-4, atol=1e-3)


@given(seed=st.integers(0, 100), classes=st.integers(3, 6))
def test_the_plane_is_orthonormal_and_holds_most_of_the_means(seed, classes) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % classes
    x = rng.normal(size=(40, 7)) + 3 * rng.normal(size=(classes, 7))[labels]
    plane = class_plane(x, labels)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-9)
    means = np.stack([x[labels == c].mean(axis=0) for c in range(classes)]) - plane.origin
    shown = np.square(means @ plane.axes.T).sum()
    random, _ = np.linalg.qr(rng.normal(size=(7, 2)))
    assert shown >= np.square(means @ random).sum() - 1e-9


def test_only_what_changed_is_trained_again(encoder, scene) -> None:
    again = finish(record(encoder, replace(SETTING, lp_ft_lr=0.001), scene))
    assert again.frames["fine-tuning"] is scene.frames["fine-tuning"]
    assert again.frames["lp-ft"] is not scene.frames["lp-ft"]
    other = distortion.reusable(scene, replace(SETTING, head="zero"))
    assert "fine-tuning" not in other and "lp-ft" in other
    assert distortion.reusable(scene, replace(SETTING, shots=3)) == {}


def test_recording_repeats_and_tells_how_far_it_is(encoder, scene) -> None:
    told: list[float] = []
    again = finish(record(encoder, SETTING), lambda done, text: told.append(done))
    assert told == sorted(told) and 0 <= told[0] < told[-1] <= 1
    for side in SIDES:
        points = [s.frames["fine-tuning"].points[side] for s in (scene, again)]
        np.testing.assert_array_equal(*points)


@pytest.mark.parametrize("head", distortion.HEADS)
def test_fine_tuning_starts_from_the_chosen_head(encoder, head) -> None:
    stage = distortion.Stage(encoder, replace(SETTING, head=head, head_scale=2.0))
    weight, probe = stage.model("fine-tuning").head.weight, stage.probe.model.head.weight
    if head == "zero":
        assert not weight.any()
    elif head == "linear probe":
        torch.testing.assert_close(weight, 2 * probe)
    else:
        assert 0 < weight.abs().max() <= 2 * encoder.dim**-0.5


@pytest.mark.parametrize(
    "wrong",
    [{"id_style": "x"}, {"head": "x"}, {"ft_lr": 0}, {"shots": 0}, {"head_scale": -1}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_impossible_settings_are_named(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Setting(**wrong)


# The picture and the widget


@pytest.mark.parametrize("method", ["probe", "fine-tuning", "lp-ft", "wise-ft"])
def test_every_method_can_be_drawn_and_told(scene, method) -> None:
    fig, axes = plots.figure(2, 2, (10, 7.5))
    draw_distortion(axes, scene, method)
    text = describe_frame(scene, method, -1)
    accuracy = scene.frames[method].accuracy["ood"][-1]
    assert plots.METHODS[method].name in text and f"{accuracy:.0%} in fluent-mono" in text


@pytest.fixture
def explorer(encoder, scene) -> explorers.DistortionExplorer:
    return explorers.DistortionExplorer(encoder, SETTING, scene)


def test_what_is_sent_can_be_read_back(explorer, scene) -> None:
    sent = explorer.stage.scene
    frames = scene.frames["fine-tuning"]
    points = np.frombuffer(sent["frames"]["fine-tuning"]["points"]["ood"], "<f4")
    np.testing.assert_allclose(points.reshape(frames.points["ood"].shape), frames.points["ood"])
    predicted = np.frombuffer(sent["frames"]["lp-ft"]["predicted"]["id"], "u1")
    assert predicted.tolist() == scene.frames["lp-ft"].predicted["id"].ravel().tolist()
    assert len(sent["texts"]["wise-ft"]) == 11


def test_every_training_control_gives_a_picture(explorer) -> None:
    # Labels last: every training after them takes twice as long.
    for name, control in sorted(explorer.controls.items(), key=lambda item: item[0] == "shots"):
        if hasattr(control, "options"):
            first, last = (
                option[-1] if isinstance(option, tuple) else option
                for option in (control.options[0], control.options[-1])
            )
            control.value = first if control.value == last else last
        else:
            control.value = control.max
        assert explorer.error is None and explorer.scene.setting == explorer.setting, name
    trained = explorer.stage.version
    explorer.stage.reset_request += 1
    assert explorer.scene.setting == SETTING
    assert explorer.stage.version == trained + 1, "Reset trains once, not once for each control"


def test_a_newer_wish_ends_the_training_it_outdates(explorer, monkeypatch) -> None:
    begun: list[Setting] = []
    real = distortion.record

    def watched(encoder, setting, before):
        begun.append(setting)
        return real(encoder, setting, before)

    monkeypatch.setattr(distortion, "record", watched)
    monkeypatch.setattr(explorers.distortion, "SETTLE", 0)

    async def drag() -> None:
        for rate in (0.003, 0.03, 0.001):
            explorer.controls["ft_lr"].value = rate
            await asyncio.sleep(0.05)
        await explorer._task

    asyncio.run(drag())
    assert explorer.scene.setting.ft_lr == 0.001 == explorer.controls["ft_lr"].value
    assert explorer.stage.version == 2, "the outdated trainings were given up"
    assert begun[-1].ft_lr == 0.001 and explorer.stage.progress == -1


def test_an_explorer_that_is_replaced_stops_training_and_forgets(explorer) -> None:
    async def leave() -> asyncio.Task:
        explorer.controls["ft_lr"].value = 0.003
        await asyncio.sleep(0.01)
        task = explorer._task
        explorer.let_go()
        await asyncio.gather(task, return_exceptions=True)
        return task

    assert asyncio.run(leave()).cancelled()
    assert explorer.scene is None and explorer.encoder is None and explorer.stage.scene == {}
    assert explorer.controls == {} and explorer.stage.comm is None


def test_the_explorer_opens_on_what_its_setting_gives(encoder, scene, monkeypatch) -> None:
    monkeypatch.setattr(distortion, "record", lambda *asked: asked)
    monkeypatch.setattr(distortion, "finish", lambda asked, told: scene if told == "bar" else asked)
    opened = explorers.feature_distortion(SETTING, encoder, "bar")
    assert opened.scene is scene and opened.setting == SETTING


def test_an_error_is_shown_and_raised(explorer, monkeypatch) -> None:
    def fails(*_):
        raise FloatingPointError("the loss became nan")
        yield

    monkeypatch.setattr(distortion, "record", fails)
    with pytest.raises(FloatingPointError):
        explorer.controls["shots"].value = 5
    assert explorer.error == "FloatingPointError: the loss became nan"
    explorer.controls["shots"].value = SETTING.shots
    assert explorer.error is None, "what is shown is what is wanted again"


def test_an_exported_notebook_shows_the_picture(explorer) -> None:
    data_, metadata = explorer._repr_mimebundle_()
    assert data_["image/png"] and data_["text/plain"] == metadata["image/png"]["alt"]
