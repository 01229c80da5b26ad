"""Who drew it: styles as labels, concepts that never meet; and what a sweep measures."""

from __future__ import annotations

import pytest
import torch

from labkit import data, evaluate, tasks, training, transfer
from labkit.sweeps import Measure


@pytest.fixture(scope="module")
def task() -> tasks.Task:
    return tasks.who_drew_it(("face", "hand"), ("plant",), split=3)


def test_labels_are_styles_and_parts_keep_their_concepts(task: tasks.Task) -> None:
    assert task.classes == data.STYLES
    emoji, parts = data.load(parts=tasks.DOWNSTREAM), tasks.downstream_parts(3)
    label = data.labels_of(emoji.concept)
    for part, classes, found in (
        ("train", ("face", "hand"), task.train),
        ("test", ("face", "hand"), task.test),
        ("test", ("plant",), task.ood["other things"]),
    ):
        wanted = {data.class_names().index(name) for name in classes}
        rows = [
            i
            for i, (concept, kind) in enumerate(
                zip(emoji.concept.tolist(), label.tolist(), strict=True)
            )
            if concept in parts[part] and kind in wanted
        ]
        assert torch.equal(found.images, emoji.images[rows])
        assert torch.equal(found.labels, emoji.style[rows])


def test_by_default_all_classes_are_used_half_of_them_to_learn_from() -> None:
    task = tasks.who_drew_it()
    test = data.load(parts="test")
    assert len(task.test.labels) + len(task.ood["other things"].labels) == len(test)


@pytest.mark.parametrize(
    ("classes", "ood_classes", "message"),
    [
        (("dragon",), None, "classes: got"),
        (None, ("dragon",), "ood_classes: got"),
        (("face",), ("face", "hand"), "ood_classes: got .*, accepted: none of classes, .'face'"),
    ],
)
def test_impossible_tasks_are_refused(classes, ood_classes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tasks.who_drew_it(classes, ood_classes)


class Mean(torch.nn.Module):
    """The mean colour as features, times a weight."""

    dim = 3

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weight * images.float().mean(dim=(2, 3)) / 255


def test_a_sweep_measures_what_the_single_measures_do(task: tasks.Task) -> None:
    start = Mean()
    probe = transfer.linear_probe(start, task)
    moved = training.Fit(training.Classifier(Mean(1.25), probe.model.head), validation=0.5)
    found = Measure(start, task)(moved)
    assert found["validation"] == 0.5
    other = task.ood["other things"]
    for name, examples in (("id", task.test), ("ood", other)):
        accuracy = training.accuracy(moved.model, examples)
        assert found[name] == pytest.approx(accuracy, abs=1e-4)
        before, after = (training.features(e, examples.images) for e in (start, Mean(1.25)))
        expected = evaluate.movement(before, after).mean
        assert found[f"moved_{name}"] == pytest.approx(expected, rel=1e-3)
