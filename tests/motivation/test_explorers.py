"""Panels as a reader uses them: every control at its ends and middle; the text follows."""

import pytest
import torch
from panels import check_background_reused, check_every_control, settings

from labkit import data, encoders, explorers
from labkit.motivation import panels as panels_01
from labkit.ui.panel import Panel


@pytest.fixture(scope="module")
def neighbours() -> Panel:
    return explorers.neighbours()


def test_neighbours_follow_every_control(neighbours: Panel) -> None:
    check_every_control(neighbours)
    for control in neighbours.controls.values():
        for value in settings(control):
            control.value = value
            assert neighbours.result.name in neighbours.alt
        neighbours.reset()


def test_neighbours_stay_in_place_from_emoji_to_emoji(neighbours: Panel) -> None:
    """Names of any length leave the layout alone."""
    options = neighbours.controls["emoji"]._options_full
    check_background_reused(neighbours, "emoji", [value for _, value in options][1:21])


def test_neighbours_are_the_nearest_other_concepts(neighbours: Panel) -> None:
    """Against a plain loop over all images."""
    gallery = explorers.make_gallery(encoders.load("clip-conv").image)
    position = neighbours.controls["emoji"].value
    result = explorers.compute_neighbours(gallery, position, "noto")
    features = torch.nn.functional.normalize(gallery.features["pretrained"], dim=1)
    drawn = list(zip(gallery.emoji.concept.tolist(), gallery.emoji.style.tolist(), strict=True))
    row = drawn.index((position, data.STYLES.index("noto")))
    best: dict[int, float] = {}
    for i, (concept, _) in enumerate(drawn):
        if concept != position:
            best[concept] = max(best.get(concept, -2), float(features[row] @ features[i]))
    expected = sorted(best, key=best.get, reverse=True)[: explorers.NEIGHBOURS]
    assert result.names["pretrained"] == [data.concepts()[c].name for c in expected]


def learn(encoder, **changes) -> explorers.Learned:
    choice = {
        "classes": ("animal", "vehicle"), "shots": 2, "style": "twemoji", "seed": 0,
        "ood_style": "fluent-mono", "methods": ("probe", "fine-tuning", "scratch"),
    }  # fmt: skip
    return explorers.compute_learned(encoder, **{**choice, **changes})


@pytest.fixture(scope="module")
def encoder():
    return encoders.load("clip-conv").image


def test_own_task_trains_every_method_and_repeats(encoder, monkeypatch) -> None:
    monkeypatch.setattr(panels_01, "LIVE_STEPS", 4)
    done = []
    one = learn(encoder, progress=lambda fraction, text: done.append(fraction))
    assert set(one.histories) == {"probe", "fine-tuning", "scratch"}
    assert one.histories == learn(encoder).histories
    assert done == sorted(done) and done[-1] == 1
    assert "linear probe" in explorers.describe_learned(one)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ("animal",)}, "classes: got 1, choose two"),
        ({"methods": ()}, "methods: got none"),
        ({"ood_style": "twemoji"}, "got twemoji for both"),
    ],
)
def test_impossible_choices_are_explained(encoder, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        learn(encoder, **changes)


def test_the_panel_waits_for_its_button_then_shows_the_result(monkeypatch) -> None:
    monkeypatch.setattr(panels_01, "LIVE_STEPS", 2)
    panel = explorers.own_task()
    assert panel.result is None
    panel.controls["classes"].value = ("plant", "clothing")
    panel.controls["methods"].value = ("linear probe",)
    assert panel.result is None
    panel.run()
    assert panel.result.classes == ("plant", "clothing") and panel.png()
    panel.controls["shots"].value = 20
    assert "Settings changed" in panel.status
