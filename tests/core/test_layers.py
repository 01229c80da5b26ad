"""Stages of encoders: every parameter in one of them, and only the named ones train."""

import copy

import pytest
import torch
from seeds import generator, seeded

from labkit import encoders, layers, training
from labkit.tasks import Examples, Task

ENCODERS = {
    "conv": lambda: encoders.ConvEncoder(width=4),
    "vit": lambda: encoders.VisionTransformer(dim=8, depth=2, heads=2, patch=8),
    "resnet18": lambda: encoders.torchvision_encoder("resnet18"),
}
IMAGES = torch.randint(0, 256, (12, 3, 32, 32), generator=generator()).byte()


def make(name: str) -> torch.nn.Module:
    return seeded(ENCODERS[name]).eval()


def classifier(name: str) -> training.Classifier:
    return training.new_classifier(make(name), 3, generator())


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
    training.fit(model, task, 0.1, generator(), schedule)
    changed = {n for n, x in model.state_dict().items() if not torch.equal(x, before[n])}
    last = ("encoder.norm",) if name == "vit" and stage == "blocks.1" else ()  # ends with that norm
    assert changed and all(n.startswith((f"encoder.{stage}.", "head", *last)) for n in changed)
    frozen = {n for n in before if n.startswith(f"encoder.{stage}.") and n.endswith("weight")}
    assert frozen <= changed, "all of the stage trains, its first norm too"


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


class Features(torch.nn.Module):
    """A network of numbered parts as an encoder of ready-made inputs."""

    def __init__(self, *parts: torch.nn.Module, dim: int) -> None:
        super().__init__()
        self.dim, self.parts = dim, torch.nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.parts(x)


def test_an_activation_that_writes_in_place_leaves_layer_features_alone() -> None:
    """As the ones of alexnet and vgg11 do."""
    linear = torch.nn.Linear(4, 4)
    encoder = Features(linear, torch.nn.ReLU(inplace=True), torch.nn.Linear(4, 2), dim=2)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(layers.layer_features(encoder, x)["parts.0"], linear(x))


class ChannelsLast(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x).permute(0, 2, 3, 1)


@pytest.mark.parametrize("shape", [(4, 4), (6, 4), (8, 8)])
@pytest.mark.parametrize("last", [True, False])
def test_places_are_averaged_wherever_the_channels_are(last, shape) -> None:
    stage = ChannelsLast(5) if last else torch.nn.Conv2d(3, 5, 1)
    encoder = Features(stage, torch.nn.Flatten(), dim=5 * shape[0] * shape[1])
    x = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    conv = stage.conv if last else stage
    with torch.no_grad():
        expected = conv(x).mean(dim=(2, 3))
    torch.testing.assert_close(layers.layer_features(encoder, x)["parts.0"], expected)


def test_swin_s_stages_have_the_channels_it_is_known_for() -> None:
    from labkit.torchvision_compat import import_torchvision

    swin = import_torchvision().models.SwinTransformer((4, 4), 8, [1, 1], [2, 2], (4, 4))
    encoder = Features(*swin.features, dim=16)
    found = layers.layer_features(encoder, IMAGES / 255)
    assert [x.shape[1] for x in found.values()][:4] == [8, 8, 16, 16]
