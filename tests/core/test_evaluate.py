"""Neighbours, horizontal readings and movement, each against a closed form or brute force."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from labkit import data, encoders, tasks, training
from labkit.evaluate import Recognised, head_change, labels_needed, linear_cka, movement, nearest
from labkit.statistics import read_hits

ACCURACIES = st.lists(st.floats(0, 1), min_size=2, max_size=10)


@given(n=st.integers(1, 5), m=st.integers(1, 12), seed=st.integers(0, 99), data=st.data())
def test_neighbours_are_those_of_brute_force(n, m, seed, data) -> None:
    count = data.draw(st.integers(1, m))
    generator = torch.Generator().manual_seed(seed)
    queries, gallery = (torch.randn(k, 4, generator=generator) for k in (n, m))
    found = nearest(queries, gallery, count)
    assert found.shape == (n, count)
    for query, rows in zip(queries.double().numpy(), found.tolist(), strict=True):
        others = gallery.double().numpy()
        cosines = others @ query / np.linalg.norm(query) / np.linalg.norm(others, axis=1)
        assert rows == sorted(range(m), key=lambda row: -cosines[row])[:count]


SHOTS = (1, 2, 5, 10, 20, 50)


@given(start=st.floats(0.1, 0.4), slope=st.floats(0.02, 0.1), wanted=st.floats(1, 50))
def test_on_a_log_linear_curve_the_reading_is_exact(start, slope, wanted) -> None:
    def accuracy(shots):
        return start + slope * np.log(shots)

    needed = labels_needed(SHOTS, [accuracy(n) for n in SHOTS], accuracy(wanted))
    assert needed == pytest.approx(wanted, rel=1e-6) or needed == math.inf
    assert needed < math.inf or wanted > 50 * (1 - 1e-9), "only rounding puts it out of reach"


def test_readings_at_and_beyond_the_ends() -> None:
    curve = [0.2, 0.3, 0.5]
    assert labels_needed([1, 10, 100], curve, 0.1) == 1, "starts above"
    assert labels_needed([1, 10, 100], curve, 0.2) == 1
    assert labels_needed([1, 10, 100], curve, 0.3) == pytest.approx(10)
    assert labels_needed([1, 10, 100], curve, 0.4) == pytest.approx(10**1.5)
    assert labels_needed([1, 10, 100], curve, 0.5) == pytest.approx(100)
    assert labels_needed([1, 10, 100], curve, 0.51) == math.inf
    dips = [0.2, 0.4, 0.3, 0.6]
    assert labels_needed([1, 10, 100, 1000], dips, 0.3) == pytest.approx(10**0.5), "the first time"


@given(ACCURACIES, st.floats(0, 1), st.floats(0, 1))
def test_more_accuracy_never_needs_fewer_labels(accuracies, one, two) -> None:
    shots = [2**k for k in range(len(accuracies))]
    low, high = sorted((one, two))
    assert labels_needed(shots, accuracies, low) <= labels_needed(shots, accuracies, high) + 1e-9


with np.load(Path(__file__).parents[1] / "fixtures/cka.npz") as file:
    CKA = dict(file)
FEATURES = np.random.default_rng(0).normal(size=(40, 6))


@pytest.mark.parametrize("case", [0, 1])
@pytest.mark.parametrize("kind", ["biased", "unbiased"])
def test_cka_equals_an_independent_library(case, kind) -> None:
    x, y = CKA[f"{case}/x"], CKA[f"{case}/y"]
    found = linear_cka(x, y, unbiased=kind == "unbiased")
    assert found == pytest.approx(CKA[f"{case}/{kind}"], abs=1e-10)


@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5), seed=st.integers(0, 100))
def test_cka_cannot_see_rotation_scale_and_shift_but_movement_can(scale, shift, seed) -> None:
    rotation = stats.ortho_group.rvs(6, random_state=seed)
    moved = scale * FEATURES @ rotation + shift
    for unbiased in (False, True):
        assert linear_cka(FEATURES, moved, unbiased) == pytest.approx(1, abs=1e-9)
    assert movement(FEATURES, moved).mean > 0


@pytest.mark.parametrize("scale", [1e-40, 1e40, 1e90])
def test_cka_of_any_size_is_the_same(scale) -> None:
    other = np.tanh(FEATURES)
    for unbiased in (False, True):
        expected = linear_cka(FEATURES, other, unbiased)
        assert linear_cka(scale * FEATURES, other, unbiased) == pytest.approx(expected, rel=1e-9)


def test_cka_of_many_features_and_few_images_needs_little_memory() -> None:
    """(n, n) products where (dim, dim) ones would take 75 GiB; equal where both can be formed."""
    wide = np.random.default_rng(0).normal(size=(8, 100_000))
    for unbiased in (False, True):
        assert linear_cka(wide, wide[:, ::-1], unbiased) == pytest.approx(1)
    few, many = FEATURES[:5], np.pad(FEATURES[:5], ((0, 0), (0, 50)))
    assert linear_cka(few, many) == pytest.approx(1)


def test_half_precision_is_compared_too() -> None:
    x, y = (torch.tensor(FEATURES).bfloat16() for _ in range(2))
    assert linear_cka(x, y) == pytest.approx(1) and movement(x, y).mean == 0
    assert head_change(x, y).angle == pytest.approx(0, abs=1e-3)


def test_unbiased_cka_can_be_negative() -> None:
    x, y = np.random.default_rng(14).normal(size=(2, 4, 3))
    found = [linear_cka(x, y[list(rows)], True) for rows in itertools.permutations(range(4))]
    assert -1 <= min(found) < 0
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(100, 100)))[0]
    halves = turn[:, :50], turn[:, 50:]  # whose kernels sum to the identity
    assert linear_cka(*halves, unbiased=True) == pytest.approx(-1), "however many rows"


def test_short_rows_have_directions_too() -> None:
    queries, gallery = torch.tensor([[1.0, 0.0]]), torch.tensor([[1e-14, 0.0], [1.0, 1.0]])
    assert nearest(queries, gallery, 1) == 0


def test_movement_is_the_mean_euclidean_distance() -> None:
    before = torch.tensor([[3.0, 4.0], [0.0, 5.0]])
    found = movement(before, before + torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    assert found == pytest.approx((1.5, 0.3))


def test_a_head_s_change_is_blind_to_what_no_prediction_sees() -> None:
    head = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    turned = torch.tensor([[0.0, 2.0], [0.0, -2.0]])
    found = head_change(head, turned + 7)
    assert found == pytest.approx((8**0.5, 2**0.5, 90))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_cka(FEATURES, FEATURES[:5]), "x, y: got 40 and 5 rows"),
        (lambda: linear_cka(FEATURES[:3], FEATURES[:3], True), "4 or more"),
        (lambda: linear_cka(FEATURES, np.ones((40, 2))), "same for all images"),
        (lambda: linear_cka(FEATURES, np.tile([0.1, 0.3, 0.7], (40, 1))), "the same for all"),
        (lambda: linear_cka(np.eye(4), np.eye(4), True), "equally far apart"),  # rounding said -1
        (lambda: linear_cka(FEATURES[:8], np.eye(8), True), "apart have no alignment"),
        (lambda: movement(FEATURES, FEATURES[:, :2]), "after: got shape"),
        (lambda: movement(0 * FEATURES, FEATURES), "before: all features are zero"),
        (lambda: head_change(FEATURES, FEATURES[:1]), "after: got shape .1, 6., accepted"),
        (lambda: head_change(np.ones((3, 2)), np.ones((3, 2))), "no direction"),
        (lambda: head_change(FEATURES[:3, :2], np.tile([0.1, 0.3], (3, 1))), "has no direction"),
    ],
)
def test_features_that_cannot_be_compared_are_named(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_recognised_is_what_the_task_s_tests_say() -> None:
    """In one style and in several, and the hits by concept add up to it."""
    encoder, generator = encoders.TinyEncoder(size=32), torch.Generator().manual_seed(0)
    model = training.new_classifier(encoder, 12, generator)
    told = Recognised(training.features(model, data.load(parts="test").images))
    for styles in (("blob",), data.COLOUR_STYLES):
        expected = training.accuracy(model, tasks.style_shift(styles, ()).test)
        assert told.accuracy(*styles) == pytest.approx(expected) and expected > 0
        right, count = read_hits([told.hits(*styles)])
        assert right.sum() / count.sum() == pytest.approx(expected) and right.shape == (1, 135)
