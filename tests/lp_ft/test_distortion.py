"""The explorer: what is on the picture is what the networks do, and the widget follows wishes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from panels import settings

from labkit import data, encoders, explorers, plots, transfer
from labkit.lp_ft import distortion, explorer
from labkit.lp_ft.distortion import SIDES, ExplorerSetting, class_plane, finish, record
from labkit.lp_ft.figures import describe_frame, draw_frame

SETTING = ExplorerSetting(shots=2, steps=2)


@pytest.fixture(scope="module")
def encoder() -> torch.nn.Module:
    return encoders.load("clip-conv").image


@pytest.fixture(scope="module")
def trial(encoder) -> distortion.Trial:
    return distortion.Trial(encoder, SETTING)


@pytest.fixture(scope="module")
def told() -> list[float]:
    return []


@pytest.fixture(scope="module")
def scene(encoder, told):
    return finish(record(encoder, SETTING), lambda done, text: told.append(done))


def test_every_method_has_frames_for_the_same_images(scene, told) -> None:
    assert list(scene.frames) == ["probe", "fine-tuning", "lp-ft", "wise-ft"]
    for method, frames in scene.frames.items():
        for side in SIDES:
            n, f = len(scene.labels[side]), len(frames.at)
            assert n == len(scene.names[side]) == len(scene.images[side]) > 50
            assert frames.points[side].shape == (f, n, 2)
            assert frames.regions[side].shape == (f, 4, 3)
            assert frames.predicted[side].shape == (f, n)
            start = scene.frames["probe"].points[side][0]
            np.testing.assert_allclose(frames.points[side][0], start, atol=1e-3)
            assert frames.moved[side][0] == pytest.approx(0, abs=1e-4), method
        assert ((0 <= frames.inside) & (frames.inside <= 1 + 1e-6)).all()
    assert scene.frames["fine-tuning"].moved["id"][-1] > 0
    assert scene.frames["fine-tuning"].at.tolist() == [0, 1, 2]
    assert scene.frames["wise-ft"].at.tolist() == pytest.approx(np.linspace(0, 1, 11))
    assert told == sorted(told) and 0 <= told[0] < told[-1] <= 1


def test_accuracy_is_that_of_the_recipes(encoder, trial, scene) -> None:
    """The explorer shows the real thing: its last frame is what transfer.lp_ft returns."""
    fit = transfer.lp_ft(
        encoder, trial.task, SETTING.lp_ft_lr, torch.Generator().manual_seed(0),
        transfer.Schedule(SETTING.steps, freeze_norm=True, record_every=0),
    )  # fmt: skip
    wise = scene.frames["wise-ft"]
    for side in SIDES:
        logits = transfer.features(fit.model, trial.images[side])
        right = (logits.argmax(1).numpy() == scene.labels[side]).mean()
        assert scene.frames["lp-ft"].accuracy[side][-1] == pytest.approx(right)
        for frame, method in ((0, "probe"), (-1, "lp-ft")):  # WiSE-FT's ends
            expected = scene.frames[method].points[side][-1]
            np.testing.assert_allclose(wise.points[side][frame], expected, atol=1e-3)
    x = data.load("twemoji", parts="test")
    small = dict(zip(x.concept.tolist(), x.images, strict=True))
    for concept, image in zip(scene.concepts["id"], trial.images["id"], strict=True):
        assert torch.equal(small[concept], image)


def test_regions_are_the_head_on_a_slice_through_the_points_mean(trial) -> None:
    """At the points' mean, the plane's logits are those of the mean feature."""
    frame = trial.frame(trial.probe.model)
    weight, bias = (x.detach().numpy() for x in trial.probe.model.head.parameters())
    for side in SIDES:
        mean = frame[side]["points"].mean(axis=0)
        drawn = frame[side]["regions"] @ [*mean, 1]
        expected = weight @ trial.start[side].mean(axis=0) + bias
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


def test_only_what_changed_is_trained_again_and_the_rest_repeats(encoder, scene) -> None:
    again = finish(record(encoder, replace(SETTING, lp_ft_lr=0.001), scene))
    assert again.frames["fine-tuning"] is scene.frames["fine-tuning"]
    assert again.frames["lp-ft"] is not scene.frames["lp-ft"]
    other = distortion.reusable(scene, replace(SETTING, head="zero"))
    assert "fine-tuning" not in other and "lp-ft" in other
    assert distortion.reusable(scene, replace(SETTING, shots=3)) == {}
    fresh = finish(record(encoder, SETTING))
    for side in SIDES:
        points = [s.frames["fine-tuning"].points[side] for s in (scene, fresh)]
        np.testing.assert_array_equal(*points)


@pytest.mark.parametrize("head", distortion.HEADS)
def test_fine_tuning_starts_from_the_chosen_head(encoder, head) -> None:
    trial = distortion.Trial(encoder, replace(SETTING, head=head, head_scale=2.0))
    weight, probe = trial.first("fine-tuning").head.weight, trial.probe.model.head.weight
    if head == "zero":
        assert not weight.any()
    elif head == "linear probe":
        torch.testing.assert_close(weight, 2 * probe)
    else:
        assert 0 < weight.abs().max() <= 2 * encoder.dim**-0.5


# The picture and the widget


@pytest.mark.parametrize("method", distortion.METHODS_SHOWN)
def test_every_method_can_be_drawn_and_told(scene, method) -> None:
    fig, axes = plots.figure(1, 2, (10, 5.5))
    draw_frame(axes, scene, method, -1)
    right = f"{scene.frames[method].accuracy['ood'][-1]:.0%}"
    assert axes[1].get_title("left") == f"OOD: fluent-mono, {right} right"
    text = describe_frame(scene, method, -1)
    assert plots.LOOKS[method].name in text and f"{right} in fluent-mono" in text


@pytest.fixture
def opened(encoder, scene) -> explorers.DistortionExplorer:
    return explorers.DistortionExplorer(encoder, SETTING, scene)


def test_what_is_sent_can_be_read_back_and_exported(opened, scene) -> None:
    sent = opened.stage.scene
    frames = scene.frames["fine-tuning"]
    points = np.frombuffer(sent["frames"]["fine-tuning"]["points"]["ood"], "<f4")
    np.testing.assert_allclose(points.reshape(frames.points["ood"].shape), frames.points["ood"])
    predicted = np.frombuffer(sent["frames"]["lp-ft"]["predicted"]["id"], "u1")
    assert predicted.tolist() == scene.frames["lp-ft"].predicted["id"].ravel().tolist()
    assert len(sent["texts"]["wise-ft"]) == 11
    bundle, metadata = opened._repr_mimebundle_()
    assert bundle["image/png"] and bundle["text/plain"] == metadata["image/png"]["alt"]
    assert bundle["text/plain"] == sent["texts"]["fine-tuning"][-1]


def test_every_training_control_gives_a_picture(opened) -> None:
    # Labels last: every training after them takes twice as long.
    for name, control in sorted(opened.controls.items(), key=lambda item: item[0] == "shots"):
        first, *_, last = settings(control)
        control.value = first if control.value == last else last
        assert opened.error is None and opened.scene.setting == opened.setting, name
    trained = opened.stage.version
    opened.stage.reset_request += 1
    assert opened.scene.setting == SETTING
    assert opened.stage.version == trained + 1, "Reset trains once, not once for each control"


def test_a_newer_wish_ends_the_training_it_outdates(opened, monkeypatch) -> None:
    monkeypatch.setattr(explorer, "SETTLE", 0)

    async def drag() -> None:
        for rate in (0.003, 0.03, 0.001):
            opened.controls["ft_lr"].value = rate
            await asyncio.sleep(0.05)
        await opened._task

    asyncio.run(drag())
    assert opened.scene.setting.ft_lr == 0.001 == opened.controls["ft_lr"].value
    assert opened.stage.version == 2, "the outdated trainings were given up"
    assert opened.stage.progress == -1


def test_an_explorer_that_is_replaced_stops_training_and_forgets(opened) -> None:
    async def leave() -> asyncio.Task:
        opened.controls["ft_lr"].value = 0.003
        await asyncio.sleep(0.01)
        task = opened._task
        opened.let_go()
        await asyncio.gather(task, return_exceptions=True)
        return task

    assert asyncio.run(leave()).cancelled()
    assert opened.scene is None and opened.encoder is None and opened.stage.scene == {}
    assert opened.controls == {} and opened.stage.comm is None


def test_the_explorer_opens_on_what_its_setting_gives(encoder, scene, monkeypatch) -> None:
    monkeypatch.setattr(distortion, "record", lambda *asked: asked)
    monkeypatch.setattr(distortion, "finish", lambda asked, told: scene if told == "bar" else asked)
    opened = explorers.feature_distortion(SETTING, encoder, "bar")
    assert opened.scene is scene and opened.setting == SETTING


def test_an_error_is_shown_and_raised(opened, monkeypatch) -> None:
    def fails(*_):
        raise FloatingPointError("the loss became nan")
        yield

    monkeypatch.setattr(distortion, "record", fails)
    with pytest.raises(FloatingPointError):
        opened.controls["shots"].value = 5
    assert opened.error == "FloatingPointError: the loss became nan"
    opened.controls["shots"].value = SETTING.shots
    assert opened.error is None, "what is shown is what is wanted again"
