"""Encoders: what goes in and comes out, and weights that come back from disk or not at all."""

import copy
import functools
import hashlib
import json

import pytest
import torch
from seeds import generator
from torch import nn

from labkit import adapters, data, encoders, layers, transfer
from labkit.contrastive import projections
from labkit.meta import fewshot
from labkit.tasks import Examples, Task
from labkit.text import TextEncoder
from labkit.torchvision_compat import import_torchvision

SMALL = {"conv": {"width": 4}, "vit": {"dim": 16, "depth": 2, "heads": 2, "patch": 8}}


def random_images(count: int, size: int = 32, seed: int = 0) -> torch.Tensor:
    shape = (count, 3, size, size)
    return torch.randint(0, 256, shape, generator=generator(seed), dtype=torch.uint8)


@pytest.fixture(params=SMALL)
def encoder(request) -> nn.Module:
    """A small network of each kind, whose BatchNorm has seen something."""
    network = encoders.ARCHITECTURES[request.param](**SMALL[request.param])
    network(random_images(8, seed=9))
    return network.eval()


@torch.no_grad()
def test_features_have_their_shape_and_type(encoder) -> None:
    images = random_images(5)
    features = encoder(images)
    assert features.shape == (5, encoder.dim) and features.dtype == torch.float32
    assert torch.allclose(encoder(images / 255), features, atol=1e-6), "uint8 and float agree"
    assert encoder(images[:0]).shape == (0, encoder.dim)


@torch.no_grad()
def test_in_evaluation_mode_an_image_is_described_alone_and_always_the_same(encoder) -> None:
    images = random_images(6)
    together = encoder(images)
    assert torch.equal(encoder(images), together)
    alone = torch.cat([encoder(image[None]) for image in images])
    assert torch.allclose(alone, together, atol=1e-5)
    order = torch.randperm(6, generator=generator())
    assert torch.allclose(encoder(images[order]), together[order], atol=1e-5)


def test_white_is_one_and_black_is_minus_one() -> None:
    levels = torch.tensor([0, 255], dtype=torch.uint8)
    images = levels[:, None, None, None].expand(2, 3, 2, 2)
    assert encoders.standardise(images).unique().tolist() == [-1, 1]


def test_attention_is_torch_s_own() -> None:
    """The written-out attention equals nn.MultiheadAttention with the same weights."""
    ours = encoders.Attention(dim=12, heads=3)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    with torch.no_grad():
        parts = (ours.query, ours.key, ours.value)
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    x = torch.randn(2, 5, 12, generator=generator())
    assert torch.allclose(ours(x), theirs(x, x, x, need_weights=False)[0], atol=1e-6)


def test_a_transformer_knows_where_its_patches_are_only_by_position() -> None:
    network = encoders.VisionTransformer(**SMALL["vit"])
    images = random_images(2)
    patches = images.unfold(2, 8, 8).unfold(3, 8, 8).flatten(2, 3)  # (n, 3, 16, 8, 8)
    mixed = patches[:, :, torch.randperm(16, generator=generator())]
    shuffled = mixed.unflatten(2, (4, 4)).permute(0, 1, 2, 4, 3, 5).reshape(2, 3, 32, 32)
    with torch.no_grad():
        nn.init.normal_(network.position, generator=generator())
        assert not torch.allclose(network(images), network(shuffled), atol=1e-3)
        network.position.zero_()
        assert torch.allclose(network(images), network(shuffled), atol=1e-5)


