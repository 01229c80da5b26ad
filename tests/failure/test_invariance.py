"""Trap tasks, mismatched preparation, and reports under shift: what is asked, and of what."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from labkit import data, encoders, sweeps, tasks, transfer, weights
from labkit.calibration import answers, calibration_error
from labkit.contrastive import pretrain
from labkit.failure import corruptions, invariance, sweep, under_shift
from labkit.failure import label_free_estimates as proxies


@pytest.mark.parametrize("question", invariance.QUESTIONS)
def test_a_trap_task_asks_the_same_concepts_in_other_styles(question: str) -> None:
    task = invariance.trap_task(question, seed=1)
    parts = [task.train, task.validation, task.test]
    images = [{i.numpy().tobytes() for i in part.images} for part in parts]
    # Some styles share a drawing of a triangle or square; nearly all images are new.
    assert len(images[0] & images[2]) <= 0.15 * len(images[2])
    classes = range(len(task.classes))
    assert all(set(part.labels.tolist()) == set(classes) for part in parts[::2])
    assert torch.equal(task.test.images, invariance.trap_task(question, seed=1).test.images)
    other = invariance.trap_task(question, seed=2).test.images
    assert task.test.images.shape != other.shape or not torch.equal(task.test.images, other)


def test_answers_come_from_the_table() -> None:
    place = {c.emoji: c.position for c in data.concepts()}
    assert invariance.trap_answers("colour")[place["💚"]] == "green"
    assert invariance.trap_answers("shape")[place["💚"]] == "heart"
    assert invariance.trap_answers("direction")[place["👈"]] == "left"
    assert place["💚"] not in invariance.trap_answers("direction")


def test_the_four_encoders_are_shipped_with_what_made_them() -> None:
    for (color, flip), name in invariance.WEIGHTS.items():
        config, _ = weights.parse_tensors(data.read_bytes(f"weights/{name}.safetensors"))
        made = pretrain.Config("simclr", augmentation=config["augmentation"]).make_augmentation()
        assert (made.color > 0, made.hue > 0, made.gray > 0) == (color, color, color)
        assert (made.flip > 0) == flip


def test_thumbnails_are_the_mean_of_their_places() -> None:
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    found = invariance.Pixels(1)(images)
    assert found == pytest.approx(images.float().mean(dim=(2, 3)) / 255)
    assert invariance.Pixels(8)(images).shape == (2, invariance.Pixels(8).dim)
    assert torch.allclose(invariance.Pixels(1)(images / 255), found), "floats are read alike"


@given(size=st.sampled_from(sweep.SIZES), grey=st.integers(0, 255))
def test_resizing_keeps_a_plain_picture_plain(size: int, grey: int) -> None:
    found = corruptions.resize(torch.full((1, 3, 64, 64), grey, dtype=torch.uint8), size)
    assert found.shape == (1, 3, size, size) and found == pytest.approx(grey / 255, abs=1e-6)


def test_no_strength_changes_nothing() -> None:
    images = torch.rand(2, 3, 32, 32)
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(corruptions.strength(0)(images, generator), images)
    assert corruptions.strength(2).rotate == 2 * corruptions.strength(1).rotate > 0


def test_a_report_agrees_with_its_parts() -> None:
    task = tasks.style_shift(("twemoji",), ("fluent-mono",))
    model = transfer.linear_probe(encoders.load("clip-conv").image, task).model
    known = under_shift.in_distribution(model, task)
    test = task.ood["fluent-mono"]
    found = under_shift.report(model, known, test)
    assert found.n == len(test.labels)
    assert found.accuracy == pytest.approx(transfer.accuracy(model, test))
    logits = transfer.features(model, test.images)
    plain, scaled = (answers(logits, test.labels, t) for t in (1, known.temperature))
    assert found.confidence == pytest.approx(plain.confidence.mean())
    assert found.scaled_error == pytest.approx(calibration_error(scaled))
    guess = proxies.average_thresholded_confidence(known.validation, scaled.confidence)
    assert found.atc == pytest.approx(guess)
    other = under_shift.report(model, known, tasks.Examples(test.images, test.labels.roll(1)))
    assert (found.doc, found.atc) == (other.doc, other.atc), "no look at the labels"
    assert found.accuracy != other.accuracy


def test_tests_of_a_model_are_means_over_seeds() -> None:
    table = sweeps.read("shifts")
    found = under_shift.by_test(table, "simclr")
    for test in ("ID", "noise 3", "sub-population"):
        cell = sweeps.scores(table, "accuracy", model="simclr", test=test)
        assert found.loc[test, "accuracy"] == pytest.approx(cell.mean)
        assert found.loc[test, "low"] < cell.mean < found.loc[test, "high"]
    with pytest.raises(ValueError, match="model: got .'clip'"):
        under_shift.by_test(table, "clip")
