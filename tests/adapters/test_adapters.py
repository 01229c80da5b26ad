"""Adapters against other libraries, against counting by hand, and against taking them out again."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from labkit import adapters, encoders, tasks, training
from labkit.adapters import METHODS, Bottleneck, LoRALinear, Method, task_weights
from labkit.encoders import ConvEncoder, VisionTransformer

FIXTURE = np.load(Path(__file__).parents[1] / "fixtures/adapters.npz")
every_method = pytest.mark.parametrize("name", METHODS)
few = cases(20)


def oracle(run: int, case: str) -> dict[str, torch.Tensor]:
    start = f"{run}/{case}/"
    return {
        key.removeprefix(start): torch.from_numpy(FIXTURE[key])
        for key in FIXTURE.files
        if key.startswith(start)
    }


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small_encoder(seed: int = 0) -> VisionTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return VisionTransformer(dim=16, depth=3, heads=2, patch=8, size=16).eval()


def tiny_task(classes: int = 3) -> tasks.Task:
    """Colours in noise, 16 x 16 pixels."""

    def examples(seed: int) -> tasks.Examples:
        labels = torch.arange(12 * classes) % classes
        images = torch.randint(0, 120, (len(labels), 3, 16, 16), generator=generator(seed))
        images[torch.arange(len(labels)), labels] += 60
        return tasks.Examples(images.byte(), labels)

    names = tuple(f"colour {i}" for i in range(classes))
    return tasks.Task("colours", names, *map(examples, range(3)), ood={"other": examples(3)})


def tuned(method: Method, classes: int = 3, seed: int = 0) -> training.Classifier:
    """A few large steps, so that everything that trains has moved."""
    model = training.new_classifier(small_encoder(), classes, generator(seed))
    adapters.insert(model.encoder, method, generator(seed))
    schedule = training.Schedule(steps=6, batch=8, optimizer="adam", record_every=0)
    return training.fit(model, tiny_task(classes), 0.02, generator(seed), schedule).model


def snapshot(encoder: nn.Module) -> tuple:
    return (
        copy.deepcopy(encoder.state_dict()),
        {name: type(module) for name, module in encoder.named_modules()},
        {name: p.requires_grad for name, p in encoder.named_parameters()},
    )


def assert_same(one: tuple, two: tuple) -> None:
    assert list(one[0]) == list(two[0])
    assert all(torch.equal(x, two[0][name]) for name, x in one[0].items())
    assert list(one[1].items()) == list(two[1].items()) and one[2] == two[2]


# ---------------------------------------------------------------- what other libraries compute

# Float64 values from AdapterHub's `adapters` 1.3.0 (gelu) and peft 0.21.2 (LoRA).


@pytest.mark.parametrize("run", [0, 1])
def test_bottleneck_equals_adapterhub(run: int) -> None:
    case = oracle(run, "bottleneck_gelu")
    width, dim = case["in/down_weight"].shape
    bottleneck = Bottleneck(dim, width).double()
    names = ("down_weight", "down_bias", "up_weight", "up_bias")
    bottleneck.load_state_dict({n.replace("_", "."): case[f"in/{n}"] for n in names})
    assert torch.allclose(bottleneck(case["in/x"]), case["out/y"], rtol=0, atol=1e-12)
    assert sum(p.numel() for p in bottleneck.parameters()) == case["out/n_params"]
    bottleneck.approximate = "tanh"  # the paper's code: close, and not the same
    gap = (bottleneck(case["in/x"]) - case["out/y"]).abs().max().item()
    assert 1e-6 < gap < 1e-3


@pytest.mark.parametrize("run", [0, 1])
def test_lora_equals_peft_apart_and_merged(run: int) -> None:
    case = oracle(run, "lora_linear")
    (rank, inside), outside = case["in/A"].shape, len(case["in/weight"])
    linear = nn.Linear(inside, outside).double()
    linear.load_state_dict({name: case[f"in/{name}"] for name in ("weight", "bias")})
    lora = LoRALinear(linear, rank, case["in/alpha"].item())
    with torch.no_grad():
        lora.A.copy_(case["in/A"])
        lora.B.copy_(case["in/B"])
    assert torch.allclose(lora(case["in/x"]), case["out/y"], rtol=0, atol=1e-12)
    assert torch.allclose(lora.merged()(case["in/x"]), case["out/merged"], rtol=0, atol=1e-12)


@pytest.mark.parametrize(("method", "expected"), [("adapters", 26_208), ("ffn-adapters", 13_104)])
def test_adapters_have_as_many_parameters_as_adapterhubs(method: str, expected: int) -> None:
    """d = 128, 6 layers, reduction 16 and so width 8; the layer norms come on top."""
    encoder = VisionTransformer(patch=8)
    before = sum(p.numel() for p in encoder.parameters())
    adapters.insert(encoder, replace(METHODS[method], trains="nothing"), generator())
    assert adapters.count(encoder) == expected
    assert sum(p.numel() for p in encoder.parameters()) == before + expected


# ---------------------------------------------------------------- the parts


@few
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32))
def test_a_new_bottleneck_is_almost_the_identity(dim: int, width: int, seed: int) -> None:
    bottleneck = Bottleneck(dim, width, generator=generator(seed))
    x = torch.randn(3, 5, dim, generator=generator(seed))
    y = bottleneck(x)
    assert y.shape == x.shape
    assert (y - x).norm() <= 1e-3 * x.norm()
    for linear in (bottleneck.down, bottleneck.up):
        assert linear.weight.abs().max() <= 2e-3 and not linear.bias.any()


def test_initial_weights_have_the_papers_spread() -> None:
    weight = Bottleneck(400, 400, generator=generator()).down.weight
    assert weight.std().item() == pytest.approx(0.88e-3, rel=0.02)  # of a normal cut at two sigma


@few
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.floats(0.5, 20))
def test_lora_changes_nothing_at_first_and_merges(inside, outside, rank, alpha) -> None:
    linear = nn.Linear(inside, outside).double()
    lora = LoRALinear(linear, rank, alpha, generator())
    x = torch.randn(4, inside, dtype=torch.float64, generator=generator())
    assert torch.equal(lora(x), linear(x))
    with torch.no_grad():
        lora.B.normal_(generator=generator())
    assert not torch.allclose(lora(x), linear(x))
    assert torch.allclose(lora.merged()(x), lora(x), atol=1e-12)
    assert set(adapters.trained(lora)) == {"A", "B"}


@pytest.mark.parametrize(
    "make", [lambda: Bottleneck(4, 0), lambda: Method(width=0)], ids=["module", "method"]
)
def test_a_width_below_one_is_refused(make) -> None:
    with pytest.raises(ValueError, match="width: got 0, accepted: 1 or more"):
        make()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"form": "prompt"}, "form: got"),
        ({"places": ("head",)}, "places: got"),
        ({"places": ()}, "places: got nothing"),
        ({"trains": "some"}, "trains: got"),
    ],
)
def test_unknown_methods_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Method(**changes)


# ---------------------------------------------------------------- inserting and removing


@every_method
def test_the_network_does_at_first_what_it_did(name: str) -> None:
    encoder, images = small_encoder(), tiny_task().test.images
    before = training.features(encoder, images)
    adapters.insert(encoder, METHODS[name], generator())
    after = training.features(encoder, images)
    assert torch.allclose(after, before, atol=2e-3)


def test_adapters_stand_before_the_residual_sum() -> None:
    """Against the block written out with the paper's formula."""
    encoder, images = small_encoder(), tiny_task().test.images
    adapters.insert(encoder, METHODS["adapters"], generator())
    block = encoder.blocks[1]
    for place in adapters.PLACES:
        for parameter in getattr(block, place).adapter.parameters():
            nn.init.normal_(parameter, generator=generator())
    x = torch.randn(2, 4, 16, generator=generator())
    one, two = block.attention, block.feed_forward
    expected = x + one.adapter(one.layer(block.norm1(x)))
    expected = expected + two.adapter(two.layer(block.norm2(expected)))
    assert torch.allclose(block(x), expected)
    assert encoder(images).shape == (len(images), 16)


