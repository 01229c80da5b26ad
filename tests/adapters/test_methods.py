"""Every method on both kinds of transformer: inserting, counting, training, taking out again."""

import copy
from dataclasses import replace

import pytest
import torch
from seeds import generator
from shared import ENCODERS, Torchvisions, assert_same, small_encoder, snapshot, tiny_task, tuned
from torch import nn

from labkit import adapters, encoders, training
from labkit.adapters import METHODS, Adapters, Bottleneck, LoRA, Prompts, task_weights
from labkit.adapters import storage_cost as storage
from labkit.adapters.parts import parts_of
from labkit.encoders import ConvEncoder, VisionTransformer

every_method = pytest.mark.parametrize("name", METHODS)
every_encoder = pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)


@pytest.mark.parametrize(("method", "expected"), [("adapters", 26_208), ("ffn-adapters", 13_104)])
def test_adapters_have_as_many_parameters_as_adapterhubs(method: str, expected: int) -> None:
    """d = 128, 6 layers, reduction 16 and so width 8; the layer norms come on top."""
    encoder = VisionTransformer(patch=8)
    before = sum(p.numel() for p in encoder.parameters())
    adapters.insert(encoder, replace(METHODS[method], trains="nothing"), generator())
    assert adapters.count(encoder) == expected
    assert sum(p.numel() for p in encoder.parameters()) == before + expected


@pytest.mark.parametrize("name", [n for n in METHODS if not n.startswith("vpt")])
@every_encoder
def test_the_network_does_at_first_what_it_did(name: str, make) -> None:
    encoder, images = make(), tiny_task().test.images
    before = training.features(encoder, images)
    adapters.insert(encoder, METHODS[name], generator())
    after = training.features(encoder, images)
    assert torch.allclose(after, before, atol=2e-3)
    assert not any(module.training for module in encoder.modules()), "evaluation mode, as before"


def test_what_is_inserted_in_training_mode_trains() -> None:
    encoder = adapters.insert(small_encoder().train(), METHODS["adapters"], generator())
    assert all(module.training for module in encoder.modules())


def test_adapters_stand_before_the_residual_sum() -> None:
    """Against the block written out with the paper's formula."""
    encoder, images = small_encoder(), tiny_task().test.images
    adapters.insert(encoder, METHODS["adapters"], generator())
    block = encoder.blocks[1]
    one, two = block.attention, block.feed_forward
    for parameter in (*one.adapter.parameters(), *two.adapter.parameters()):
        nn.init.normal_(parameter, generator=generator())
    x = torch.randn(2, 4, 16, generator=generator())
    expected = x + one.adapter(one.layer(block.norm1(x)))
    expected = expected + two.adapter(two.layer(block.norm2(expected)))
    assert torch.allclose(block(x), expected)
    assert encoder(images).shape == (len(images), 16)


def expected_to_train(name: str, encoder: nn.Module) -> set[str]:
    """Told by parameter names alone."""
    names = {n for n, _ in encoder.named_parameters()}
    new = {n for n in names if ".adapter." in n or n.endswith((".A", ".B", ".prompts"))}
    norms = {n for n in names - new if "norm" in n or ".ln" in n}
    biases = {n for n in names - new if n.endswith("bias")}
    own = {"bitfit": biases, "fine-tuning": names}
    own |= dict.fromkeys(("probe", "lora", "vpt-shallow", "vpt-deep"), set())
    return new | own.get(name, norms)


@every_method
@every_encoder
def test_what_trains_is_what_moves(name: str, make) -> None:
    start, model = training.new_classifier(make(), 3, generator()), tuned(METHODS[name], make())
    adapters.insert(start.encoder, METHODS[name], generator(0))
    expected = expected_to_train(name, start.encoder)
    assert set(adapters.trained(model.encoder)) == expected
    before = dict(start.encoder.named_parameters())
    moved = {n for n, x in model.encoder.named_parameters() if not torch.equal(x, before[n])}
    # The keys' bias has no effect: softmax does not see what is added to all scores of a query.
    assert moved <= expected and len(moved) >= len(expected) - 3
    assert all(p.requires_grad for p in model.head.parameters())


@pytest.mark.parametrize("trains", ["all", "biases"])
@every_encoder
def test_lora_trains_the_layers_it_holds_when_told_to(trains: str, make) -> None:
    encoder = make()
    own = dict(encoder.named_parameters())
    adapters.insert(encoder, LoRA(trains=trains), generator())
    wanted = {n for n in own if trains == "all" or n.endswith("bias")}
    assert {n for n, p in own.items() if p.requires_grad} == wanted


