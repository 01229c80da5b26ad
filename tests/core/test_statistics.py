"""Intervals: against closed forms and libraries, and how often they cover the truth."""

import math

import numpy as np
import pytest
import worlds
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from labkit.statistics import (
    Scores,
    clearly_ahead,
    concept_means,
    concept_scores,
    crossed_estimate,
    episode_estimate,
    mean_estimate,
    mean_interval,
    read_hits,
    share_interval,
    write_hits,
)

ACCURACIES = st.lists(st.floats(0, 1), min_size=2, max_size=10)


@given(ACCURACIES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_without_overlap_the_interval_is_student_s(values, confidence) -> None:
    assume(np.std(values) > 1e-6)
    found = mean_interval(values, 0, confidence)
    mean, sem = np.mean(values), stats.sem(values)
    low, high = stats.t.interval(confidence, len(values) - 1, loc=mean, scale=sem)
    assert found == pytest.approx((mean, low, high), abs=1e-12)


def test_overlap_widens_as_nadeau_and_bengio_say() -> None:
    """With a tenth tested of each of 15 splits, 1/15 + 1/9 (their section 4) for 1/15."""
    values = np.random.default_rng(0).normal(size=15)
    plain, corrected = (mean_estimate(values, overlap).error for overlap in (0, 0.1))
    assert corrected / plain == pytest.approx(math.sqrt((1 / 15 + 1 / 9) * 15))
    assert mean_estimate(values, 1).error == plain, "the same test: other draws on it, no more"


@given(n=st.integers(2, 6), m=st.integers(2, 9), seed=st.integers(0, 99))
def test_the_crossed_variance_is_that_of_the_model_s_components(n, m, seed) -> None:
    """(a + b) of rows and columns alone: var(a) / n + var(b) / m, where no rest disturbs."""
    rng = np.random.default_rng(seed)
    draws, concepts = rng.normal(size=n), rng.normal(size=m)
    found = crossed_estimate(draws[:, None] + concepts)
    expected = draws.var(ddof=1) / n + concepts.var(ddof=1) / m
    assert found.error**2 == pytest.approx(expected)
    assert found.mean == pytest.approx(draws.mean() + concepts.mean())
    assert crossed_estimate(concepts[None]).error == pytest.approx(stats.sem(concepts))


def test_a_table_with_gaps_has_the_textbook_s_two_way_clusters() -> None:
    """Cameron, Gelbach & Miller's formula, cluster by cluster, with (G / (G - 1)) for each."""
    rng = np.random.default_rng(0)
    y = np.where(rng.random((6, 40)) < 0.3, rng.normal(size=(6, 1)) + rng.normal(size=40), np.nan)
    y[:, 7] = np.nan  # never tested
    rest = {(i, j): y[i, j] - np.nanmean(y) for i, j in zip(*np.nonzero(~np.isnan(y)), strict=True)}

    def of(cluster) -> float:
        sums: dict = {}
        for place, value in rest.items():
            sums[cluster(place)] = sums.get(cluster(place), 0) + value
        return sum(x * x for x in sums.values()) * len(sums) / (len(sums) - 1)

    rows, columns = of(lambda place: place[0]), of(lambda place: place[1])
    both = of(lambda place: place)
    found = crossed_estimate(y)
    expected = max(rows + columns - both, rows, columns)
    assert found.error == pytest.approx(math.sqrt(expected) / len(rest))
    assert found.mean == pytest.approx(np.nanmean(y)) and 1 < found.freedom < 40


def test_episodes_of_one_concept_are_clusters() -> None:
    """k = 1: the textbook's cluster-robust variance, of 30 concepts with four episodes each."""
    rng = np.random.default_rng(0)
    concept = np.repeat(np.arange(30), 4)
    values = rng.normal(size=30)[concept] + rng.normal(size=120)
    found = episode_estimate(values, concept[:, None])
    assert found.error == pytest.approx(stats.sem(values.reshape(30, 4).mean(axis=1)))
    assert found.freedom == 29


def test_episodes_without_a_common_concept_are_independent() -> None:
    values = np.random.default_rng(1).normal(size=800)
    found = episode_estimate(values, np.arange(4000).reshape(800, 5))
    assert found.error == pytest.approx(stats.sem(values), rel=0.02)


def test_a_concept_counts_once_in_an_episode() -> None:
    rng = np.random.default_rng(2)
    values, members = rng.normal(size=60), np.argsort(rng.random((60, 20)), axis=1)[:, :3]
    twice = np.concatenate([members, members[:, ::-1]], axis=1)
    assert episode_estimate(values, twice) == pytest.approx(episode_estimate(values, members))


def test_episodes_of_different_concepts_are_compared_over_all_of_them() -> None:
    """Paired by their numbers alone: the concepts of both are luck. 95 % of 300, give or take."""
    rng, held = np.random.default_rng(0), []
    for _ in range(300):
        sides = []
        for effect in 0.1 * rng.normal(size=(2, 60)):
            members = np.argsort(rng.random((200, 60)), axis=1)[:, :5]
            values = effect[members].sum(axis=1) + 0.1 * rng.normal(size=200)
            sides.append(Scores(values, members=members))
        lead = sides[0] - sides[1]
        held.append(lead.low <= 0 <= lead.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_a_mean_of_shares_knows_concepts_that_only_some_of_them_test() -> None:
    """Two styles, of which one lacks a concept: the influence of each, by leaving out a little."""
    right = np.array([[[1.0, 0, 2, 1]], [[1, 1, 0, 0]]])  # (styles, one seed, concepts)
    count = np.array([[[1.0, 1, 2, 2]], [[1, 2, 1, 0]]])

    def mean(weight: np.ndarray) -> float:
        return np.mean((right * weight).sum(axis=2) / (count * weight).sum(axis=2))

    found = concept_means([concept_scores(*x) for x in zip(right, count, strict=True)], 1)[0]
    slopes = [(mean(1 + 1e-6 * np.eye(4)[c]) - mean(np.ones(4))) / 1e-6 for c in range(4)]
    assert found.mean() == pytest.approx(mean(np.ones(4)))
    assert found - found.mean() == pytest.approx(4 * np.array(slopes), abs=1e-4)
    rows = concept_scores(np.concatenate(right), np.where(count == 0, 1, count)[:, 0])
    assert concept_means([rows], 1) == pytest.approx(rows.mean(axis=0)[None])
    apart = [np.array([[0.2, 0.4, np.nan, np.nan]]), np.array([[np.nan, np.nan, 0.5, 0.9]])]
    assert np.nanmean(concept_means(apart, 1)) == pytest.approx(0.5)


def test_wilsons_interval_has_its_published_values() -> None:
    """Newcombe 1998, table I: 81 of 263, and none of 20."""
    assert share_interval(81, 263)[1:] == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert share_interval(0, 20)[1:] == pytest.approx((0, 0.1611), abs=1e-4)
    assert share_interval(81.0, 263.0) == share_interval(81, 263)  # as a table holds them


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([0.5], 0), r"values: got \[0.5\], accepted: two or more finite"),
        (lambda: mean_interval([0.5, math.nan], 0), r"values: got \[0.5, nan\]"),
        (lambda: mean_interval([[1, 2], [3, 4]], 0), r"values: got \[\[1, 2\]"),
        (lambda: Scores(np.array([0.5, 0.6])).low, "overlap: got nan"),
        (lambda: share_interval(3, 2), "right and n: got 3 of 2"),
        (lambda: share_interval(1, 2.5), "right and n: got 1 of 2.5"),
        (lambda: share_interval(1.5, 2), "right and n: got 1.5 of 2"),
        (lambda: share_interval(math.nan, 2), "right and n: got nan of 2"),
        (lambda: crossed_estimate(np.array([[0.5], [0.6]])), "scores: got 1 concepts"),
        (lambda: episode_estimate([1, 0], np.array([[0, 1], [1, 0]])), "members: got 2 concepts"),
    ],
)
def test_what_has_no_interval_is_refused(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_difference_is_paired_and_keeps_what_repetitions_share() -> None:
    luck = np.random.default_rng(0).normal(0, 10, 20)
    ours, theirs = Scores(luck + 1, tuple("a" * 20), 0.3), Scores(luck, tuple("a" * 20), 0.3)
    lead = ours - theirs
    assert (lead.mean, lead.low, lead.high) == pytest.approx((1, 1, 1)) and lead.overlap == 0.3
    with pytest.raises(ValueError, match="theirs: has .'b'"):
        ours - Scores(luck, tuple("b" * 20), 0.3)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [(0.2, 0.3, 0.3), (0.2, 1, 0.2), (0, 1, 0), (1, 1, 1), (0.2, math.nan, math.nan)],
)
def test_a_difference_promises_no_more_than_its_wider_side(one, two, expected) -> None:
    """ID tests anew, OOD always the same one: it was called "the same test" of both."""
    sides = [Scores(np.array([0.1, 0.2, 0.4]), overlap=overlap) for overlap in (one, two)]
    found = [(a - b).overlap for a, b in (sides, sides[::-1])]
    assert found == pytest.approx([expected] * 2, nan_ok=True)