class Prompted(nn.Module):
    """A block before which `count` tokens are put, in place of as many that are there already."""

    def __init__(self, block: nn.Module, count: int, there: int) -> None:
        super().__init__()
        self.block, self.there = block, there
        self.prompt = nn.Parameter(torch.zeros(count, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        prompt = self.prompt.expand(len(x), -1, -1)
        return self.block(torch.cat([prompt, x[:, self.there :]], dim=1))


@pytest.mark.parametrize("deep", [False, True])
def test_a_transformer_leaves_tokens_before_its_patches_out_of_the_mean(deep) -> None:
    plain = encoders.VisionTransformer(**SMALL["vit"])
    prompted = copy.deepcopy(plain)
    for i, block in enumerate(plain.blocks):
        if deep or i == 0:
            prompted.blocks[i] = Prompted(block, count=5, there=5 * (i > 0))
    last = []
    prompted.norm.register_forward_pre_hook(lambda _module, x: last.append(x[0]))
    images = random_images(3)
    out = prompted(images)
    assert out.shape == (3, 16) and last[0].shape == (3, 16, 16), "the 16 patches, not the prompts"
    assert not torch.allclose(out, plain(images), atol=1e-4), "but the patches attend to them"
    out.sum().backward()
    assert prompted.blocks[0].prompt.grad.abs().max() > 0


def test_every_layer_of_every_encoder_can_be_reinitialised(encoder) -> None:
    fresh = transfer.reinitialised(encoder, generator())
    for (name, old), new in zip(encoder.named_parameters(), fresh.parameters(), strict=True):
        constant = (old == old.flatten()[0]).all()  # a norm's ones and zeros are not random
        assert constant or not torch.equal(old, new), name


def small_clip(architecture: str = "conv") -> tuple[encoders.Clip, dict]:
    config = {"method": "clip", "architecture": architecture, "options": SMALL[architecture]}
    config["vocabulary"] = ["cat", "#<ca", "#cat", "#at>"]
    return encoders.build(config), config


@torch.no_grad()
def test_clip_embeds_images_and_captions_as_unit_vectors_in_one_space() -> None:
    clip = small_clip()[0].eval()
    assert isinstance(clip.text, TextEncoder)
    images, captions = clip.embed_images(random_images(3)), clip.embed_captions(["cat", "a cat"])
    assert images.shape == (3, 128) and captions.shape == (2, 128)
    for vectors in (images, captions):
        assert torch.allclose(vectors.norm(dim=1), torch.ones(len(vectors)), atol=1e-5)


def test_the_scale_starts_at_clip_s_and_is_clamped_at_100() -> None:
    clip, _ = small_clip()
    assert clip.logit_scale.item() == pytest.approx(1 / 0.07, rel=1e-5)
    with torch.no_grad():
        clip.log_scale.fill_(50)
    assert clip.logit_scale.item() == pytest.approx(100, rel=1e-5)


def test_simclr_keeps_the_encoder_apart_from_the_projector() -> None:
    config = {"method": "simclr", "architecture": "vit", "options": SMALL["vit"]}
    model = encoders.build(config).eval()
    images = random_images(2)
    features = model.image(images)
    assert features.shape == (2, 16)
    assert torch.equal(model.projector(features), model.embed_images(images))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty data folder; call it to list its files in checksums.txt."""
    monkeypatch.setattr(data, "DATA", tmp_path)
    (tmp_path / "weights").mkdir()

    def write_checksums() -> None:
        lines = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  weights/{path.name}\n"
            for path in sorted((tmp_path / "weights").iterdir())
        ]
        (tmp_path / "checksums.txt").write_text("".join(lines))
        data.checksums.cache_clear()

    write_checksums()
    yield write_checksums
    data.checksums.cache_clear()


@pytest.mark.parametrize("architecture", SMALL)
def test_weights_come_back_in_half_precision(shelf, architecture) -> None:
    model, config = small_clip(architecture)
    model.image(random_images(8))  # move BatchNorm's statistics, which are weights too
    encoders.save(model, {**config, "minutes": 1.5}, data.DATA / "weights/tiny.safetensors")
    shelf()
    assert encoders.available() == ["tiny"]
    loaded = encoders.load("tiny")
    assert not loaded.training and loaded.text.vocabulary == tuple(config["vocabulary"])
    half = {"rtol": 2**-11, "atol": 2**-24}
    torch.testing.assert_close(loaded.state_dict(), model.state_dict(), **half)
    images = random_images(4)
    with torch.no_grad():
        old, new = model.eval().embed_images(images), loaded.embed_images(images)
    assert (old * new).sum(dim=1).min() > 0.999
    with pytest.raises(ValueError, match="name: got .'clip-cnov'.*accepted: tiny"):
        encoders.load("clip-cnov")


def test_the_file_says_what_it_is_to_any_reader(tmp_path) -> None:
    """The configuration can be read without labkit, by the format's own library."""
    from safetensors import safe_open

    model, config = small_clip()
    encoders.save(model, config, tmp_path / "tiny.safetensors")
    with safe_open(tmp_path / "tiny.safetensors", "pt") as file:
        assert json.loads(file.metadata()["config"])[0] == config
        assert set(file.keys()) == set(model.state_dict())


@pytest.fixture(scope="module")
def resnet() -> nn.Module:
    return encoders.torchvision_encoder("resnet18")


def test_torchvision_features_are_what_its_own_head_sees(resnet) -> None:
    resnet.eval()
    whole = import_torchvision().models.resnet18().eval()
    missing = whole.load_state_dict(resnet.backbone.state_dict(), strict=False).missing_keys
    assert missing == ["fc.weight", "fc.bias"]
    images = random_images(2)
    seen = []
    whole.fc.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
    with torch.no_grad():
        whole((images / 255 - mean) / std)
        features = resnet(images)
    assert features.shape == (2, 512) == (2, resnet.dim)
    assert torch.allclose(features, seen[0], atol=1e-5)


def test_recipes_accept_a_torchvision_encoder(resnet) -> None:
    labels = torch.arange(8) % 2
    images = (random_images(8) // 4 + labels[:, None, None, None] * 150).to(torch.uint8)
    examples = Examples(images, labels)
    task = Task("bright or dark", ("dark", "bright"), examples, examples, examples, {})
    assert transfer.linear_probe(resnet, task).validation == 1
    schedule = transfer.Schedule(steps=2, batch=4, record_every=0)
    for recipe in (transfer.fine_tune, transfer.from_scratch):
        assert 0 <= recipe(resnet, task, 1e-3, generator(), schedule).validation <= 1


@pytest.mark.parametrize("architecture", SMALL)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@torch.no_grad()
def test_encoders_of_other_types_answer_in_their_own(architecture, dtype) -> None:
    network = encoders.ARCHITECTURES[architecture](**SMALL[architecture]).eval()
    expected = network(random_images(3))
    found = network.to(dtype)(random_images(3))
    assert found.dtype == dtype
    assert torch.allclose(found.float(), expected, atol=0.1)


PAIRS = projections.Pairs(*(torch.randn(32, 8, generator=generator(i)) for i in range(2)))
DRAWING = {
    "tiny": encoders.TinyEncoder,
    "load": lambda: encoders.load("clip-conv"),
    "few shots": lambda: fewshot.load("maml"),
    "project": lambda: projections.project(PAIRS, projections.attraction_only, steps=1, batch=8),
}


@pytest.mark.parametrize("name", DRAWING)
def test_what_has_nothing_to_draw_leaves_torch_s_own_generator_alone(name) -> None:
    before = torch.random.get_rng_state()
    DRAWING[name]()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", adapters.METHODS)
def test_what_is_inserted_is_drawn_from_its_generator_alone(name) -> None:
    network = encoders.VisionTransformer(**SMALL["vit"])
    before = torch.random.get_rng_state()
    adapters.insert(network, adapters.METHODS[name], generator())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_shipped_weights_load_under_another_default_type() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        image = encoders.load("clip-vit").image
        assert image(random_images(2)).isfinite().all()
        assert {p.dtype for p in image.parameters()} == {torch.float32}
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_torchvision_encoder_is_fed_as_its_weights_expect(monkeypatch) -> None:
    """EfficientNetV2-L's are, for one, not standardised with ImageNet's mean."""
    models = import_torchvision().models
    from torchvision.transforms._presets import ImageClassification

    shipped = models.ResNet18_Weights.IMAGENET1K_V1
    fed = functools.partial(ImageClassification, crop_size=96, mean=(0.5, 0.4, 0.3), std=(2, 1, 4))
    monkeypatch.setattr(shipped.value, "transforms", fed)
    state = models.resnet18().state_dict()
    monkeypatch.setattr(type(shipped), "get_state_dict", lambda *_, **__: state)
    encoder = encoders.torchvision_encoder("resnet18", weights="DEFAULT").eval()
    seen = []
    encoder.backbone.conv1.register_forward_pre_hook(lambda _module, x: seen.append(x[0]))
    images = random_images(2, size=96)
    encoder(images)
    expected = fed(resize_size=96)(images)
    assert torch.allclose(seen[0], expected, atol=1e-5) and encoder.size == 96
    with pytest.raises(ValueError, match="^weights: got .'V9'., accepted: IMAGENET1K_V1"):
        encoders.torchvision_encoder("resnet18", weights="V9")


@pytest.mark.filterwarnings("ignore:The default weight initialization:FutureWarning")
@pytest.mark.parametrize(("name", "size"), [("googlenet", 32), ("inception_v3", 75)])
def test_backbones_with_auxiliary_classifiers_are_fine_tuned(name, size) -> None:
    """In training these return several outputs, which no head takes."""
    encoder = encoders.torchvision_encoder(name)
    assert encoder.train()(random_images(2, size)).shape == (2, encoder.dim)
    assert not any("aux" in n.lower() for n, _ in encoder.named_parameters())
    examples = Examples(random_images(4, size), torch.arange(4) % 2)
    task = Task("any", ("a", "b"), examples, examples, examples, {})
    schedule = transfer.Schedule(steps=1, batch=4, record_every=0)
    bottom, top = list(layers.stages(encoder))[:3], list(layers.stages(encoder))[3:]
    model = layers.train_only(transfer.new_classifier(encoder, 2, generator()), *top)
    before = copy.deepcopy(model.state_dict())
    transfer.fit(model, task, 0.1, generator(), schedule)
    moved = {n for n, x in model.state_dict().items() if not torch.equal(x, before[n])}
    frozen = tuple(f"encoder.{stage}." for stage in bottom)
    assert not any(n.startswith(frozen) for n in moved), "frozen, statistics and all"
    assert any(n.startswith(f"encoder.{top[-1]}.") for n in moved), "and what is not frozen learns"
