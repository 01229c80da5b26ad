"""How sure a mean is, by what was repeated: runs, splits of one pool, labels, or episodes.

    lead = sweeps.scores(table, "ood", method="lp-ft") - sweeps.scores(table, "ood", method="probe")
    lead.mean, lead.low, lead.high      # 95 %, with the standard error that fits the table
    clearly_ahead({"probe": lead})      # a family of comparisons, Holm-corrected

All intervals but `share_interval`'s (Wilson's) are mean +/- t * error, and the error depends on
what two repetitions share. tests/benchmarks/INTERVALS.md says how often each kind covers the truth.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import stats

from labkit.inputs import between, real, refused


class Interval(NamedTuple):
    """A mean and the ends of its 95 % confidence interval."""

    mean: float
    low: float
    high: float


class Estimate(NamedTuple):
    """A mean, its standard error, and the degrees of freedom of Student's t that belong to it."""

    mean: float
    error: float
    freedom: float

    def interval(self, confidence: float = 0.95) -> Interval:
        between("confidence", confidence, 0, 1)
        half = stats.t.ppf((1 + confidence) / 2, self.freedom) * self.error
        half = math.nan if math.isinf(half) else half  # unknown ends, which a figure leaves out
        return Interval(self.mean, self.mean - half, self.mean + half)

    @property
    def p(self) -> float:
        """Two-sided: how likely so large a mean is where the true one is 0."""
        if self.error == 0:
            return float(self.mean == 0)
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.freedom))


def mean_estimate(values: Sequence[float], overlap: float) -> Estimate:
    """The mean of n repetitions, two of which share `overlap` of their test data, from 0 to 1.

    Nadeau & Bengio 2003, section 4: the corrected resampled t, of variance S^2 (1/n + r / (1 - r)),
    with the overlap in the place of their n2 / (n1 + n2), which is its expectation. At 0, Student's
    t of independent runs. At 1 the test is the same each time, and n draws cannot say what another
    would give: Student's t, for other repetitions *on the same test*. Two values that are equal say
    nothing of the spread: their error is infinite, and their interval NaN. Raises ValueError for
    fewer than two values, or one that is not finite.
    """
    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all():
        raise refused("values", values, "two or more finite numbers")
    overlap = real("overlap", overlap, 1)
    shared = overlap / (1 - overlap) if overlap < 1 else 0.0
    error = x.std(ddof=1) * np.sqrt(1 / len(x) + shared)
    if len(x) == 2 and np.ptp(x) <= 1e-9 * np.abs(x).max():  # 0.3 - 0.2 is 0.2 - 0.1 but rounded
        error = np.inf
    return Estimate(float(x.mean()), float(error), len(x) - 1)


def crossed_estimate(scores: np.ndarray) -> Estimate:
    """The mean of (n, m): n draws, each tested on m concepts, NaN where it does not test one.

    For other draws *and* other concepts: y = mean + draw + concept + rest, all random, has a mean
    of variance (MS_draws + MS_concepts - MS_rest) / nm, with Satterthwaite's degrees of freedom
    (Searle, Casella & McCulloch 1992, section 4.3). One draw alone (n = 1): over concepts. Raises
    ValueError for one concept alone.
    """
    y = np.asarray(scores, dtype=float)
    y = y[:, ~np.isnan(y).all(axis=0)]
    if y.shape[1] < 2:
        raise refused("scores", f"{y.shape[1]} concepts", "two or more")
    if np.isnan(y).any():
        return _clustered(y)
    n, m = y.shape
    mean, by_concept = float(y.mean()), y.mean(axis=0)
    concepts = n * by_concept.var(ddof=1)
    if n == 1:
        return Estimate(mean, float(np.sqrt(concepts / m)), m - 1)
    by_draw = y.mean(axis=1)
    draws = m * by_draw.var(ddof=1)
    rest = y - by_draw[:, None] - by_concept + mean
    rest = (rest**2).sum() / ((n - 1) * (m - 1))
    total = max(draws + concepts - rest, draws, concepts, rest)
    parts = draws**2 / (n - 1) + concepts**2 / (m - 1) + rest**2 / ((n - 1) * (m - 1))
    return Estimate(mean, float(np.sqrt(total / (n * m))), float(total**2 / parts) if parts else 1)