def test_a_parallel_adapter_sees_what_its_layer_sees() -> None:
    # In float64: the sum below takes x away again, which float32 does not always forgive.
    layer, adapter = nn.Linear(4, 4).double(), Bottleneck(4, 2).double()
    nn.init.normal_(adapter.up.weight, generator=generator())
    x = torch.randn(3, 4, generator=generator(), dtype=torch.float64)
    found = adapters.Adapted(layer, adapter, parallel=True)(x)
    assert torch.allclose(found, layer(x) + adapter(x) - x)


def expected_to_train(name: str, encoder: VisionTransformer) -> set[str]:
    """Told by parameter names alone."""
    names = {n for n, _ in encoder.named_parameters()}
    new = {n for n in names if ".adapter." in n or n.endswith((".A", ".B"))}
    norms = {n for n in names - new if "norm" in n}
    biases = {n for n in names - new if n.endswith("bias")}
    own = {"probe": set(), "lora": set(), "bitfit": biases, "fine-tuning": names}
    return new | own.get(name, norms)


@every_method
def test_what_trains_is_what_moves(name: str) -> None:
    start, model = training.new_classifier(small_encoder(), 3, generator()), tuned(METHODS[name])
    adapters.insert(start.encoder, METHODS[name], generator(0))
    expected = expected_to_train(name, start.encoder)
    assert set(adapters.trained(model.encoder)) == expected
    before = dict(start.encoder.named_parameters())
    for parameter, value in model.encoder.named_parameters():
        if parameter not in expected:
            assert torch.equal(value, before[parameter]), parameter
    moved = [n for n in expected if not torch.equal(model.encoder.get_parameter(n), before[n])]
    # The keys' bias has no effect: softmax does not see what is added to all scores of a query.
    assert len(moved) >= len(expected) - 3
    assert all(p.requires_grad for p in model.head.parameters())


