"""The layers against other libraries, and what they start as."""

import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from oracles import oracle
from seeds import generator
from torch import nn

from labkit import adapters
from labkit.adapters import Bottleneck, LoRAAttention, LoRALinear

few = cases(20)


# Float64 values from AdapterHub's `adapters` 1.3.0 (gelu) and peft 0.21.2 (LoRA).


@pytest.mark.parametrize("run", [0, 1])
def test_bottleneck_equals_adapterhub(run: int) -> None:
    case = oracle("adapters", run, "bottleneck_gelu")
    width, dim = case["in/down_weight"].shape
    bottleneck = Bottleneck(dim, width).double()
    names = ("down_weight", "down_bias", "up_weight", "up_bias")
    bottleneck.load_state_dict({n.replace("_", "."): case[f"in/{n}"] for n in names})
    assert torch.allclose(bottleneck(case["in/x"]), case["out/y"], rtol=0, atol=1e-12)
    assert sum(p.numel() for p in bottleneck.parameters()) == case["out/n_params"]


@pytest.mark.parametrize("run", [0, 1])
def test_lora_equals_peft_apart_and_merged(run: int) -> None:
    case = oracle("adapters", run, "lora_linear")
    (rank, inside), outside = case["in/A"].shape, len(case["in/weight"])
    linear = nn.Linear(inside, outside).double()
    linear.load_state_dict({name: case[f"in/{name}"] for name in ("weight", "bias")})
    lora = LoRALinear(linear, rank, case["in/alpha"].item())
    with torch.no_grad():
        lora.A.copy_(case["in/A"])
        lora.B.copy_(case["in/B"])
    assert torch.allclose(lora(case["in/x"]), case["out/y"], rtol=0, atol=1e-12)
    assert torch.allclose(lora.merged()(case["in/x"]), case["out/merged"], rtol=0, atol=1e-12)


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


def test_lora_in_packed_attention_is_lora_on_its_query_and_value_weights() -> None:
    """Against attention whose three projections are linear layers of their own."""
    packed = nn.MultiheadAttention(8, 2, batch_first=True).double()
    lora = LoRAAttention(packed, 2, 6.0, generator())
    x = torch.randn(3, 5, 8, dtype=torch.float64, generator=generator())
    assert torch.allclose(lora(x, x, x)[0], packed(x, x, x)[0], atol=1e-12)
    with torch.no_grad():
        lora.query.B.normal_(generator=generator(1))
        lora.value.B.normal_(generator=generator(2))
    query, key, value = (x @ w.T + b for w, b in zip(
        packed.in_proj_weight.chunk(3), packed.in_proj_bias.chunk(3), strict=True))  # fmt: skip
    query = query + 3 * x @ lora.query.A.T @ lora.query.B.T  # alpha / rank is 3
    value = value + 3 * x @ lora.value.A.T @ lora.value.B.T
    heads = [t.unflatten(2, (2, 4)).transpose(1, 2) for t in (query, key, value)]
    mixed = nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    assert torch.allclose(lora(x, x, x)[0], packed.out_proj(mixed), atol=1e-12)
    assert torch.allclose(lora.merged()(x, x, x)[0], lora(x, x, x)[0], atol=1e-12)


def test_a_parallel_adapter_sees_what_its_layer_sees() -> None:
    # In float64: the sum below takes x away again, which float32 does not always forgive.
    layer, adapter = nn.Linear(4, 4).double(), Bottleneck(4, 2).double()
    nn.init.normal_(adapter.up.weight, generator=generator())
    x = torch.randn(3, 4, generator=generator(), dtype=torch.float64)
    found = adapters.Adapted(layer, adapter, parallel=True)(x)
    assert torch.allclose(found, layer(x) + adapter(x) - x)
