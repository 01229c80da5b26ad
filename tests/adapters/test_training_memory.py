"""What training holds in memory: counted numbers, and activations that autograd really keeps."""

import copy

import pytest
import torch
from shared import assert_same, snapshot

from labkit import adapters, encoders
from labkit.adapters.training_memory import memory_table, training_memory

IMAGES = torch.rand(4, 3, 8, 8)
METHODS = ("probe", "lora", "adapters", "fine-tuning")


@pytest.fixture(scope="module")
def encoder() -> encoders.VisionTransformer:
    return encoders.VisionTransformer(dim=16, depth=2, heads=2, size=8)


@pytest.mark.parametrize("name", METHODS)
def test_weights_gradients_and_optimizer_are_what_is_counted(encoder, name) -> None:
    found = training_memory(encoder, adapters.METHODS[name], IMAGES)
    network = adapters.insert(copy.deepcopy(encoder), adapters.METHODS[name], torch.Generator())
    trained = 4 * adapters.count(network) / 1e6
    assert found["gradients"] == pytest.approx(trained)
    assert found["optimizer"] == pytest.approx(2 * trained), "Adam keeps two moments"
    assert found["weights"] == pytest.approx(4e-6 * sum(p.numel() for p in network.parameters()))


def test_activations_grow_with_the_batch_and_a_probe_keeps_none(encoder) -> None:
    table = memory_table(encoder, {m: adapters.METHODS[m] for m in METHODS}, IMAGES)
    twice = memory_table(encoder, {"lora": adapters.METHODS["lora"]}, IMAGES.repeat(2, 1, 1, 1))
    kept = table["activations"]
    assert kept["probe"] == 0 < kept["lora"] < kept["fine-tuning"]
    assert 1.8 < twice.loc["lora", "activations"] / kept["lora"] < 2.1
    assert (table["total"] == table.drop(columns="total").sum(axis=1)).all()


def test_the_encoder_is_left_as_it_is(encoder) -> None:
    before = snapshot(encoder)
    training_memory(encoder, adapters.METHODS["adapters"], IMAGES)
    assert_same(before, snapshot(encoder))


def test_activations_are_measured_where_no_gradients_are_wanted(encoder) -> None:
    """Under `torch.no_grad` autograd keeps nothing, and training is not free."""
    expected = training_memory(encoder, adapters.METHODS["lora"], IMAGES)
    with torch.no_grad():
        assert training_memory(encoder, adapters.METHODS["lora"], IMAGES) == expected