@every_method
def test_remove_restores_the_network_bit_for_bit(name: str) -> None:
    encoder = small_encoder()
    encoder.position.requires_grad_(False)  # an odd flag must come back too
    before = snapshot(encoder)
    model = training.Classifier(encoder, nn.Linear(16, 3))
    adapters.insert(encoder, METHODS[name], generator())
    schedule = training.Schedule(steps=4, batch=8, optimizer="adam", record_every=0)
    training.fit(model, tiny_task(), 0.02, generator(), schedule)
    assert adapters.remove(encoder) is encoder
    assert_same(before, snapshot(encoder))
    assert adapters.inserted(encoder) is None
    adapters.insert(encoder, METHODS["adapters"], generator())  # and again


def test_a_copy_is_removed_without_the_original() -> None:
    model = tuned(METHODS["adapters"])
    changed = snapshot(model.encoder)
    twin = copy.deepcopy(model.encoder)
    assert_same(snapshot(adapters.remove(twin)), snapshot(small_encoder()))
    assert_same(changed, snapshot(model.encoder))


@pytest.mark.parametrize("blocks", [(0,), (2, 0)])
def test_only_the_chosen_blocks_get_adapters(blocks: tuple[int, ...]) -> None:
    encoder = adapters.insert(small_encoder(), Method(blocks=blocks), generator())
    found = {
        number
        for number, block in enumerate(encoder.blocks)
        if any(isinstance(module, Bottleneck) for module in block.modules())
    }
    assert found == set(blocks)


def test_pruning_takes_out_adapters_and_leaves_norms() -> None:
    model = tuned(METHODS["adapters"])
    cut = adapters.without(model.encoder, (1,))
    assert isinstance(cut.blocks[0].attention, adapters.Adapted)
    assert isinstance(cut.blocks[1].attention, encoders.Attention)
    assert isinstance(model.encoder.blocks[1].attention, adapters.Adapted), "a copy"
    assert torch.equal(cut.blocks[1].norm1.weight, model.encoder.blocks[1].norm1.weight)
    everything = adapters.without(model.encoder, (0, 1, 2))
    assert list(everything.state_dict()) == list(small_encoder().state_dict())


