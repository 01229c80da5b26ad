"""Tasks, shifts and episodes: no image serves two purposes, and labels mean what they say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from seeds import generator

from labkit import data, encoders, evaluate, tasks, training, transfer
from labkit.evaluate import Measure
from labkit.failure import corruptions


@pytest.fixture(scope="module")
def task() -> tasks.Task:
    return tasks.style_shift(("twemoji", "noto"), ("blob", "fluent-mono"))


def test_style_shift_has_the_named_styles_and_matching_labels(task) -> None:
    assert list(task.ood) == ["blob", "fluent-mono"]
    emoji = data.load(("twemoji", "noto"), parts="train")
    assert torch.equal(task.train.images, emoji.images)
    labels = [data.class_names().index(data.concepts()[i].label) for i in emoji.concept.tolist()]
    assert task.train.labels.tolist() == labels
    assert 0 < task.chance < 0.25


def test_chosen_classes_are_numbered_in_the_given_order() -> None:
    task = tasks.style_shift(("noto",), ("blob",), classes=("vehicle", "animal"))
    assert task.classes == ("vehicle", "animal")
    assert set(task.train.labels.tolist()) == {0, 1}
    names = [data.concepts()[i].label for i in data.load("noto", parts="train").concept.tolist()]
    expected = [task.classes.index(name) for name in names if name in task.classes]
    assert task.train.labels.tolist() == expected


def test_a_class_that_is_named_twice_is_refused() -> None:
    """Its first number had no examples."""
    with pytest.raises(ValueError, match="^classes: got .*accepted: each once"):
        tasks.style_shift(("noto",), ("blob",), classes=("animal", "plant", "animal"))


def test_one_style_may_be_named_alone() -> None:
    """As `data.load` and `subpopulation_shift` take it."""
    one, two = tasks.style_shift("noto", "blob"), tasks.style_shift(("noto",), ("blob",))
    assert one.name == two.name and list(one.ood) == ["blob"]
    assert torch.equal(one.test.images, two.test.images)


def test_subpopulations_do_not_overlap() -> None:
    task = tasks.subpopulation_shift(("noto",))
    assert "clothing" not in task.classes and "animal" in task.classes
    source = {i.numpy().tobytes() for part in (task.train, task.test) for i in part.images}
    target = {i.numpy().tobytes() for i in task.ood["other subgroups"].images}
    assert not source & target and len(target) > 100


TASK = tasks.style_shift(("twemoji",), ("noto",))


@given(shots=st.integers(1, 30), seed=st.integers(0, 10))
def test_few_shot_takes_that_many_of_each_class(shots: int, seed: int) -> None:
    few = tasks.few_shot(TASK, shots, generator(seed))
    expected = TASK.train.labels.bincount().clamp(max=shots)
    assert torch.equal(few.train.labels.bincount(), expected)
    everything = {i.numpy().tobytes() for i in TASK.train.images}
    assert {i.numpy().tobytes() for i in few.train.images} <= everything
    assert few.test is TASK.test
    assert torch.equal(tasks.few_shot(TASK, shots, generator(seed)).train.images, few.train.images)
    assert tasks.few_shot(TASK, None, generator()) is TASK


EMOJI = data.load(parts="test")


@given(st.integers(2, 20), st.integers(1, 4), st.integers(1, 3), st.integers(0, 5))
def test_an_episode_has_its_shape_and_no_shared_image(ways, shots, queries, seed) -> None:
    episode = tasks.sample_episode(EMOJI, ways, shots, queries, generator(seed))
    assert episode.support.labels.bincount().tolist() == [shots] * ways
    assert episode.query.labels.bincount().tolist() == [queries] * ways
    assert len(set(episode.concepts.tolist())) == ways
    drawings = zip(EMOJI.images, EMOJI.concept.tolist(), strict=True)
    find = {image.numpy().tobytes(): concept for image, concept in drawings}
    for side in (episode.support, episode.query):
        for image, label in zip(side.images, side.labels.tolist(), strict=True):
            assert find[image.numpy().tobytes()] == episode.concepts[label]


def test_a_concept_with_many_drawings_is_drawn_as_often_as_any_other() -> None:
    """Ten drawings of the first, three of the five others: two of six concepts an episode."""
    concept = torch.tensor([0] * 10 + [c for c in range(1, 6) for _ in range(3)])
    style = torch.cat([torch.arange(10), torch.arange(3).repeat(5)])
    emoji, rng = data.Emoji(torch.zeros(25, 1), concept, style), generator(0)
    drawn = torch.cat([tasks.sample_episode(emoji, 2, 1, 1, rng).concepts for _ in range(600)])
    assert stats.chisquare(drawn.bincount(minlength=6).numpy()).pvalue > 0.01


def test_an_episode_can_cross_styles() -> None:
    episode = tasks.sample_episode(EMOJI, 5, 1, 1, generator(), ("noto",), ("fluent-mono",))
    noto = {i.numpy().tobytes() for i in EMOJI.drawn_in("noto").images}
    mono = {i.numpy().tobytes() for i in EMOJI.drawn_in("fluent-mono").images}
    assert {i.numpy().tobytes() for i in episode.support.images} <= noto
    assert {i.numpy().tobytes() for i in episode.query.images} <= mono


def test_impossible_episodes_are_explained() -> None:
    with pytest.raises(ValueError, match="ways: got 5, but only 0 concepts have 2 drawings"):
        tasks.sample_episode(EMOJI, 5, 2, 1, generator(), ("noto",), ("blob",))


@pytest.mark.parametrize("kind", corruptions.AMOUNTS)
def test_corruptions_grow_with_severity(task, kind: str) -> None:
    images = task.test.images
    damaged = [corruptions.corrupt(images, kind, severity, generator()) for severity in range(6)]
    damage = [(changed.float() - images.float()).abs().mean() for changed in damaged]
    assert damage[0] == 0
    if kind == "rotation":  # a quarter turn needs no interpolation and may land nearer
        damage = damage[:5]
    assert damage == sorted(damage)


def test_full_inversion_is_the_negative_and_rotation_turns() -> None:
    images = torch.randint(0, 256, (4, 3, 8, 8), generator=generator(), dtype=torch.uint8)
    assert torch.equal(corruptions.corrupt(images, "inversion", 5, generator()), 255 - images)
    turned = corruptions.corrupt(images, "rotation", 5, generator())
    for before, after in zip(images, turned, strict=True):
        quarter_turns = [before.rot90(k, (1, 2)) for k in (1, 3)]
        assert any((after.int() - q.int()).abs().max() <= 1 for q in quarter_turns)


@pytest.mark.parametrize("kind", corruptions.AMOUNTS)
def test_damage_does_not_depend_on_torch_s_default_type(task, kind: str) -> None:
    found = [corruptions.corrupt(task.test.images[:20], kind, 3, generator())]
    torch.set_default_dtype(torch.float64)
    try:
        found.append(corruptions.corrupt(task.test.images[:20], kind, 3, generator()))
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(*found)


def test_corrupted_tasks_keep_labels(task) -> None:
    noisy = corruptions.with_corruptions(task, "noise", generator(), (1, 3))
    assert list(noisy.ood) == ["noise 1", "noise 3"]
    assert torch.equal(noisy.ood["noise 3"].labels, task.test.labels)


def test_the_toy_task_is_easy_seeded_and_of_any_size() -> None:
    toy = tasks.toy()
    assert transfer.linear_probe(encoders.TinyEncoder(), toy).validation > 0.6
    assert torch.equal(tasks.toy(1).train.images, tasks.toy(1).train.images)
    assert not torch.equal(tasks.toy(1).train.images, toy.train.images)
    assert tasks.toy(size=8).test.images.shape == (30, 3, 8, 8) and toy.ood == {}


# Who drew it: styles as labels, concepts that never meet; and what a sweep measures


@pytest.fixture(scope="module")
def authors() -> tasks.Task:
    return tasks.who_drew_it(("face", "hand"), ("plant",), split=3)


def test_labels_are_styles_and_parts_keep_their_concepts(authors: tasks.Task) -> None:
    assert authors.classes == data.STYLES
    emoji, parts = data.load(parts=tasks.DOWNSTREAM), tasks.downstream_parts(3)
    label = data.labels_of(emoji.concept)
    for part, classes, found in (
        ("train", ("face", "hand"), authors.train),
        ("test", ("face", "hand"), authors.test),
        ("test", ("plant",), authors.ood["other things"]),
    ):
        wanted = {data.class_names().index(name) for name in classes}
        drawn = enumerate(zip(emoji.concept.tolist(), label.tolist(), strict=True))
        rows = [i for i, (place, kind) in drawn if place in parts[part] and kind in wanted]
        assert torch.equal(found.images, emoji.images[rows])
        assert torch.equal(found.labels, emoji.style[rows])


def test_by_default_all_classes_are_used_half_of_them_to_learn_from() -> None:
    task = tasks.who_drew_it()
    test = data.load(parts="test")
    assert len(task.test.labels) + len(task.ood["other things"].labels) == len(test)


class Mean(torch.nn.Module):
    """The mean colour as features, times a weight."""

    dim = 3

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(weight))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weight * images.float().mean(dim=(2, 3)) / 255


def test_a_sweep_measures_what_the_single_measures_do(authors: tasks.Task) -> None:
    start = Mean()
    probe = transfer.linear_probe(start, authors)
    moved = training.Fit(training.Classifier(Mean(1.25), probe.model.head), validation=0.5)
    found = Measure(start, authors)(moved)
    assert found["validation"] == 0.5
    other = authors.ood["other things"]
    for name, examples in (("id", authors.test), ("ood", other)):
        accuracy = training.accuracy(moved.model, examples)
        assert found[name] == pytest.approx(accuracy, abs=1e-4)
        before, after = (training.features(e, examples.images) for e in (start, Mean(1.25)))
        expected = evaluate.movement(before, after).mean
        assert found[f"moved_{name}"] == pytest.approx(expected, rel=1e-3)
    alone = Measure(start, replace(authors, ood={}))(moved)
    assert alone == {name: x for name, x in found.items() if not name.endswith("ood")}
    images, labels = authors.test.images.numpy(), authors.test.labels.numpy()
    backwards = tasks.Examples(images[::-1], labels[::-1].astype(np.uint16))
    assert Measure(start, replace(authors, test=backwards, ood={}))(moved) == alone


def test_a_task_of_arrays_knows_its_chance_and_becomes_tensors() -> None:
    arrays = tasks.Examples(np.zeros((4, 3, 2, 2), np.uint8), np.array([0, 1, 1, 1]))
    task = tasks.Task("t", ("a", "b"), arrays, arrays, arrays, {})
    assert task.chance == 0.75
    assert tasks.largest_share(arrays.labels.astype(np.uint16)) == 0.75
    assert torch.equal(task.to("cpu").test.labels, torch.tensor([0, 1, 1, 1]))
