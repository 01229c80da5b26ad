"""The recording: what is in a scene is what the networks do, and the widget follows wishes."""

import asyncio
import base64
import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit import data, encoders, explorers, transfer
from labkit.lp_ft import distortion, explorer, scene
from labkit.lp_ft.distortion import SIDES, ExplorerSetting, moving_plane, record
from labkit.tasks import Examples
from labkit.ui.steps import finish

SETTING = ExplorerSetting(shots=2, steps=3, ft_lr=0.01)


@pytest.fixture(scope="module")
def encoder() -> torch.nn.Module:
    return encoders.load("clip-conv").image


@pytest.fixture(scope="module")
def told() -> list[float]:
    return []


@pytest.fixture(scope="module")
def take(encoder, told) -> distortion.Take:
    return finish(record(encoder, SETTING), lambda done, text: told.append(done))


def images_of(take: distortion.Take, side: str) -> Examples:
    x = data.half_size(take.emoji[side].images)
    return Examples(x, torch.from_numpy(take.labels[side]))


def test_every_method_is_recorded_for_the_same_images_from_the_same_start(take, told) -> None:
    assert list(take.tracks) == ["probe", "fine-tuning", "lp-ft", "wise-ft"]
    assert take.steps.tolist() == [0, 1, 2, 3]
    for method, track in take.tracks.items():
        for side in SIDES:
            f, n = 1 if method == "probe" else 4, len(take.labels[side])
            assert n == len(take.emoji[side]) > 50
            assert track.features[side].shape[:2] == track.predicted[side].shape == (f, n)
            start = take.tracks["probe"].features[side][0]
            np.testing.assert_allclose(track.features[side][0], start, atol=1e-4)
    assert np.abs(take.tracks["fine-tuning"].moved("id")[-1]).max() > 0
    assert told == sorted(told) and told[0] == 0 and told[-1] == 1


def test_accuracies_are_those_of_the_recipes_on_the_same_images(encoder, take) -> None:
    """The last frames are what `transfer` returns, by its own `accuracy`."""
    trial = distortion.Trial(encoder, SETTING)
    frozen = transfer.Schedule(SETTING.steps, freeze_norm=True, record_every=0)
    plain = transfer.Schedule(SETTING.steps, record_every=0)
    seeded = [torch.Generator().manual_seed(0) for _ in range(3)]
    probe = transfer.linear_probe(encoder, trial.task)
    ft = transfer.fit(trial.first("fine-tuning"), trial.task, SETTING.ft_lr, seeded[0], plain)
    fits = {
        "probe": probe,
        "fine-tuning": ft,
        "lp-ft": transfer.lp_ft(encoder, trial.task, SETTING.lp_ft_lr, seeded[1], frozen),
        "wise-ft": transfer.wise_ft(probe, ft, trial.task),
    }
    for method, fit in fits.items():
        for side in SIDES:
            expected = transfer.accuracy(fit.model, images_of(take, side))
            assert take.accuracy(method, side)[-1] == pytest.approx(expected), method


def test_the_same_setting_gives_the_same_bytes(encoder, take) -> None:
    again = finish(record(encoder, SETTING))
    assert json.dumps(scene.pack({"a": again})) == json.dumps(scene.pack({"a": take}))


def test_only_what_changed_is_trained_again(encoder, take) -> None:
    again = finish(record(encoder, replace(SETTING, lp_ft_lr=0.001), take))
    assert again.tracks["fine-tuning"] is take.tracks["fine-tuning"]
    assert again.tracks["lp-ft"] is not take.tracks["lp-ft"]
    other = distortion.reusable(take, replace(SETTING, head="zero"))
    assert set(other) == {"probe", "lp-ft"}
    assert distortion.reusable(take, replace(SETTING, shots=3)) == {}


@pytest.mark.parametrize("head", distortion.HEADS)
def test_fine_tuning_starts_from_the_chosen_head(encoder, head) -> None:
    trial = distortion.Trial(encoder, replace(SETTING, head=head, head_scale=2.0))
    weight, probe = trial.first("fine-tuning").head.weight, trial.probe.head.weight
    if head == "zero":
        assert not weight.any()
    elif head == "linear probe":
        torch.testing.assert_close(weight, 2 * probe)
    else:
        assert 0 < weight.abs().max() <= 2 * encoder.dim**-0.5


@given(seed=st.integers(0, 1000), classes=st.integers(3, 6), size=st.floats(0, 9))
def test_the_plane_shows_two_fifths_of_the_movement_or_all_that_two_axes_can(seed, classes, size):
    rng = np.random.default_rng(seed)
    labels = np.arange(40) % classes
    x = rng.normal(size=(40, 7)) + 3 * rng.normal(size=(classes, 7))[labels]
    moved = size * rng.normal(size=(30, 7)) * rng.uniform(0.1, 1, 7)
    plane = moving_plane(x, labels, moved)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-9)
    if size < 1e-6:
        return
    squares = np.linalg.svd(moved, compute_uv=False) ** 2
    most = squares[:2].sum() / squares.sum()
    share = distortion.share_shown(plane, moved)
    assert min(distortion.SHOWN, most) - 1e-9 <= share <= most + 1e-9
    assert np.square(moved @ plane.axes[1]).sum() == pytest.approx(squares[0])
    assert moved.mean(axis=0) @ plane.axes[1] >= 0, "upwards is where features go"