def test_merged_lora_is_an_ordinary_network_with_the_same_output() -> None:
    model = tuned(METHODS["lora"])
    plain, images = adapters.merged(model.encoder), tiny_task().test.images
    assert list(plain.state_dict()) == list(small_encoder().state_dict())
    expected = training.features(model.encoder, images)
    assert torch.allclose(training.features(plain, images), expected, atol=1e-5)
    assert not torch.allclose(training.features(small_encoder(), images), expected, atol=1e-2)
    assert all(parameter.requires_grad for parameter in plain.parameters()), "and can be tuned"


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda e: adapters.insert(ConvEncoder(4), Method(), generator()), "got a ConvEncoder"),
        (lambda e: adapters.insert(e, Method(blocks=(3,)), generator()), "accepted: 0 to 2"),
        (adapters.remove, "nothing is inserted"),
        (adapters.merged, "only LoRA"),
        (lambda e: adapters.insert(tuned(Method()).encoder, Method(), generator()), "remove"),
        (lambda e: task_weights.extract(training.Classifier(e, nn.Linear(16, 2))), "nothing ins"),
    ],
    ids=["conv", "block", "remove", "merge", "twice", "extract"],
)
def test_mistakes_are_explained_and_change_nothing(act, message: str) -> None:
    encoder = small_encoder()
    before = snapshot(encoder)
    with pytest.raises(ValueError, match=message):
        act(encoder)
    assert_same(before, snapshot(encoder))


# ---------------------------------------------------------------- one backbone, many tasks


@every_method
def test_a_task_is_saved_and_attached_alone(name: str, tmp_path: Path) -> None:
    model, images = tuned(METHODS[name]), tiny_task().test.images
    expected = training.features(model, images)
    weights = task_weights.extract(model)
    task_weights.save(weights, tmp_path / "colours.safetensors")
    assert not list(tmp_path.glob("*.tmp"))
    found = task_weights.read(tmp_path / "colours.safetensors")
    assert found.method == weights.method and found.size == 4 * adapters.count(model)
    backbone = small_encoder()
    before = snapshot(backbone)
    again = task_weights.attach(backbone, found)
    assert again.encoder is backbone, "the backbone is not copied"
    assert torch.equal(training.features(again, images), expected)
    assert_same(before, snapshot(adapters.remove(backbone)))


def test_one_backbone_switches_between_tasks() -> None:
    models = {
        "colours": tuned(METHODS["adapters"]),
        "two": tuned(METHODS["lora"], classes=2, seed=1),
        "norms": tuned(METHODS["norms"], seed=2),
    }
    images = tiny_task().test.images
    expected = {name: training.features(model, images) for name, model in models.items()}
    stored = {name: task_weights.extract(model) for name, model in models.items()}
    backbone = small_encoder()
    for name in ("colours", "two", "norms", "two", "colours"):
        model = task_weights.attach(backbone, stored[name])
        assert torch.equal(training.features(model, images), expected[name])


def broken(**changes) -> task_weights.TaskWeights:
    """A task's weights of which some tensors are replaced, or left out (None)."""
    method, tensors = task_weights.extract(tuned(METHODS["adapters"]))
    tensors = {name: x for name, x in (tensors | changes).items() if x is not None}
    return task_weights.TaskWeights(method, tensors)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder.norm.weight": None}, "'encoder.norm.weight' is missing"),
        ({"encoder.norm.scale": torch.zeros(16)}, "'encoder.norm.scale' is unknown"),
        ({"encoder.norm.weight": torch.zeros(8)}, r"has shape \(8,\), accepted: \(16,\)"),
        ({"head.weight": None}, "'head.weight' is missing"),
    ],
)
def test_weights_that_do_not_fit_attach_nothing(changes: dict, message: str) -> None:
    encoder = small_encoder()
    before = snapshot(encoder)
    with pytest.raises(ValueError, match=message):
        task_weights.attach(encoder, broken(**changes))
    assert_same(before, snapshot(encoder))


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_file_of_something_else_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"path: .*odd\.safetensors holds no task's weights"):
        task_weights.read(tmp_path / "odd.safetensors")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        task_weights.read(tmp_path / "nowhere.safetensors")


def test_adapters_learn_with_a_frozen_encoder() -> None:
    """From chance to almost all right, through the one training loop."""
    model = training.new_classifier(small_encoder(), 3, generator())
    adapters.insert(model.encoder, Method(width=4), generator())
    schedule = training.Schedule(steps=60, batch=16, optimizer="adam", record_every=0)
    fit = training.fit(model, tiny_task(), 0.01, generator(), schedule)
    assert training.accuracy(fit.model, tiny_task().test) > 0.8
