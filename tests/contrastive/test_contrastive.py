"""The contrastive losses against independent libraries, closed forms, and what must always hold."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from cases import cases
from hypothesis import given
from hypothesis import strategies as st

from labkit.contrastive import clip_loss, info_nce, nt_xent, siglip_loss

LOSSES = {
    "info_nce": lambda a, b: info_nce(a, b, 0.1),
    "nt_xent": lambda a, b: nt_xent(a, b, 0.1),
    "clip_loss": lambda a, b: clip_loss(a, b, 10.0),
    "siglip_loss": lambda a, b: siglip_loss(a, b, 10.0, -10.0),
}
SOFTMAX_LOSSES = [name for name in LOSSES if name != "siglip_loss"]
few = cases(20)
every_loss = pytest.mark.parametrize("name", LOSSES)


def features(n: int, dim: int, seed: int = 0, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, dim, generator=generator, dtype=dtype)


@st.composite
def pairs(draw, min_rows: int = 1):
    """Two feature tensors of one random shape."""
    n, dim = draw(st.integers(min_rows, 12)), draw(st.integers(1, 9))
    return features(n, dim, draw(st.integers(0, 2**32)))


# Float64 values from open_clip 3.3.0 (CLIP, SigLIP), lightly 1.6.0 (NT-Xent) and info-nce-pytorch
# 0.1.4 (InfoNCE), under the keys case/in/argument, case/loss and case/grad/argument.
with np.load(Path(__file__).parents[1] / "fixtures/contrastive.npz") as file:
    ORACLE = {key: torch.tensor(value) for key, value in file.items()}


@pytest.mark.parametrize("case", sorted({key.split("/")[0] for key in ORACLE}))
def test_value_and_gradients_equal_an_independent_library(case):
    def stored(kind):
        return {k.split("/")[2]: v for k, v in ORACLE.items() if k.startswith(f"{case}/{kind}/")}

    loss = {"i": info_nce, "n": nt_xent, "c": clip_loss, "s": siglip_loss}[case[0]]
    expected = stored("grad")  # for every argument but a fixed temperature
    inputs = {name: x.requires_grad_(name in expected) for name, x in stored("in").items()}
    value = loss(**inputs)
    gradients = torch.autograd.grad(value, [inputs[name] for name in expected])
    torch.testing.assert_close(value, ORACLE[f"{case}/loss"], rtol=0, atol=1e-10)
    for gradient, right in zip(gradients, expected.values(), strict=True):
        torch.testing.assert_close(gradient, right, rtol=0, atol=1e-10)


def test_nt_xent_is_equation_1_of_simclr():
    view1, view2 = features(5, 4)
    views = [*view1, *view2]
    sim = [[torch.dot(a, b) / (a.norm() * b.norm()) for b in views] for a in views]

    def pair_loss(i, j):  # l(i, j)
        others = sum(torch.exp(sim[i][k] / 0.5) for k in range(10) if k != i)
        return -torch.log(torch.exp(sim[i][j] / 0.5) / others)

    expected = sum(pair_loss(k, k + 5) + pair_loss(k + 5, k) for k in range(5)) / 10
    torch.testing.assert_close(nt_xent(view1, view2, 0.5), expected)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_perfect_orthogonal_pairs_have_a_closed_form(n):
    x, t, b = torch.eye(n, 8, dtype=torch.float64), 0.5, -3.0

    def against(others):  # one candidate at cosine 1, the others at cosine 0
        return torch.tensor(math.log1p(others * math.exp(-1 / t)), dtype=torch.float64)

    torch.testing.assert_close(info_nce(x, x, t), against(n - 1))
    torch.testing.assert_close(clip_loss(x, x, 1 / t), against(n - 1))
    torch.testing.assert_close(nt_xent(x, x, t), against(2 * n - 2))
    own, others = F.logsigmoid(torch.tensor([1 / t + b, -b], dtype=torch.float64))
    torch.testing.assert_close(siglip_loss(x, x, 1 / t, b), -own - (n - 1) * others)


@pytest.mark.parametrize("same", [torch.zeros(6, 3), torch.ones(6, 3)], ids=["zero", "one vector"])
def test_indistinguishable_features_leave_a_guess_among_all_candidates(same):
    assert info_nce(same, same, 0.01).item() == pytest.approx(math.log(6))
    assert clip_loss(same, same, 100).item() == pytest.approx(math.log(6))
    assert nt_xent(same, same, 0.01).item() == pytest.approx(math.log(11))
    assert clip_loss(*features(6, 3), 0).item() == pytest.approx(math.log(6))


def test_one_pair_has_one_candidate():
    one, other = features(1, 4).requires_grad_()
    for name in SOFTMAX_LOSSES:
        loss = LOSSES[name](one, other)
        assert loss.item() == 0
        assert not torch.autograd.grad(loss, one)[0].any()
    expected = -F.logsigmoid(10 * F.cosine_similarity(one, other) - 10)[0]
    torch.testing.assert_close(siglip_loss(one, other, 10, -10), expected)


@every_loss
@few
@given(pair=pairs(), seed=st.integers(0, 99))
def test_order_rotation_and_side_do_not_matter(name, pair, seed):
    generator = torch.Generator().manual_seed(seed)
    n, dim = pair.shape[1:]
    order = torch.randperm(n, generator=generator)
    rotation = torch.linalg.qr(torch.randn(dim, dim, generator=generator).double()).Q
    loss, moved = LOSSES[name](*pair.requires_grad_()), LOSSES[name](*pair[:, order])
    torch.testing.assert_close(moved, loss)
    # The gradient follows its row.
    gradient = torch.autograd.grad(loss, pair)[0]
    torch.testing.assert_close(torch.autograd.grad(moved, pair)[0], gradient)
    torch.testing.assert_close(LOSSES[name](*(pair @ rotation)), loss)
    if name != "info_nce":
        torch.testing.assert_close(LOSSES[name](pair[1], pair[0]), loss)


@every_loss
@few
@given(pair=pairs(), exponent=st.integers(-30, 18), dtype=st.sampled_from(["float32", "float64"]))
def test_the_length_of_the_features_does_not_matter(name, pair, exponent, dtype):
    """Also below 1e-12, where `F.normalize` by itself leaves features short."""
    pair = pair.to(getattr(torch, dtype))
    torch.testing.assert_close(LOSSES[name](pair[0] * 10.0**exponent, pair[1]), LOSSES[name](*pair))


@few
@given(pair=pairs(), temperature=st.floats(0.01, 10))
def test_clip_loss_is_info_nce_in_both_directions(pair, temperature):
    both = info_nce(*pair, temperature) + info_nce(*pair.flip(0), temperature)
    torch.testing.assert_close(clip_loss(*pair, 1 / temperature), both / 2)


@pytest.mark.parametrize("name", SOFTMAX_LOSSES)
@few
@given(pair=pairs())
def test_cosines_bound_the_loss(name, pair):
    rivals = 2 * pair.shape[1] - 2 if name == "nt_xent" else pair.shape[1] - 1
    worst = math.log1p(rivals * math.exp(2 / 0.1))  # own pair at cosine -1, all rivals at 1
    best = math.log1p(rivals * math.exp(-2 / 0.1))
    assert best - 1e-12 <= LOSSES[name](*pair).item() <= worst + 1e-12


@every_loss
@few
@given(pair=pairs(min_rows=2))
def test_gradients_are_orthogonal_to_their_features(name, pair):
    """A step never changes a feature's length to first order: only its direction is compared."""
    pair.requires_grad_()
    gradient = torch.autograd.grad(LOSSES[name](*pair), pair)[0]
    torch.testing.assert_close((gradient * pair).sum(-1), torch.zeros_like(pair[..., 0]))