def _clustered(y: np.ndarray) -> Estimate:
    """`crossed_estimate` of a table with gaps: n splits of one pool test different concepts.

    Entries of a row have a split in common, those of a column a concept; the square of an entry,
    which both sums hold, comes off once (two-way clusters: Cameron, Gelbach & Miller 2011, section
    2.3; degrees of freedom as above).
    """
    rest = y - np.nanmean(y)
    sums = np.nansum(rest, axis=1), np.nansum(rest, axis=0), rest[~np.isnan(rest)]
    draws, concepts, entries = ((x**2).sum() * len(x) / (len(x) - 1) for x in sums)
    total = max(draws + concepts - entries, draws, concepts)
    squares = zip((draws, concepts, entries), sums, strict=True)
    parts = sum(part**2 / (len(x) - 1) for part, x in squares)
    error = float(np.sqrt(total) / len(sums[2]))
    return Estimate(float(np.nanmean(y)), error, float(total**2 / parts) if parts else 1)


def episode_estimate(values: Sequence[float], members: np.ndarray) -> Estimate:
    """The mean over M episodes of k concepts each, for other concepts: values (M,), members (M, k).

    Episodes with a concept in common are dependent. The variance sums the products of residuals of
    all pairs that share one, concept by concept (dyads: Fafchamps & Gubert 2007; Aronow, Samii &
    Assenova 2015), less the k - 1 times too many that an episode is paired with itself. A concept
    that an episode names twice, as where two cells are compared, counts once. Raises ValueError for
    episodes of always the same concepts, which cannot tell of others.
    """
    x, members = np.asarray(values, dtype=float), np.asarray(members)
    _, place = np.unique(members, return_inverse=True)
    count, m = int(place.max()) + 1, len(members)
    pairs = np.unique(place.reshape(members.shape) + count * np.arange(m)[:, None])
    episode, concept = np.divmod(pairs, count)  # each that has part in it, once
    k = np.bincount(episode)
    if count <= k.max():
        accepted = f"more than {k.max()}, those of an episode"
        raise refused("members", f"{count} concepts in all", accepted)
    rest = x - x.mean()
    sums = np.bincount(concept, rest[episode], count)
    # A concept's residual is taken from a mean it has part in, k times (Arvesen 1969).
    sums *= (count - 1) / (count - k.mean())
    again = ((k - 1) * rest**2).sum()
    total = max((sums**2).sum() * count / (count - 1) - again, (rest**2).sum())
    return Estimate(float(x.mean()), float(np.sqrt(total) / m), count - 1)


def mean_interval(values: Sequence[float], overlap: float, confidence: float = 0.95) -> Interval:
    """`mean_estimate` as an interval."""
    return mean_estimate(values, overlap).interval(confidence)


def share_interval(right: float, n: int, confidence: float = 0.95) -> Interval:
    """A share of `n` independent trials with Wilson's score interval, which stays within 0 and 1.

    right: how many trials succeeded. Raises ValueError when it is not between 0 and n, or n < 1.
    """
    if not 0 <= right <= n < math.inf or n < 1 or right != int(right) or n != int(n):
        raise refused("right and n", f"{right} of {n}", "0 to n, with n >= 1")
    between("confidence", confidence, 0, 1)
    found = stats.binomtest(int(right), int(n)).proportion_ci(confidence, "wilson")
    return Interval(float(right / n), float(found.low), float(found.high))


# ---------------------------------------------------------------- scores that know their interval


