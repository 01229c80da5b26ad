"""Geometry of features: closed forms, plain loops, and what may not matter."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from labkit import contrastive
from labkit.contrastive import geometry


def features(seed: int, n: int = 7, dim: int = 5) -> torch.Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


seeds = st.integers(0, 1000)


def test_alignment_has_its_fixed_points() -> None:
    x = torch.eye(4)
    assert geometry.alignment(x, x) == 0
    assert geometry.alignment(x, -x) == pytest.approx(4)
    assert geometry.alignment(x, x.roll(1, 0)) == pytest.approx(2), "orthogonal pairs"


@pytest.mark.parametrize("length", [1e-30, 1e-13, 1e15])
def test_the_length_of_features_does_not_matter(length: float) -> None:
    one, two = features(0).float(), features(1).float()
    for measure in (geometry.alignment, geometry.modality_gap):
        assert measure(length * one, two) == pytest.approx(measure(one, two), rel=1e-5)
    assert geometry.uniformity(length * one) == pytest.approx(geometry.uniformity(one), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_measured_too(dtype: torch.dtype) -> None:
    """Even with a row of zeros, which float16 once made NaN."""
    one, two = features(0), features(1)
    one[0] = 0
    for measure in (geometry.alignment, geometry.modality_gap):
        assert measure(one.to(dtype), two.to(dtype)) == pytest.approx(measure(one, two), abs=0.02)
    assert geometry.uniformity(one.to(dtype)) == pytest.approx(geometry.uniformity(one), abs=0.02)


def test_uniformity_equals_a_plain_loop_over_pairs() -> None:
    x = F.normalize(features(0), dim=1)
    pairs = [(i, j) for i in range(7) for j in range(i)]
    potentials = [math.exp(-2 * float((x[i] - x[j]).pow(2).sum())) for i, j in pairs]
    expected = math.log(sum(potentials) / len(potentials))
    assert geometry.uniformity(x) == pytest.approx(expected)
    assert geometry.uniformity(torch.ones(5, 3)) == pytest.approx(0, abs=1e-6), "collapsed"
    assert geometry.uniformity(torch.eye(6)) == pytest.approx(-4), "squared distance 2 everywhere"


@given(seeds)
def test_lengths_and_rotations_do_not_matter(seed: int) -> None:
    one, two = features(seed), features(seed + 1)
    turn = torch.linalg.qr(features(seed + 2, 5)).Q
    for measure in (geometry.alignment, geometry.modality_gap):
        assert measure(3 * one @ turn, two @ turn) == pytest.approx(measure(one, two))
    assert geometry.uniformity(3 * one @ turn) == pytest.approx(geometry.uniformity(one))


def test_the_modality_gap_is_the_distance_of_two_points_that_are_all_there_is() -> None:
    one, two = torch.eye(3)[[0, 0]], torch.eye(3)[[1, 1]]
    assert geometry.modality_gap(one, two) == pytest.approx(math.sqrt(2))
    assert geometry.modality_gap(one, one) == 0


@given(seeds, st.floats(0.02, 2))
def test_shares_are_what_the_gradient_of_the_loss_says(seed: int, temperature: float) -> None:
    """d loss / d cosine_ij, divided by its sum over the negatives of row i."""
    cosines = contrastive.cosine_similarities(features(seed), features(seed + 1)).requires_grad_()
    F.cross_entropy(cosines / temperature, torch.arange(7), reduction="sum").backward()
    gradient = cosines.grad.clone().fill_diagonal_(0)
    shares = geometry.negative_shares(cosines.detach(), temperature)
    assert shares.diagonal().abs().max() == 0
    assert torch.allclose(shares, gradient / gradient.sum(1, keepdim=True), atol=1e-6)


def test_the_temperature_decides_how_many_negatives_are_heard() -> None:
    cosines = torch.tensor([[1.0, 0.5, 0.1, 0.0], [0.0, 1.0, 0.3, 0.2]])
    few, all_alike = (geometry.negative_shares(cosines, t) for t in (0.01, 100))
    assert geometry.half_of_push(few).tolist() == [1, 1]
    assert geometry.half_of_push(all_alike).tolist() == [2, 2], "two of three alike make a half"
    assert torch.allclose(all_alike[0, 1:], torch.full((3,), 1 / 3), atol=0.01)


@pytest.mark.parametrize("shape", [(5, 3), (2, 1), (0, 4), (4,)])
def test_rows_without_a_positive_or_a_negative_have_no_shares(shape) -> None:
    with pytest.raises(ValueError, match="^similarities: got shape .*at least n"):
        geometry.negative_shares(torch.zeros(shape), 0.1)


@pytest.mark.parametrize("count", [2, 82, 94, 110, 1000])
def test_of_equal_negatives_half_make_half_of_the_push(count: int) -> None:
    """Rounding made it one more of some."""
    assert geometry.half_of_push(torch.full((1, count), 1 / count)) == count // 2


@given(seeds, st.integers(2, 7))
def test_the_bound_never_exceeds_log_n(seed: int, batch: int) -> None:
    one = features(seed)
    assert geometry.information(one, one, 100, batch) <= math.log(batch) + 1e-9
    assert geometry.information(torch.eye(7), torch.eye(7), 1000, batch) == pytest.approx(
        math.log(batch)
    )
    equal = torch.ones(7, 3)
    assert geometry.information(equal, equal, 5, batch) == pytest.approx(0, abs=1e-6)
