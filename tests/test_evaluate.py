"""Intervals, neighbours and horizontal readings, each against a closed form or brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from labkit.evaluate import labels_needed, mean_interval, nearest

ACCURACIES = st.lists(st.floats(0, 1), min_size=2, max_size=10)


# Intervals


@given(ACCURACIES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_the_interval_is_student_s(values, confidence) -> None:
    assume(np.std(values) > 1e-6)
    interval = mean_interval(values, confidence)
    mean, sem = np.mean(values), stats.sem(values)
    low, high = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=sem)
    assert interval == pytest.approx((mean, low, high), abs=1e-12)


def test_equal_values_leave_no_doubt() -> None:
    assert mean_interval([0.5, 0.5, 0.5]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("seeds", [2, 5])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds) -> None:
    rng = np.random.default_rng(0)
    trials = 2000
    intervals = [mean_interval(rng.normal(3, 2, seeds)) for _ in range(trials)]
    covered = np.mean([low <= 3 <= high for _, low, high in intervals])
    assert covered == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / trials))


@pytest.mark.parametrize("values", [[], [0.5], [0.5, math.nan], [0.5, math.inf], [[1, 2], [3, 4]]])
def test_values_without_an_interval_are_refused(values) -> None:
    with pytest.raises(ValueError, match="values: got .*two or more finite"):
        mean_interval(values)


@pytest.mark.parametrize("confidence", [0, 1, 95, math.nan])
def test_a_confidence_is_a_share(confidence) -> None:
    with pytest.raises(ValueError, match="confidence: got"):
        mean_interval([0.4, 0.5], confidence)


# Neighbours


@given(n=st.integers(1, 5), m=st.integers(1, 12), seed=st.integers(0, 99), data=st.data())
def test_neighbours_are_those_of_brute_force(n, m, seed, data) -> None:
    count = data.draw(st.integers(1, m))
    generator = torch.Generator().manual_seed(seed)
    queries, gallery = (torch.randn(k, 4, generator=generator) for k in (n, m))
    found = nearest(queries, gallery, count)
    assert found.shape == (n, count)
    for query, rows in zip(queries.double().numpy(), found.tolist(), strict=True):
        cosines = [
            query @ other / np.linalg.norm(query) / np.linalg.norm(other)
            for other in gallery.double().numpy()
        ]
        assert rows == sorted(range(m), key=lambda row: -cosines[row])[:count]


def test_length_does_not_matter_and_an_image_is_its_own_neighbour() -> None:
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    stretched = x * torch.arange(1, 7)[:, None]
    assert nearest(x, stretched, 1)[:, 0].tolist() == list(range(6))


@pytest.mark.parametrize("count", [0, -1, 4])
def test_impossible_counts_are_refused(count) -> None:
    with pytest.raises(ValueError, match=f"count: got {count}, accepted: 1 to 3"):
        nearest(torch.ones(2, 5), torch.ones(3, 5), count)


# Labels needed

SHOTS = (1, 2, 5, 10, 20, 50)


@given(
    start=st.floats(0.1, 0.4),
    slope=st.floats(0.02, 0.1),
    wanted=st.floats(1, 50),
)
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


def test_a_curve_that_dips_is_read_where_it_first_gets_there() -> None:
    assert labels_needed([1, 10, 100, 1000], [0.2, 0.4, 0.3, 0.6], 0.3) == pytest.approx(10**0.5)


@given(ACCURACIES, st.floats(0, 1), st.floats(0, 1))
def test_more_accuracy_never_needs_fewer_labels(accuracies, one, two) -> None:
    shots = [2**k for k in range(len(accuracies))]
    low, high = sorted((one, two))
    assert labels_needed(shots, accuracies, low) <= labels_needed(shots, accuracies, high) + 1e-9