def concept_scores(right: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Each concept's part in a share: right (n, m) of count (n, m) images -> (n, m).

    A row's mean is right.sum() / count.sum(), and its spread is what the share's is, although
    concepts have different numbers of images (the ratio estimator, linearised). A concept without
    images in a row is NaN there.
    """
    right, count = np.asarray(right, dtype=float), np.asarray(count, dtype=float)
    count = np.where(count > 0, count, np.nan)
    share = right.sum(axis=1, keepdims=True) / np.nansum(count, axis=1, keepdims=True)
    return share + (right - share * count) / np.nanmean(count, axis=1, keepdims=True)


def concept_means(parts: Sequence[np.ndarray], repetitions: int) -> np.ndarray:
    """Each concept's part in a mean of shares, of `concept_scores` (rows, m): (repetitions, m).

    The rows of a repetition, of all `parts`, are averaged. Not all need to test the same concepts:
    one that some shares know nothing of counts by its part in the others, so that again the mean is
    that of the shares. NaN is a concept that none of them tests.
    """
    each = np.stack(parts)
    each = each.reshape(len(parts), repetitions, -1, each.shape[2])
    each = each.swapaxes(0, 1).reshape(repetitions, -1, each.shape[3])  # (repetitions, shares, m)
    there = ~np.isnan(each)
    tested = there.any(axis=1)
    share = np.nanmean(each, axis=2, keepdims=True)
    pull = np.nansum((each - share) / there.sum(axis=2, keepdims=True), axis=1) / each.shape[1]
    found = share.mean(axis=1) + tested.sum(axis=1, keepdims=True) * pull
    return np.where(tested, found, np.nan)


def write_hits(right: np.ndarray, concept: np.ndarray, among: Sequence[int]) -> str:
    """Two letters for each concept of `among`: how many images are right, of how many (a is 0).

    right, concept: (n,), arrays or tensors. A table's column "id_hits" tells how sure its "id" is.
    """
    own = (right[concept == place] for place in among)
    return "".join(chr(97 + int(images.sum())) + chr(97 + len(images)) for images in own)


def read_hits(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """How many images of each concept are right, and how many there are: (n, concepts) each."""
    counts = np.array([[ord(letter) - 97 for letter in text] for text in texts])
    return counts[:, ::2], counts[:, 1::2]


@dataclass(frozen=True, eq=False)
class Scores:
    """A score of every repetition, and what they have in common. Subtract to compare.

    values: (n,). index: which repetition each is (seeds, episodes): only equal ones are paired.
    overlap: as in `mean_estimate`. by_concept: (n, m), `concept_means`, NaN for those not tested.
    members: (n, k), the concepts of episodes.
    """

    values: np.ndarray
    index: tuple = ()
    overlap: float = math.nan
    by_concept: np.ndarray | None = None
    members: np.ndarray | None = None

    def __sub__(self, other: "Scores") -> "Scores":
        """ours - theirs, repetition by repetition: what both share cancels."""
        if self.index != other.index or len(self.values) != len(other.values):
            raise ValueError(f"theirs: has {list(other.index)}, ours {list(self.index)}")
        known = self.by_concept is not None and other.by_concept is not None
        by_concept = self.by_concept - other.by_concept if known else None
        values, overlap = self.values - other.values, _common(self.overlap, other.overlap)
        sides = [side.members for side in (self, other) if side.members is not None]
        members = np.concatenate(sides, axis=1) if sides else None  # theirs may be others
        return replace(self, values=values, overlap=overlap, by_concept=by_concept, members=members)

    @cached_property
    def estimate(self) -> Estimate:
        """The mean with the standard error that fits. Raises ValueError for no overlap."""
        if self.members is not None:
            return episode_estimate(self.values, self.members)
        if self.by_concept is not None:
            return crossed_estimate(self.by_concept)._replace(mean=self.mean)
        return mean_estimate(self.values, self.overlap)

    @cached_property
    def interval(self) -> Interval:
        return self.estimate.interval()

    @property
    def mean(self) -> float:
        return float(np.mean(self.values))

    @property
    def low(self) -> float:
        return self.interval.low

    @property
    def high(self) -> float:
        return self.interval.high

    @property
    def about(self) -> str:
        """What the interval is for."""
        if self.by_concept is not None:
            which = "labels" if self.overlap == 1 else "splits"
            return f"for other {which} and other test concepts"
        if self.overlap == 1:
            return "for other draws, but the same test concepts"
        if self.members is not None:
            return "for other concepts"
        return "for other test data" if self.overlap else "for other runs"


def _common(one: float, two: float) -> float:
    """The overlap of a difference: the larger, but 1 (the same test each time) only of two such."""
    both = np.array([one, two])
    return float(both.max() if np.isnan(both).any() or (both == 1).all() else both[both < 1].max())


def clearly_ahead(leads: Mapping[str, Scores], level: float = 0.05) -> list[str]:
    """Whose lead is above 0 with a p below `level`, as a family (Holm 1979): no luck of many."""
    found = {name: lead.estimate for name, lead in leads.items()}
    ahead = []
    for rank, name in enumerate(sorted(found, key=lambda name: found[name].p)):
        if found[name].p * (len(found) - rank) >= level:
            break
        ahead += [name] * (found[name].mean > 0)
    return ahead