def test_two_equal_scores_say_nothing_of_the_spread() -> None:
    ends = (0.7, math.nan, math.nan)
    assert mean_interval([0.7, 0.7], 0.2) == pytest.approx(ends, nan_ok=True)
    twice = Scores(np.array([0.05, 0.05]), overlap=0.2)
    assert twice.estimate.p == 1 and clearly_ahead({"one": twice}) == []
    ours, theirs = (Scores(np.array(x), overlap=0.2) for x in ([0.3, 0.2], [0.2, 0.1]))
    assert (ours - theirs).estimate.p == 1, "these leads are equal but for rounding"


@pytest.mark.parametrize(
    ("shared", "about"),
    [
        ({"overlap": 0}, "for other runs"),
        ({"overlap": 0.3}, "for other test data"),
        ({"overlap": 1}, "for other draws, but the same test concepts"),
        ({"overlap": 1, "by_concept": np.eye(3)}, "for other labels and other test concepts"),
        ({"overlap": 0.3, "by_concept": np.eye(3)}, "for other splits and other test concepts"),
        ({"members": np.arange(6).reshape(3, 2)}, "for other concepts"),
    ],
)
def test_scores_say_what_their_interval_is_for(shared, about) -> None:
    scores = Scores(np.array([0.1, 0.2, 0.4]), **shared)
    assert scores.about == about and scores.low < scores.mean < scores.high


