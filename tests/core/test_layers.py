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


@pytest.mark.parametrize("shape", [(8, 8), (5, 8), (8, 5), (16, 8)])
@pytest.mark.parametrize("last", [True, False])
def test_a_side_as_long_as_there_are_channels_is_not_taken_for_them(last, shape) -> None:
    stage = ChannelsLast(8) if last else torch.nn.Conv2d(3, 8, 1)
    encoder = Features(stage, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), dim=8)
    x = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = (stage.conv if last else stage)(x).mean(dim=(2, 3))
    torch.testing.assert_close(layers.layer_features(encoder, x)["parts.0"], expected)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "swin_t", "shufflenet_v2_x0_5"])
def test_torchvision_s_stages_on_pictures_that_are_no_squares(name) -> None:
    encoder = encoders.torchvision_encoder(name).eval()
    sizes = [(64, 96), (96, 64), (96, 96)]
    channels = [
        [x.shape[1] for x in layers.layer_features(encoder, torch.zeros(1, 3, *size)).values()]
        for size in sizes
    ]
    assert channels[0] == channels[1] == channels[2]


def test_of_a_block_that_is_used_again_the_last_output_counts() -> None:
    class Again(Features):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.parts[0](self.parts[0](x))

    encoder, x = Again(torch.nn.Linear(4, 4), dim=4), torch.rand(300, 4)
    found = layers.layer_features(encoder, x)
    assert torch.equal(found["parts.0"], found["features"])


@pytest.mark.parametrize("around", ["resnet18", "0", "model.b2"])
def test_a_module_around_the_network_is_no_block_whatever_its_name(around) -> None:
    expected = layers.stages(encoders.torchvision_encoder("resnet18"))
    inner, whole = encoders.torchvision_encoder("resnet18").backbone, torch.nn.Module()
    for part in reversed(around.split(".")):
        whole = torch.nn.Module()
        whole.add_module(part, inner)
        inner = whole
    names = [name.replace("backbone", around) for name in expected]
    assert list(layers.stages(whole)) == names
    assert list(layers.stages(Features(torch.nn.Linear(4, 4), dim=4))) == ["parts.0"]


def test_a_head_that_was_frozen_trains_again() -> None:
    model = training.new_classifier(make("conv"), 3, torch.Generator().manual_seed(0))
    model.requires_grad_(False)
    assert all(p.requires_grad for p in layers.train_only(model, "stem").head.parameters())


def test_swin_s_stages_have_the_channels_it_is_known_for() -> None:
    from labkit.torchvision_compat import import_torchvision

    swin = import_torchvision().models.SwinTransformer((4, 4), 8, [1, 1], [2, 2], (4, 4))
    encoder = Features(*swin.features, dim=16)
    found = layers.layer_features(encoder, IMAGES / 255)
    assert [x.shape[1] for x in found.values()][:4] == [8, 8, 16, 16]