@pytest.mark.parametrize("classes", [np.eye(6)[0], np.ones(6)])
def test_where_classes_differ_along_the_movement_alone_the_axes_are_orthonormal(classes) -> None:
    """What was left beside it was rounding, and was taken for a direction."""
    x, moved = np.outer([1, 1, -1, -1], classes), np.outer([1, 2, 3], classes)
    plane = moving_plane(x, np.array([0, 0, 1, 1]), moved)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-9)
    assert distortion.share_shown(plane, moved) == pytest.approx(1)


def test_without_need_the_plane_s_first_axis_is_the_class_axis() -> None:
    """Movement in one direction alone: the other is where class means differ most."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(60, 6)) * [9, 4, 1, 1, 1, 1], np.arange(60) % 3
    x[:, 0] += 20 * labels
    plane = moving_plane(x, labels, np.outer(rng.uniform(1, 2, 30), np.eye(6)[5]))
    assert abs(plane.axes[1, 5]) == pytest.approx(1) and abs(plane.axes[0, 0]) > 0.95


def test_bad_input_for_a_plane_is_named() -> None:
    with pytest.raises(ValueError, match="labels: got one class"):
        moving_plane(np.eye(3), np.zeros(3), np.eye(3))
    with pytest.raises(ValueError, match="moved: "):
        moving_plane(np.eye(3), np.arange(3), np.full((3, 3), np.nan))


def test_the_shipped_features_are_seen_to_move(take) -> None:
    plane = distortion.plane_of(take)
    moved = np.concatenate([take.tracks["fine-tuning"].moved(side)[-1] for side in SIDES])
    assert distortion.share_shown(plane, moved) > 0.4


def array(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def test_a_scene_can_be_read_back_and_is_small(take) -> None:
    packed = scene.pack({"first": take, "second": take})
    assert len(json.dumps(packed)) < 500_000
    found, plane = packed["takes"]["first"]["tracks"], distortion.plane_of(take)
    for method, track in take.tracks.items():
        for side in SIDES:
            sent, x = found[method], track.features[side]
            places = array(sent["places"][side], "<i2").reshape(*x.shape[:2], 2) * sent["unit"]
            np.testing.assert_allclose(places, (x - plane.origin) @ plane.axes.T, atol=1e-2)
            drift = array(sent["drift"][side], "u1").reshape(x.shape[:2]) * sent["farthest"] / 255
            expected = np.linalg.norm(track.moved(side), axis=2)
            np.testing.assert_allclose(drift, expected, atol=sent["farthest"] / 255)
            np.testing.assert_allclose(sent["moved"][side], expected.mean(axis=1))
            predicted = array(sent["predicted"][side], "u1").reshape(x.shape[:2])
            np.testing.assert_array_equal(predicted, track.predicted[side])
            assert sent["accuracy"][side] == take.accuracy(method, side).tolist()
            style = packed["styles"][getattr(SETTING, f"{side}_style")]
            assert style["labels"] == take.labels[side].tolist()
            assert style["concepts"] == take.emoji[side].concept.tolist()


def test_neighbours_are_the_nearest_of_both_sides(take) -> None:
    track = take.tracks["lp-ft"]
    x = torch.from_numpy(np.concatenate([track.features[side][-1] for side in SIDES]).astype(float))
    distance = torch.cdist(x, x).fill_diagonal_(torch.inf)
    found = torch.from_numpy(scene.neighbours(track, -1).astype(int))
    nearest = distance.sort(dim=1).values[:, : scene.NEIGHBOURS]
    torch.testing.assert_close(distance.gather(1, found), nearest, atol=1e-6, rtol=1e-6)


@pytest.fixture
def opened(encoder, take) -> explorers.DistortionExplorer:
    takes = {"dramatic": take, "honest": take}
    return explorers.DistortionExplorer(encoder, scene.pack(takes), takes)


def ask(opened, setting: dict | None) -> None:
    opened.stage.request = {"number": opened.stage.request.get("number", 0) + 1, "setting": setting}


def test_it_leaves_a_page_and_words_where_no_widget_can_run(opened, take) -> None:
    bundle, metadata = opened._repr_mimebundle_()
    page = bundle["text/html"]
    assert metadata == {"alive": True} and page.count("<script") == 1
    assert all(word not in page for word in ("http:", "https:")) and "kernel" not in page[-999:]
    assert f"FT {take.accuracy('fine-tuning', 'id')[-1]:.0%} and" in bundle["text/plain"]


def test_a_training_is_drawn_as_it_goes_and_kept(opened, take) -> None:
    drawn = []
    opened.stage.observe(lambda change: drawn.append(change.new["take"]["tracks"]), "live")
    ask(opened, {"ft_lr": 0.003, "id_style": "noto"})
    for method in ("fine-tuning", "lp-ft"):
        assert [tracks[method]["frames"] for tracks in drawn] == [1, 2, 3, 4]
    assert set(opened.stage.live["styles"]) == {"noto"}, "only what the browser has not"
    assert opened.takes["yours"].setting == replace(SETTING, ft_lr=0.003, id_style="noto")
    assert opened.stage.progress == -1 and opened.error is None


def test_a_stop_a_newer_wish_and_the_end_of_an_explorer_end_a_training(opened) -> None:
    async def reader() -> None:
        for end in (lambda: ask(opened, {"ft_lr": 0.001}), lambda: ask(opened, None)):
            ask(opened, {"ft_lr": 0.003})
            while opened.stage.progress <= 0:
                await asyncio.sleep(0)
            end()
            assert opened.stage.progress == -1 and "yours" not in opened.takes
        ask(opened, {"ft_lr": 0.003})
        await asyncio.sleep(0.01)
        opened.let_go()
        await asyncio.sleep(0.01)

    asyncio.run(reader())
    assert opened.takes == {} and opened.encoder is None and opened.stage.content == {}
    assert opened.stage.comm is None and opened.stage.progress == -1


@pytest.mark.parametrize("setting", [{"shots": 0}, {"ft_lr": 1e9}], ids=["input", "training"])
def test_an_error_is_shown_and_raised(opened, setting) -> None:
    with pytest.raises((ValueError, FloatingPointError)):
        ask(opened, setting)
    assert opened.error and opened.stage.progress == -1
    ask(opened, {"ft_lr": 0.003})
    assert opened.error is None


def test_it_opens_on_a_dramatic_and_an_honest_take(encoder) -> None:
    told = []
    opened = explorers.feature_distortion(SETTING, encoder, lambda done, text: told.append(done))
    rates = {name: take.setting.ft_lr for name, take in opened.takes.items()}
    assert rates == {"dramatic": SETTING.ft_lr, "honest": 0.03}
    assert opened.takes["honest"].tracks["lp-ft"] is opened.takes["dramatic"].tracks["lp-ft"]
    assert told == sorted(told) and told[-1] == pytest.approx(1)


@pytest.fixture(scope="module")
def recorded() -> explorers.DistortionExplorer:
    return explorers.feature_distortion()


def test_the_recording_is_of_the_shipped_setting_and_starts_where_the_encoder_is(recorded) -> None:
    content = recorded.stage.content
    settings = {name: ExplorerSetting(**x["setting"]) for name, x in content["takes"].items()}
    assert settings["dramatic"] == recorded.setting == ExplorerSetting()
    assert settings["honest"] == replace(ExplorerSetting(), ft_lr=0.03)
    trial = distortion.Trial(recorded.encoder, recorded.setting)
    now, then = trial.frame(trial.probe), content["takes"]["dramatic"]["tracks"]["probe"]
    for side in SIDES:
        predicted = array(then["predicted"][side], "u1")
        assert np.mean(predicted == now[side][1]) > 0.98, "other processors round otherwise"
        style = content["styles"][getattr(recorded.setting, f"{side}_style")]
        assert style["labels"] == trial.labels[side].tolist()


def test_a_recorded_scene_trains_what_is_asked_of_it_from_nothing(recorded) -> None:
    assert recorded.takes == {}
    asyncio.run(finished(recorded, {"steps": 1, "ft_lr": 0.01}))
    assert recorded.takes["yours"].steps.tolist() == [0, 1]
    assert set(recorded.stage.live["take"]["tracks"]) == set(distortion.METHODS_SHOWN)


async def finished(opened, setting: dict) -> None:
    ask(opened, setting)
    while opened.stage.progress >= 0 or "yours" not in opened.takes:
        await asyncio.sleep(0.01)


@pytest.mark.skipif(not os.environ.get("LABKIT_LONG"), reason="a minute: LABKIT_LONG=1")
def test_the_recording_can_be_made_again() -> None:
    """To a picture or two: processors round otherwise, and training makes more of it."""
    again = explorer.two_takes(encoders.load(explorer.ENCODER).image, ExplorerSetting())
    shipped = json.loads(data.read_bytes(explorer.RECORDING))["takes"]
    for name, take in again.items():
        for method in take.tracks:
            for side in SIDES:
                then = shipped[name]["tracks"][method]["accuracy"][side]
                assert take.accuracy(method, side)[-1] == pytest.approx(then[-1], abs=0.05)
