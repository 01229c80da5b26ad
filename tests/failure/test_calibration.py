"""Calibration and label-free guesses of accuracy: closed forms, properties, scikit-learn."""

import numpy as np
import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from labkit import calibration
from labkit.calibration import Answers
from labkit.failure import label_free_estimates as proxies


def random_logits(seed: int, n: int = 400, classes: int = 4, scale: float = 2.0):
    """Logits, and labels drawn from their own softmax: calibrated by construction."""
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(n, classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return logits, (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)


def random_answers(seed: int, n: int = 200) -> Answers:
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.1, 1, n)
    return Answers(confidence, rng.random(n) < confidence)


def test_answers_are_softmax_and_argmax() -> None:
    logits = torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]])
    found = calibration.answers(logits, torch.tensor([1, 2]))
    assert found.confidence == pytest.approx(logits.softmax(1).max(1).values.numpy())
    assert found.right.tolist() == [True, False]


@pytest.mark.parametrize("kind", [torch.tensor, list])
def test_answers_may_be_tensors_or_lists(kind) -> None:
    """As a network's probabilities and verdicts are."""
    arrays = random_answers(5)
    same = Answers(kind(arrays.confidence), kind(arrays.right))
    elsewhere = 0.9 * arrays.confidence
    for guess in (proxies.difference_of_confidences, proxies.average_thresholded_confidence):
        assert guess(same, kind(elsewhere)) == guess(arrays, elsewhere)


@given(st.integers(0, 2**31), st.floats(0.05, 20))
@cases(30)
def test_temperature_changes_confidence_only(seed: int, temperature: float) -> None:
    logits, labels = random_logits(seed, 50)
    plain = calibration.answers(logits, labels)
    scaled = calibration.answers(logits, labels, temperature)
    assert (plain.right == scaled.right).all()
    surer = (scaled.confidence - plain.confidence) * (1 if temperature <= 1 else -1)
    assert (surer >= -1e-12).all()


def test_reliability_equals_scikit_learn() -> None:
    given_ = random_answers(3)
    accuracy, confidence = calibration_curve(given_.right, given_.confidence, n_bins=10)
    found = calibration.reliability(given_, 10)
    full = found.count > 0
    assert found.accuracy[full] == pytest.approx(accuracy)
    assert found.confidence[full] == pytest.approx(confidence)
    assert found.count.sum() == len(given_.right)


@pytest.mark.parametrize("bins", range(2, 40))
def test_a_confidence_at_an_edge_belongs_to_the_bin_that_ends_there(bins) -> None:
    edges = Answers(np.array([k / bins for k in range(1, bins + 1)]), np.ones(bins, dtype=bool))
    assert calibration.reliability(edges, bins).count.tolist() == [1] * bins


def test_an_error_that_can_be_written_down() -> None:
    """Four answers at .9, three of them right; two at .6, both wrong."""
    given_ = Answers(np.array([0.95] * 4 + [0.65] * 2), np.array([1, 1, 1, 0, 0, 0], bool))
    expected = (4 * abs(0.75 - 0.95) + 2 * 0.65) / 6
    assert calibration.calibration_error(given_) == pytest.approx(expected)
    found = calibration.reliability(given_)
    assert np.isnan(found.accuracy[0]) and found.count.tolist() == [0] * 6 + [2, 0, 0, 4]


def test_the_fitted_temperature_finds_a_known_one() -> None:
    """Logits multiplied by three need to be divided by three."""
    logits, labels = random_logits(0, 20_000)
    unscaled = calibration.fit_temperature(logits, labels)
    assert unscaled == pytest.approx(1, rel=0.05)
    assert calibration.fit_temperature(3 * logits, labels) == pytest.approx(3 * unscaled, rel=1e-4)


@given(st.integers(0, 2**31))
@cases(20)
def test_at_the_fitted_temperature_the_loss_is_stationary(seed: int) -> None:
    """dL/d(1/T) = E[expected logit - own logit] = 0 (Guo et al. 2017): by autograd."""
    logits, labels = (torch.from_numpy(x) for x in random_logits(seed, 300))
    inverse = torch.tensor(1 / calibration.fit_temperature(logits, labels), dtype=torch.float64)
    inverse.requires_grad_()
    torch.nn.functional.cross_entropy(logits * inverse, labels).backward()
    assert abs(inverse.grad.item()) < 1e-4


@pytest.mark.parametrize("scale", [1e-3, 1, 10, 1000])
def test_a_classifier_that_is_always_right_gets_the_coldest_temperature(scale: float) -> None:
    """Its loss falls towards T = 0, and is 0 to the last bit long before: a plateau."""
    logits, labels = scale * np.eye(3), np.arange(3)
    assert calibration.fit_temperature(logits, labels) == calibration.COLDEST
    assert calibration.fit_temperature(logits, (labels + 1) % 3) == calibration.HOTTEST


def test_every_floating_type_is_read() -> None:
    logits, labels = (torch.from_numpy(x) for x in random_logits(1))
    expected = calibration.fit_temperature(logits, labels)
    right = calibration.answers(logits, labels).right.mean()
    for kind in (torch.bfloat16, torch.float16, torch.float32):
        found = calibration.answers(logits.to(kind), labels).right.mean()
        assert found == pytest.approx(right, abs=0.02)
        assert calibration.fit_temperature(logits.to(kind), labels) == pytest.approx(expected, 0.02)


@given(st.integers(0, 2**31))
@cases(30)
def test_without_a_shift_both_guesses_are_exact(seed: int) -> None:
    known = random_answers(seed)
    expected = pytest.approx(known.right.mean())
    assert proxies.difference_of_confidences(known, known.confidence) == expected
    assert proxies.average_thresholded_confidence(known, known.confidence) == expected


def test_guesses_by_hand() -> None:
    known = Answers(np.array([0.9, 0.8, 0.6, 0.3]), np.array([True, True, False, True]))
    elsewhere = np.array([0.7, 0.2, 0.25, 0.1])
    assert proxies.average_thresholded_confidence(known, elsewhere) == 0.25
    expected = 0.75 - (known.confidence.mean() - elsewhere.mean())
    assert proxies.difference_of_confidences(known, elsewhere) == pytest.approx(expected)
    always = Answers(known.confidence, np.ones(4, bool))
    assert proxies.average_thresholded_confidence(always, elsewhere) == 1


@pytest.mark.parametrize(
    "confidence", [[1.0] * 5, [1.0, 1.0, 1.0, 0.5, 0.2], [0.5, 0.5, 0.5, 1, 1]]
)
@pytest.mark.parametrize("wrong", range(6))
def test_ties_at_the_threshold_count_as_often_as_they_are_right(confidence, wrong: int) -> None:
    """A network that is always 1.0 sure has nothing but ties; ATC was 0."""
    known = Answers(np.array(confidence), np.arange(5) >= wrong)
    guess = proxies.average_thresholded_confidence(known, known.confidence)
    assert guess == pytest.approx(1 - wrong / 5)


@given(st.integers(0, 2**31), st.floats(0, 0.5))
@cases(30)
def test_less_confidence_never_promises_more(seed: int, loss: float) -> None:
    known = random_answers(seed)
    lower = known.confidence * (1 - loss)
    for guess in (proxies.difference_of_confidences, proxies.average_thresholded_confidence):
        assert guess(known, lower) <= guess(known, known.confidence) + 1e-12
