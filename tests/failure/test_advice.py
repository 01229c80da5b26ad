"""What to try first, double descent, and accuracy on the line: rules against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from seeds import generator

from labkit import advice, data, encoders, tasks
from labkit.failure import double_descent as descent
from labkit.failure.corruptions import with_corruptions
from labkit.failure.label_free_estimates import accuracy_line
from labkit.statistics import Scores, clearly_ahead

SEEDS = 8


def runs(*values: float) -> Scores:
    return Scores(np.array(values), overlap=0)


def scores(**means: float) -> dict[str, Scores]:
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 0.1, SEEDS)
    return {
        name.replace("_", "-"): runs(*(mean + luck + rng.normal(0, 0.005, SEEDS)))
        for name, mean in means.items()
    }


def test_the_least_change_wins_unless_it_is_clearly_beaten() -> None:
    assert advice.first_try(scores(probe=0.5, fine_tuning=0.495)) == "probe"
    assert advice.first_try(scores(probe=0.5, fine_tuning=0.6, scratch=0.4)) == "fine-tuning"
    assert advice.first_try(scores(probe=0.3, lp_ft=0.35, scratch=0.5)) == "scratch"
    assert advice.first_try({"scratch": runs(0.1, 0.2)}) == "scratch"


@given(st.integers(0, 2**31), st.permutations(advice.BY_CHANGE[:4]))
@cases(30)
def test_advice_does_not_depend_on_the_order_and_is_never_clearly_beaten(seed, order) -> None:
    rng = np.random.default_rng(seed)
    found = {m: runs(*rng.normal(0.5, 0.1, SEEDS)) for m in advice.BY_CHANGE[:4]}
    first = advice.first_try(found)
    assert first == advice.first_try({m: found[m] for m in order})
    best = max(found, key=lambda m: found[m].mean)
    ahead = clearly_ahead({m: found[m] - found[first] for m in found if m != first})
    assert first == best or not ahead


def test_points_behind_the_best_in_each_situation() -> None:
    found = advice.points_behind([
        advice.Situation("few labels", {"scratch": runs(0.1, 0.3), "probe": runs(0.5, 0.5)}),
        advice.Situation("far", {"lp-ft": runs(0.4, 0.4), "probe": runs(0.3, 0.3)}),
    ])  # fmt: skip
    assert list(found) == ["probe", "lp-ft", "scratch"], "from near the pretrained to far from it"
    assert found.loc["few labels", ["probe", "scratch"]].tolist() == pytest.approx([0, -30])
    assert np.isnan(found.loc["few labels", "lp-ft"]) and found.loc["far", "lp-ft"] == 0


@given(st.floats(-2, 2), st.floats(-1, 1), st.integers(0, 100))
@cases(30)
def test_a_line_on_the_probit_scale_is_recovered(slope: float, intercept: float, seed: int) -> None:
    x = np.random.default_rng(seed).uniform(-1, 1, 20)
    line = accuracy_line(norm.cdf(x), norm.cdf(np.clip(intercept + slope * x, -3, 3)))
    assert (line.slope, line.intercept) == pytest.approx((slope, intercept), abs=1e-6)
    assert line(norm.cdf(x)) == pytest.approx(norm.cdf(intercept + slope * x))
    if abs(slope) > 0.01:
        assert line.correlation == pytest.approx(np.sign(slope))


def test_a_line_needs_three_networks_that_differ() -> None:
    for known in ([0.5, 0.6], [0.5, 0.5, 0.5], [[0.5, 0.6, 0.7]]):
        with pytest.raises(ValueError, match="known, elsewhere"):
            accuracy_line(np.array(known), np.array(known))


def random_task(n: int = 120, side: int = 3, classes: int = 3) -> tasks.Task:
    """Noisy pictures of three colours."""

    def examples(seed: int) -> tasks.Examples:
        labels = torch.arange(n) % classes
        images = torch.randint(0, 200, (n, 3, side, side), generator=generator(seed))
        images[torch.arange(n), labels] += 50
        return tasks.Examples(images.byte(), labels)

    return tasks.Task("colours", ("r", "g", "b"), *map(examples, range(3)), ood={})


class Flat(torch.nn.Module):
    def forward(self, images):
        return images.float().flatten(1) / 255 - 0.5


def test_the_live_fit_is_least_squares() -> None:
    """All images, hardly any ridge: NumPy's least squares gives the same answers."""
    embedded = descent.embed(Flat(), random_task())
    everything = (len(embedded.train), descent.NO_RIDGE, 2, generator())
    found = descent.draw_accuracies(embedded, *everything)
    targets = np.eye(3)[embedded.train_labels.numpy()]
    weights = np.linalg.lstsq(embedded.train.numpy(), targets, rcond=None)[0]
    guess = (embedded.test.numpy() @ weights).argmax(axis=1)
    assert found == pytest.approx([(guess == embedded.test_labels.numpy()).mean()] * 2)
    assert embedded.threshold == 28, "27 pixels and a constant"


@pytest.mark.parametrize(("weights", "rank"), [("clip-conv", 129), ("clip-vit", 128)])
def test_the_threshold_is_the_rank_of_the_features(weights: str, rank: int) -> None:
    """128 features and a constant; the transformer's last norm makes the constant redundant."""
    task = tasks.style_shift(data.COLOUR_STYLES[:2], ())
    embedded = descent.embed(encoders.load(weights).image, task)
    assert embedded.train.shape[1] == 129 and embedded.threshold == rank
    for n, fits in ((rank, True), (rank + 3, False)):  # labels by chance, which nothing explains
        x, y = embedded.train[:n], torch.randn(n, 1, generator=generator(), dtype=torch.float64)
        left = x @ descent.ridge(x, y, descent.NO_RIDGE) - y
        assert (left.abs().max() < 1e-3) == fits, n


def test_a_task_of_arrays_is_embedded_and_damaged_as_one_of_tensors() -> None:
    task = random_task()

    def arrays(examples: tasks.Examples) -> tasks.Examples:
        return tasks.Examples(examples.images.numpy(), examples.labels.numpy().astype(np.int32))

    parts = {part: arrays(getattr(task, part)) for part in tasks.DOWNSTREAM}
    same = replace(task, **parts)
    one, two = (descent.embed(Flat(), x) for x in (task, same))
    found = [descent.draw_accuracies(x, 20, 1.0, 5, generator(3)) for x in (one, two)]
    assert (found[0] == found[1]).all()
    one, two = (with_corruptions(x, "noise", generator()).ood for x in (task, same))
    assert all(torch.equal(x.images, two[name].images) for name, x in one.items())


def test_error_peaks_where_labels_can_just_be_fitted() -> None:
    embedded = descent.embed(Flat(), random_task())

    def mean(n: int, strength: float) -> float:
        return descent.draw_accuracies(embedded, n, strength, 30, generator()).mean()

    before, at, after = (mean(n, descent.NO_RIDGE) for n in (9, embedded.threshold, 100))
    assert at < before - 0.03 and at < after - 0.1
    assert mean(embedded.threshold, 10.0) > at + 0.1


def test_draws_are_seeded_and_checked() -> None:
    embedded = descent.embed(Flat(), random_task())
    one, two = (descent.draw_accuracies(embedded, 10, 1.0, 5, generator(3)) for _ in range(2))
    assert (one == two).all() and len(set(one)) > 1
    for n, draws in ((0, 1), (121, 1), (5, 0)):
        with pytest.raises(ValueError, match="^(n|draws): got .*accepted: 1"):
            descent.draw_accuracies(embedded, n, 1.0, draws, torch.Generator())