def test_hits_are_read_as_written_and_give_the_share_and_its_spread() -> None:
    right = np.array([1, 0, 1, 1, 1, 0], dtype=bool)
    concept = np.array([7, 7, 7, 2, 2, 4])
    text = write_hits(right, concept, [2, 4, 7, 9])
    assert text == "ccabcdaa", "letters: a spreadsheet reads digits as a number"
    scores = concept_scores(*read_hits([text, text]))
    assert np.nanmean(scores, axis=1) == pytest.approx([4 / 6] * 2)
    assert np.isnan(scores[:, 3]).all(), "no image of this one"


def test_families_are_corrected_as_holm_did() -> None:
    """p of .01, .02 and .03: alone all are clear, in the family the first two steps decide."""
    rng, n = np.random.default_rng(0), 10
    noise = rng.normal(size=n)
    noise = (noise - noise.mean()) / noise.std(ddof=1)

    def lead(p: float, sign: int = 1) -> Scores:
        return Scores(noise + sign * stats.t.isf(p / 2, n - 1) / n**0.5, overlap=0)

    assert lead(0.01).estimate.p == pytest.approx(0.01)
    assert clearly_ahead({"a": lead(0.03), "b": lead(0.01), "c": lead(0.02)}) == list("bca")
    assert clearly_ahead({"a": lead(0.03), "b": lead(0.01), "c": lead(0.04)}) == ["b"]
    assert clearly_ahead({"a": lead(0.03), "b": lead(0.02), "c": lead(0.04)}) == []
    assert clearly_ahead({"behind": lead(0.001, -1), "ahead": lead(0.04)}) == ["ahead"]


# Coverage: tests/benchmarks/INTERVALS.md has it in full


@pytest.mark.parametrize("world", ["5 splits", "5 splits, hits", "5 draws", "600 episodes"])
def test_nominal_95_per_cent_cover_about_as_much(world) -> None:
    """150 worlds: a share of 95 % has a standard error of 1.8 %. Student's t covers far less."""
    found = worlds.coverage(world, 150)
    assert 0.90 < found["accuracy"] < 0.99 and found["difference"] > 0.90
    assert found["before"] < 0.9
