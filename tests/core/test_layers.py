"""Stages of encoders: every parameter in one of them, and only the named ones train."""

from __future__ import annotations

import copy

import pytest
import torch

from labkit import encoders, layers, training
from labkit.tasks import Examples, Task

ENCODERS = {
    "conv": lambda: encoders.ConvEncoder(width=4),
    "vit": lambda: encoders.VisionTransformer(dim=8, depth=2, heads=2, patch=8),
    "resnet18": lambda: encoders.torchvision_encoder("resnet18"),
}
IMAGES = torch.randint(0, 256, (12, 3, 32, 32), generator=torch.Generator().manual_seed(0)).byte()


def make(name: str) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ENCODERS[name]().eval()


def classifier(name: str) -> training.Classifier:
    return training.new_classifier(make(name), 3, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ENCODERS)
def test_stages_hold_every_parameter_once_and_in_order(name) -> None:
    encoder = make(name)
    parameters = [p for part in layers.stages(encoder).values() for p in part]
    assert [id(p) for p in parameters] == [id(p) for p in encoder.parameters()]


def test_stages_are_the_blocks_that_a_reader_would_name() -> None:
    assert list(layers.stages(make("conv"))) == ["stem", *(f"blocks.{i}" for i in range(6))]
    assert list(layers.stages(make("vit"))) == ["stem", "blocks.0", "blocks.1"]
    names = ["conv1", "layer1", "layer2", "layer3", "layer4"]
    assert list(layers.stages(make("resnet18"))) == [f"backbone.{name}" for name in names]


@pytest.mark.parametrize("stage", ["blocks.0", "blocks.1"])
@pytest.mark.parametrize("name", ["conv", "vit"])
def test_only_the_named_stage_and_the_head_change(name, stage) -> None:
    model = layers.train_only(classifier(name), stage)
    before = copy.deepcopy(model.state_dict())
    examples = Examples(IMAGES, torch.arange(12) % 3)
    task = Task("noise", ("a", "b", "c"), examples, examples, examples, {})
    schedule = training.Schedule(steps=2, batch=6, record_every=0)
    training.fit(model, task, 0.1, torch.Generator().manual_seed(0), schedule)
    changed = {n for n, x in model.state_dict().items() if not torch.equal(x, before[n])}
    last = ("encoder.norm",) if name == "vit" and stage == "blocks.1" else ()  # ends with that norm
    assert changed and all(n.startswith((f"encoder.{stage}.", "head", *last)) for n in changed)
    frozen = {n for n in before if n.startswith(f"encoder.{stage}.") and n.endswith("weight")}
    assert frozen <= changed, "all of the stage trains, its first norm too"


def test_freezing_the_bottom_leaves_the_top() -> None:
    model = layers.freeze_bottom(classifier("conv"), 3)
    trains = {
        n.split(".conv")[0].split(".norm")[0]
        for n, p in model.named_parameters()
        if p.requires_grad
    }
    assert "encoder.stem" not in trains and "encoder.blocks.1" not in trains
    assert {"encoder.blocks.2", "encoder.blocks.5"} <= trains
    assert all(p.requires_grad for p in layers.freeze_bottom(model, 0).parameters())


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="names: got .'blocks.9'., accepted: stem, blocks.0"):
        layers.train_only(classifier("conv"), "blocks.9")
    with pytest.raises(ValueError, match="count: got 7, accepted: 0 to 6"):
        layers.freeze_bottom(classifier("conv"), 7)


@pytest.mark.parametrize("name", ENCODERS)
def test_layer_features_are_the_stages_outputs(name) -> None:
    encoder = make(name)
    found = layers.layer_features(encoder, IMAGES)
    assert torch.equal(found["features"], training.features(encoder, IMAGES))
    assert all(x.shape[0] == 12 and x.ndim == 2 for x in found.values())
    assert not any(m._forward_hooks for m in encoder.modules()), "no hook stays behind"
    if name == "conv":
        # The encoder averages its last block over places: the two must agree.
        torch.testing.assert_close(found["blocks.5"], found["features"])
    assert len(found) >= 3