@every_method
@every_encoder
def test_remove_restores_the_network_bit_for_bit(name: str, make) -> None:
    encoder = make()
    next(encoder.parameters()).requires_grad_(False)  # an odd flag must come back too
    before = snapshot(encoder)
    model = training.Classifier(encoder, nn.Linear(encoder.dim, 3))
    adapters.insert(encoder, METHODS[name], generator())
    schedule = training.Schedule(steps=4, batch=8, optimizer="adam", record_every=0)
    training.fit(model, tiny_task(), 0.02, generator(), schedule)
    assert adapters.remove(encoder) is encoder
    assert_same(before, snapshot(encoder))
    assert adapters.inserted(encoder) is None
    adapters.insert(encoder, METHODS["adapters"], generator())  # and again


@every_method
@every_encoder
def test_a_copy_is_removed_without_the_original(name: str, make) -> None:
    model = tuned(METHODS[name], make())
    changed = snapshot(model.encoder)
    twin = copy.deepcopy(model.encoder)
    assert_same(snapshot(adapters.remove(twin)), snapshot(make()))
    assert_same(changed, snapshot(model.encoder))


@pytest.mark.parametrize("blocks", [(0,), (2, 0)])
def test_only_the_chosen_blocks_get_adapters(blocks: tuple[int, ...]) -> None:
    encoder = adapters.insert(small_encoder(), Adapters(blocks=blocks), generator())
    found = {
        number
        for number, block in enumerate(encoder.blocks)
        if any(isinstance(module, Bottleneck) for module in block.modules())
    }
    assert found == set(blocks)


@every_method
@every_encoder
def test_a_network_without_any_block_of_it_has_its_own_modules(name: str, make) -> None:
    model = tuned(METHODS[name], make())
    everything = tuple(range(len(parts_of(model.encoder).blocks_of(model.encoder))))
    cut = adapters.without(model.encoder, everything)
    assert snapshot(cut)[1] == snapshot(make())[1]
    trained = {n: x for n, x in model.encoder.state_dict().items() if n in cut.state_dict()}
    assert all(torch.equal(x, cut.state_dict()[n]) for n, x in trained.items())


def test_pruning_takes_out_adapters_and_leaves_norms() -> None:
    model = tuned(METHODS["adapters"])
    cut = adapters.without(model.encoder, (1,))
    assert isinstance(cut.blocks[0].attention, adapters.Adapted)
    assert isinstance(cut.blocks[1].attention, encoders.Attention)
    assert isinstance(model.encoder.blocks[1].attention, adapters.Adapted), "a copy"
    assert torch.equal(cut.blocks[1].norm1.weight, model.encoder.blocks[1].norm1.weight)


@every_encoder
def test_merged_lora_is_an_ordinary_network_with_the_same_output(make) -> None:
    model = tuned(METHODS["lora"], make())
    plain, images = adapters.merged(model.encoder), tiny_task().test.images
    assert list(plain.state_dict()) == list(make().state_dict())
    expected = training.features(model.encoder, images)
    assert torch.allclose(training.features(plain, images), expected, atol=1e-5)
    assert not torch.allclose(training.features(make(), images), expected, atol=1e-2)
    assert all(parameter.requires_grad for parameter in plain.parameters()), "and can be tuned"


def sharing() -> nn.Module:
    """A transformer that uses one block three times."""
    encoder = small_encoder()
    encoder.blocks = nn.Sequential(*[encoder.blocks[0]] * 3)
    return encoder


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda e: adapters.insert(ConvEncoder(4), Adapters(), generator()), "got a ConvEncoder"),
        (lambda e: adapters.insert(e, Adapters(blocks=(3,)), generator()), "accepted: 0 to 2"),
        (lambda e: adapters.insert(e, "lora", generator()), "method: got 'lora'"),
        (lambda e: adapters.insert(sharing(), LoRA(), generator()), "encoder: got a block that is"),
        (adapters.remove, "nothing is inserted"),
        (adapters.merged, "only LoRA"),
        (lambda e: adapters.insert(tuned(Adapters()).encoder, LoRA(), generator()), "remove"),
        (lambda e: task_weights.extract(training.Classifier(e, nn.Linear(16, 2))), "nothing ins"),
    ],
    ids=["conv", "block", "method", "shared", "remove", "merge", "twice", "extract"],
)
def test_mistakes_are_explained_and_change_nothing(act, message: str) -> None:
    encoder = small_encoder()
    before = snapshot(encoder)
    with pytest.raises((TypeError, ValueError), match=message):
        act(encoder)
    assert_same(before, snapshot(encoder))


