"""One backbone, many tasks: saved alone, attached to the backbone they belong to."""

from pathlib import Path

import pytest
import torch
from shared import Torchvisions, assert_same, small_encoder, snapshot, tiny_task, tuned

from labkit import adapters, training
from labkit.adapters import METHODS, task_weights


def double_encoder() -> torch.nn.Module:
    return small_encoder().double()


@pytest.mark.parametrize("make", [small_encoder, double_encoder, Torchvisions])
@pytest.mark.parametrize("name", METHODS)
def test_a_task_is_saved_and_attached_alone(name: str, make, tmp_path: Path) -> None:
    model, images = tuned(METHODS[name], make()), tiny_task().test.images
    expected = training.features(model, images)
    weights = task_weights.extract(model)
    task_weights.save(weights, tmp_path / "colours.safetensors")
    assert not list(tmp_path.glob("*.tmp"))
    found = task_weights.read(tmp_path / "colours.safetensors")
    assert found.method == weights.method
    assert sum(x.numel() for x in found.tensors.values()) == adapters.count(model)
    backbone = make()
    before = snapshot(backbone)
    again = task_weights.attach(backbone, found)
    assert again.encoder is backbone, "the backbone is not copied"
    assert torch.equal(training.features(again, images), expected)
    assert_same(before, snapshot(adapters.remove(backbone)))


def test_one_backbone_switches_between_tasks() -> None:
    models = {name: tuned(METHODS[name], seed=i) for i, name in enumerate(METHODS)}
    images = tiny_task().test.images
    expected = {name: training.features(model, images) for name, model in models.items()}
    stored = {name: task_weights.extract(model) for name, model in models.items()}
    backbone = small_encoder()
    for name in (*METHODS, *METHODS):
        model = task_weights.attach(backbone, stored[name])
        assert torch.equal(training.features(model, images), expected[name])


def broken(**changes) -> task_weights.TaskWeights:
    """A task's weights of which some tensors are replaced, or left out (None)."""
    weights = task_weights.extract(tuned(METHODS["adapters"]))
    tensors = {name: x for name, x in (weights.tensors | changes).items() if x is not None}
    return weights._replace(tensors=tensors)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder.norm.weight": None}, r"'encoder.norm.weight': got none, accepted: \(16,\)"),
        ({"encoder.odd": torch.zeros(16)}, r"'encoder.odd': got \(16,\), accepted: none"),
        ({"encoder.norm.weight": torch.zeros(8)}, r"got \(8,\), accepted: \(16,\)"),
        ({"head.weight": None}, "'head.weight' is missing"),
    ],
)
def test_weights_that_do_not_fit_attach_nothing(changes: dict, message: str) -> None:
    encoder = small_encoder()
    before = snapshot(encoder)
    with pytest.raises(ValueError, match=message):
        task_weights.attach(encoder, broken(**changes))
    assert_same(before, snapshot(encoder))


def test_another_backbone_is_refused_unless_the_task_brings_all_of_it() -> None:
    stranger = small_encoder(seed=1)
    before = snapshot(stranger)
    with pytest.raises(ValueError, match="encoder: got a backbone with digest .* accepted"):
        task_weights.attach(stranger, broken())
    assert_same(before, snapshot(stranger))
    full = tuned(METHODS["fine-tuning"])
    model, images = task_weights.attach(stranger, task_weights.extract(full)), tiny_task().test[0]
    assert torch.equal(training.features(model, images), training.features(full, images))


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_file_of_something_else_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"path: .*odd\.safetensors holds no task's weights"):
        task_weights.read(tmp_path / "odd.safetensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        task_weights.read(tmp_path / "nowhere.safetensors")
