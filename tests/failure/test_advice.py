"""What to try first, double descent, and accuracy on the line: rules against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from labkit import results
from labkit.failure import advice
from labkit.failure import double_descent as descent
from labkit.failure import label_free_estimates as proxies
from labkit.tasks import Examples, Task

SEEDS = 8


def scores(**means: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.1, SEEDS)
    return {
        name.replace("_", "-"): mean + luck + rng.normal(0, 0.005, SEEDS)
        for name, mean in means.items()
    }


def test_the_least_change_wins_unless_it_is_clearly_beaten() -> None:
    assert advice.first_try(scores(probe=0.5, fine_tuning=0.495)) == "probe"
    assert advice.first_try(scores(probe=0.5, fine_tuning=0.6, scratch=0.4)) == "fine-tuning"
    assert advice.first_try(scores(probe=0.3, lp_ft=0.35, scratch=0.5)) == "scratch"
    assert advice.first_try({"scratch": [0.1, 0.2]}) == "scratch"


@given(st.integers(0, 2**31), st.permutations(advice.BY_CHANGE[:4]))
@cases(30)
def test_advice_does_not_depend_on_the_order_and_is_never_clearly_beaten(seed, order) -> None:
    rng = np.random.default_rng(seed)
    found = {m: rng.normal(0.5, 0.1, SEEDS) for m in advice.BY_CHANGE[:4]}
    first = advice.first_try(found)
    assert first == advice.first_try({m: found[m] for m in order})
    best = max(found, key=lambda m: found[m].mean())
    clearly_beaten = any(advice.lead(found, m, first).low > 0 for m in found if m != first)
    assert first == best or not clearly_beaten


def test_methods_without_a_cost_are_named() -> None:
    with pytest.raises(ValueError, match="scores: got .'magic'"):
        advice.first_try({"magic": [0.1, 0.2]})
    with pytest.raises(ValueError, match="scores: got nothing"):
        advice.first_try({})


# ---------------------------------------------------------------- the line


@given(st.floats(-2, 2), st.floats(-1, 1), st.integers(0, 100))
@cases(30)
def test_a_line_on_the_probit_scale_is_recovered(slope: float, intercept: float, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(-1, 1, 20)
    line = proxies.accuracy_line(norm.cdf(x), norm.cdf(np.clip(intercept + slope * x, -3, 3)))
    assert (line.slope, line.intercept) == pytest.approx((slope, intercept), abs=1e-6)
    assert line(norm.cdf(x)) == pytest.approx(norm.cdf(intercept + slope * x))
    if abs(slope) > 0.01:
        assert line.correlation == pytest.approx(np.sign(slope))


def test_a_line_needs_three_networks_that_differ() -> None:
    for known in ([0.5, 0.6], [0.5, 0.5, 0.5], [[0.5, 0.6, 0.7]]):
        with pytest.raises(ValueError, match="known, elsewhere"):
            proxies.accuracy_line(np.array(known), np.array(known))


# ---------------------------------------------------------------- double descent


def random_task(n: int = 120, side: int = 3, classes: int = 3) -> Task:
    """Noisy pictures of three colours."""

    def examples(seed: int) -> Examples:
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(n) % classes
        images = torch.randint(0, 200, (n, 3, side, side), generator=generator)
        images[torch.arange(n), labels] += 50
        return Examples(images.byte(), labels)

    return Task("colours", ("r", "g", "b"), *map(examples, range(3)), ood={})


class Flat(torch.nn.Module):
    def forward(self, images):
        return images.float().flatten(1) / 255 - 0.5


def test_the_live_fit_is_least_squares() -> None:
    """All images, hardly any ridge: NumPy's least squares gives the same answers."""
    embedded = descent.embed(Flat(), random_task())
    generator = torch.Generator().manual_seed(0)
    found = descent.draw_accuracies(embedded, len(embedded.train), descent.NO_RIDGE, 2, generator)
    targets = np.eye(3)[embedded.train_labels.numpy()]
    weights = np.linalg.lstsq(embedded.train.numpy(), targets, rcond=None)[0]
    guess = (embedded.test.numpy() @ weights).argmax(axis=1)
    assert found == pytest.approx([(guess == embedded.test_labels.numpy()).mean()] * 2)
    assert embedded.threshold == 28, "27 pixels and a constant"


def test_error_peaks_where_labels_can_just_be_fitted() -> None:
    embedded = descent.embed(Flat(), random_task())

    def mean(n: int, strength: float) -> float:
        generator = torch.Generator().manual_seed(0)
        return descent.draw_accuracies(embedded, n, strength, 30, generator).mean()

    before, at, after = (mean(n, descent.NO_RIDGE) for n in (9, embedded.threshold, 100))
    assert at < before - 0.03 and at < after - 0.1
    assert mean(embedded.threshold, 10.0) > at + 0.1


def test_draws_are_seeded_and_checked() -> None:
    embedded = descent.embed(Flat(), random_task())
    one, two = (
        descent.draw_accuracies(embedded, 10, 1.0, 5, torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert (one == two).all() and len(set(one)) > 1
    for n, draws in ((0, 1), (121, 1), (5, 0)):
        with pytest.raises(ValueError, match="n, draws: got"):
            descent.draw_accuracies(embedded, n, 1.0, draws, torch.Generator())


# ---------------------------------------------------------------- readers


def test_a_column_is_selected_and_ordered_by_seed() -> None:
    rows = [
        {"seed": str(seed), "model": model, "id": f"{seed / 10}"}
        for seed in (2, 0, 1)
        for model in ("a", "b")
    ]
    assert results.column(rows, "id", model="a").tolist() == [0, 0.1, 0.2]
    assert results.column(rows, "id", model="b", seed=1).tolist() == [0.1]
    assert results.values_of(rows, "seed") == ["2", "0", "1"]
    for where in ({"model": "c"}, {}):  # none; two of each seed
        with pytest.raises(ValueError, match="where: "):
            results.column(rows, "id", **where)


def test_networks_count_whether_picked_or_not() -> None:
    rows = [{"shift": "far", "method": "probe", "id": "0.5", "ood": f"0.{i}"} for i in range(3)]
    assert results.networks(rows, "far", "probe").tolist() == [[0.5, 0], [0.5, 0.1], [0.5, 0.2]]
    with pytest.raises(ValueError, match="'near', 'probe' has no rows"):
        results.networks(rows, "near", "probe")