def test_adapters_learn_with_a_frozen_encoder() -> None:
    """From chance to almost all right, through the one training loop."""
    model = training.new_classifier(small_encoder(), 3, generator())
    adapters.insert(model.encoder, Adapters(width=4), generator())
    schedule = training.Schedule(steps=60, batch=16, optimizer="adam", record_every=0)
    fit = training.fit(model, tiny_task(), 0.01, generator(), schedule)
    assert training.accuracy(fit.model, tiny_task().test) > 0.8


@pytest.mark.parametrize("name", ["vpt-shallow", "vpt-deep"])
def test_prompts_stand_before_the_patches_and_are_not_averaged(name: str) -> None:
    """Against the network written out, for this lab's transformer."""
    encoder, x = small_encoder(), torch.rand(2, 3, 16, 16, generator=generator())
    adapters.insert(encoder, METHODS[name], generator())
    tokens = encoder.patches(2 * x - 1).flatten(2).transpose(1, 2) + encoder.position
    for block in encoder.blocks:
        if isinstance(block, adapters.Wrapper):
            tokens = torch.cat([block.prompts.expand(2, -1, -1), tokens[:, -4:]], dim=1)
            block = block.layer
        tokens = block(tokens)
    assert tokens.shape == (2, 8 + 4, 16)
    assert torch.allclose(encoder(x), encoder.norm(tokens[:, 8:]).mean(dim=1), atol=1e-6)


@every_encoder
def test_prompts_follow_the_class_token_and_replace_the_former_ones(make) -> None:
    encoder, seen = make(), []
    adapters.insert(encoder, Prompts(width=3), generator())
    parts = parts_of(encoder)
    for block in parts.blocks_of(encoder):
        block.layer.register_forward_pre_hook(lambda _module, x: seen.append(x[0]))
    encoder(tiny_task().test.images)
    first = parts.class_tokens
    for block, x in zip(parts.blocks_of(encoder), seen, strict=True):
        assert x.shape[1] == 3 + first + 4
        assert torch.equal(x[0, first : first + 3], block.prompts)


@every_encoder
def test_without_all_prompts_the_network_does_what_it_did(make) -> None:
    """And without those of the first block it has those of the others, and no patch less."""
    encoder, images = make(), tiny_task().test.images
    before = training.features(encoder, images)
    adapters.insert(encoder, METHODS["vpt-deep"], generator())
    blocks = tuple(range(len(parts_of(encoder).blocks_of(encoder))))
    cut = adapters.without(encoder, blocks[:1])
    assert adapters.count(cut) == adapters.count(encoder) * (len(blocks) - 1) / len(blocks)
    assert not torch.allclose(training.features(cut, images), before, atol=1e-3)
    assert torch.equal(training.features(adapters.without(encoder, blocks), images), before)


def test_prompts_start_as_in_the_papers_code() -> None:
    encoder = adapters.insert(small_encoder(), Prompts(width=999), generator())
    prompts = encoder.blocks[0].prompts
    bound = (6 / (3 * 8 * 8 + 16)) ** 0.5
    assert 0.99 * bound < prompts.abs().max() <= bound
    assert prompts.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert isinstance(prompts, nn.Parameter) and prompts.dtype == encoder.position.dtype


@every_method
@pytest.mark.parametrize("width", [1, 33])
@pytest.mark.parametrize("make", [Torchvisions, lambda: VisionTransformer(dim=32, size=16)])
def test_stored_numbers_are_those_that_train(name: str, width: int, make) -> None:
    encoder = make()
    depth = len(parts_of(encoder).blocks_of(encoder))
    model = training.new_classifier(encoder, 5, generator())
    adapters.insert(model.encoder, METHODS[name].with_width(width), generator())
    size = sum(p.numel() for p in encoder.parameters())
    backbone = storage.Backbone("small", size, encoder.dim, depth, classes=5)
    assert storage.numbers(name, backbone, width) == adapters.count(model)


def test_the_backbone_that_ships_is_counted_right() -> None:
    size = sum(p.numel() for p in encoders.load("clip-vit").image.parameters())
    assert storage.BACKBONES["this lab's ViT"].parameters == size


@pytest.mark.parametrize("method", storage.COMPARED)
@pytest.mark.parametrize("backbone", storage.BACKBONES.values(), ids=lambda b: b.name)
def test_another_task_costs_what_it_stores(method: str, backbone) -> None:
    cost = [storage.megabytes(method, backbone, 8, n, 4) for n in (99, 100)]
    stored = 4e-6 * storage.numbers(method, backbone, 8)
    assert cost[1] - cost[0] == pytest.approx(stored, rel=1e-6)
    assert storage.megabytes(method, backbone, 8, 99, 2) == pytest.approx(cost[0] / 2)