@pytest.mark.parametrize("loss", [info_nce, nt_xent, clip_loss, siglip_loss])
def test_first_and_second_derivatives_equal_differences(loss):
    numbers = [torch.tensor(0.7, dtype=torch.float64)]
    if loss is siglip_loss:
        numbers.append(torch.tensor(-1.0, dtype=torch.float64))
    inputs = [x.clone().requires_grad_() for x in (*features(4, 3), *numbers)]
    assert torch.autograd.gradcheck(loss, inputs)
    assert torch.autograd.gradgradcheck(loss, inputs)


def hard_negatives(n: int = 16, dim: int = 32):
    """Two views of an image lie on opposite sides of the sphere, those of others side by side.

    At 0.01 pytorch-metric-learning 2.9.0 reports -log of the smallest float32, and gradient 0.
    """
    noise = 0.05 * features(n, dim, dtype=torch.float32)
    side = torch.zeros(dim)
    side[0] = 1
    return torch.stack([side + noise[0], -side + noise[1]]).requires_grad_()


def easy_pairs(n: int = 16, dim: int = 32):
    one, noise = torch.eye(n, dim), 0.01 * features(n, dim, dtype=torch.float32)[0]
    return torch.stack([one, one + noise]).requires_grad_()


@pytest.mark.parametrize("temperature", [1.0, 0.1, 0.01, 0.005])
@pytest.mark.parametrize("make", [hard_negatives, easy_pairs])
@pytest.mark.parametrize("loss", [info_nce, nt_xent, clip_loss, siglip_loss])
def test_float32_agrees_with_float64_down_to_the_lowest_temperature(loss, make, temperature):
    numbers = [1 / temperature if loss in (clip_loss, siglip_loss) else temperature]
    numbers += [-10.0] if loss is siglip_loss else []
    pair = make()
    value = loss(*pair, *numbers)
    gradient = torch.autograd.grad(value, pair)[0]
    exact = pair.detach().double().requires_grad_()
    exact_value = loss(*exact, *numbers)
    exact_gradient = torch.autograd.grad(exact_value, exact)[0]
    torch.testing.assert_close(value.double(), exact_value, rtol=1e-5, atol=1e-5)
    error = (gradient - exact_gradient).norm() / exact_gradient.norm()
    assert error < 1e-3 or (gradient - exact_gradient).abs().max() < 1e-6


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_zero_vector_is_similar_to_nothing_and_keeps_everything_finite(name, dtype):
    pair = features(4, 3)
    pair[0, 0] = 0
    exact, pair = LOSSES[name](*pair), pair.to(dtype).requires_grad_()
    value = LOSSES[name](*pair)
    assert value.item() == pytest.approx(exact.item(), rel=0.03)
    assert torch.autograd.grad(value, pair)[0].abs().max() < 10


@every_loss
def test_the_result_is_a_scalar_of_the_features_type(name):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        loss = LOSSES[name](*features(4, 3, dtype=dtype))
        assert loss.shape == ()
        assert loss.dtype == dtype


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_under_autocast_the_result_is_float32(name, dtype):
    pair = features(4, 3, dtype=dtype)
    with torch.autocast("cpu", torch.bfloat16):
        loss = LOSSES[name](*pair)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(LOSSES[name](*pair.float()).item(), rel=0.02)


def test_a_learned_scale_may_be_a_tensor_of_one_number():
    pair = features(4, 3)
    for scale in (torch.tensor(10.0), torch.tensor([10.0]), 10, np.float32(10)):
        torch.testing.assert_close(clip_loss(*pair, scale), clip_loss(*pair, 10.0))


def test_numbers_too_extreme_for_their_type_are_named():
    pair = features(4, 3, dtype=torch.float16)
    with pytest.raises(ValueError, match="^logit_scale, logit_bias: got 1e.05 and 0, accepted: le"):
        siglip_loss(*pair, 1e5, 0.0)
