"""The two-layer linear model: equal to autograd, true to the paper's theorems, and named errors."""

import numpy as np
import pytest
import torch
from cases import cases
from hypothesis import assume, given
from hypothesis import strategies as st

from labkit.lp_ft import theory, theory_bound
from labkit.lp_ft.theory import simulate

METHODS = ("ft", "lp", "lp_ft")


@st.composite
def instances(draw, spare: int = 0) -> dict:
    """Arguments of `simulate`; with `spare`, that many times the rank inputs and directions."""
    rank = draw(st.integers(1, 4))
    dim = draw(st.integers(rank + 1, 24))
    low = max(1, spare * rank)
    assume(low <= dim)
    return {
        "dim": dim,
        "rank": rank,
        "samples": draw(st.integers(low, 30)),
        "subspace_dim": draw(st.integers(low, dim)),
        "feature_error": draw(st.floats(0, 1.4)),
        "head_scale": draw(st.floats(0, 3)),
        "seed": draw(st.integers(0, 2**32)),
        "steps": 200,
    }


def autograd(
    problem, v0, rate: float, at: np.ndarray, features: bool, head_rate: float = 1.0
) -> tuple[list, list, list]:
    """Plain gradient descent in all d dimensions, the gradients from torch."""
    X = torch.tensor(problem.X)
    y = X @ torch.tensor(problem.w_star)
    v = torch.tensor(v0, requires_grad=True)
    B = torch.tensor(problem.B0, requires_grad=features)
    vs, Bs, losses = [], [], []
    for step in range(at[-1] + 1):
        loss = ((X @ B.T @ v - y) ** 2).mean()
        if step in at:
            vs.append(v.detach().numpy().copy())
            Bs.append(B.detach().numpy().copy())
            losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for weight in (v, B) if features else (v,):
                weight -= rate * weight.grad * (head_rate if features and weight is v else 1)
                weight.grad = None
    return vs, Bs, losses


SIZES = [
    {},
    {"dim": 12, "rank": 3, "samples": 7, "subspace_dim": 9, "feature_error": 1.2},
    {"dim": 6, "rank": 4, "samples": 2, "subspace_dim": 6, "feature_error": 0.3, "head_scale": 2},
    {"dim": 5, "rank": 5, "samples": 9, "subspace_dim": 5, "feature_error": 0, "head_scale": 0},
    {"dim": 1, "rank": 1, "samples": 1, "subspace_dim": 1, "feature_error": 0},
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sizes", [*SIZES, {"head_rate": 7.0}, {"head_rate": 0.0}])
def test_every_method_equals_gradient_descent_through_autograd(sizes: dict, method: str) -> None:
    result = simulate(**{"feature_error": 0.4, "seed": 3, "steps": 300} | sizes)
    run = getattr(result, method)
    at = run.step[run.step <= 300]
    start = result.lp.v[-1] if method == "lp_ft" else result.problem.v0
    rate = sizes.get("head_rate", 1.0)
    v, B, loss = autograd(result.problem, start, run.learning_rate, at, method != "lp", rate)
    np.testing.assert_allclose(run.v[: len(at)], v, rtol=0, atol=1e-9)
    np.testing.assert_allclose(run.B[: len(at)], B, rtol=0, atol=1e-9)
    np.testing.assert_allclose(run.train_loss[: len(at)], loss, rtol=1e-9, atol=1e-9)
    w = np.einsum("tk,tkd->td", v, B) - result.problem.w_star
    np.testing.assert_allclose(run.ood_loss[: len(at)], (w**2).sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(run.time, run.learning_rate * run.step)


@pytest.mark.parametrize("error", [0.0, 0.2, 0.6])
def test_the_faster_the_head_the_nearer_fine_tuning_comes_to_lp_ft(error: float) -> None:
    """Both with a head as fast: what notebook 06 says of the limit."""
    apart = []
    for rate in (1, 10, 100, 1000):
        run = simulate(feature_error=error, head_rate=rate, steps=5000)
        apart.append(np.linalg.norm(run.ft.B[-1] - run.lp_ft.B[-1]))
    assert all(later < earlier / 2 for earlier, later in zip(apart, apart[1:], strict=False))
    assert apart[-1] < 0.02 * apart[0]


def test_the_losses_are_expectations_over_inputs() -> None:
    result = simulate(dim=20, rank=2, subspace_dim=6, feature_error=0.5, seed=1)
    p, rng = result.problem, np.random.default_rng(0)
    error = result.ft.v[-1] @ result.ft.B[-1] - p.w_star
    ood = rng.standard_normal((100_000, 20)) @ error
    assert (ood**2).mean() == pytest.approx(result.ft.ood_loss[-1], rel=0.02)
    inside = rng.standard_normal((100_000, 6)) @ p.subspace @ error
    assert (inside**2).mean() == pytest.approx(result.ft.id_loss[-1], rel=0.02)
    assert np.linalg.norm(p.w_star) == pytest.approx(1), "predicting 0 costs 1"


def flow(X, w_star, v, B, rate: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Gradient flow by tiny explicit steps of the mean squared error."""
    second = X.T @ X / len(X)
    v, B = v.copy(), B.copy()
    for _ in range(steps):
        pull = second @ (B.T @ v - w_star)
        v, B = v - 2 * rate * B @ pull, B - 2 * rate * np.outer(v, pull)
    return v, B


def test_gradient_descent_stays_near_the_flow() -> None:
    for scale in (0.0, 0.3, 1.0):
        result = simulate(dim=40, feature_error=0.3, head_scale=scale, steps=200)
        p = result.problem
        v, B = flow(p.X, p.w_star, p.v0, p.B0, result.ft.learning_rate / 20, 4000)
        smooth = ((v @ B - p.w_star) ** 2).sum()
        assert result.ft.ood_loss[-1] == pytest.approx(smooth, rel=0.05)


@given(instances())
def test_features_move_within_the_training_span_only(arguments: dict) -> None:
    result = simulate(**arguments)
    _, singular, axes = np.linalg.svd(result.problem.X)
    beyond = axes[(singular > 1e-9 * singular[0]).sum() :]  # an orthonormal basis of the rest
    for run in (result.ft, result.lp_ft):
        moved = (run.B - result.problem.B0) @ beyond.T
        assert np.abs(moved).max(initial=0) <= 1e-9 * (1 + run.moved_inside.max())
        assert run.moved_outside.max() <= 1e-9 * (1 + run.moved_inside.max())
    assert result.lp.moved_inside.max() == result.lp.moved_outside.max() == 0


def test_fine_tuning_does_move_features_within_the_span() -> None:
    result = simulate()
    assert result.ft.moved_inside[-1] > 0.1 > 1e6 * result.ft.moved_outside[-1]
    assert result.lp_ft.moved_inside[-1] < 1e-9, "perfect features and the right head: no gradient"


@given(instances(spare=2))
def test_perfect_features_are_enough_for_the_probe_and_stay_perfect(arguments: dict) -> None:
    """Proposition 3.2: with eps = 0, LP-FT has no OOD error at any time; LP has none in the end."""
    result = simulate(**arguments | {"feature_error": 0.0})
    assert result.lp.ood_loss[-1] < 1e-16
    assert result.lp_ft.ood_loss.max() < 1e-16
    assert result.lp.head_distance[-1] < 1e-8


@given(instances())
def test_fine_tuning_never_goes_below_the_bound(arguments: dict) -> None:
    result = simulate(**arguments)
    assert result.ft.ood_loss.min() >= result.bound


@given(instances(), st.floats(-1.5, 1.5))
@cases(300)
def test_the_bound_holds_for_heads_along_the_truth_too(arguments: dict, along: float) -> None:
    """The hard cases: little feature error, and a head that differs along v* only."""
    problem = simulate(**arguments | {"feature_error": 0.0}).problem
    problem = problem._replace(v0=along * problem.v_star)
    (run,) = theory.fine_tune(problem, [problem.B0], [problem.v0], theory.recorded(300))
    assert run.ood_loss.min() >= theory.bound_of(problem, run)


@given(instances())
def test_training_descends_and_the_probe_is_least_squares(arguments: dict) -> None:
    result = simulate(**arguments)
    for run in (result.ft, result.lp, result.lp_ft):
        assert (np.diff(run.train_loss) <= 1e-12).all()
    p = result.problem
    features, y = p.X @ p.B0.T, p.X @ p.w_star
    best = np.linalg.lstsq(features, y, rcond=1e-8)[0]
    assert result.lp.train_loss[-1] <= ((features @ best - y) ** 2).mean() + 1e-12
    np.testing.assert_array_equal(result.lp_ft.v[0], result.lp.v[-1])
    np.testing.assert_array_equal(result.ft.v[0], p.v0)


@given(instances())
def test_an_instance_is_what_its_arguments_say(arguments: dict) -> None:
    p = simulate(**arguments).problem
    for rows in (p.B0, p.B_star, p.subspace):
        np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)
    distance = np.linalg.norm(p.B0 - p.B_star, 2)
    assert distance == pytest.approx(arguments["feature_error"], abs=1e-9)
    left, _, right = np.linalg.svd(p.B0 @ p.B_star.T)  # the best rotation (Procrustes) is no better
    assert np.linalg.norm(p.B0 - left @ right @ p.B_star, 2) >= distance - 1e-7
    assert p.X.shape == (arguments["samples"], arguments["dim"])
    inside = p.X @ p.subspace.T @ p.subspace
    np.testing.assert_allclose(inside, p.X, atol=1e-9)
    assert np.linalg.norm(p.v_star) == pytest.approx(1)


@given(instances())
@cases(20)
def test_the_same_arguments_give_the_same_bits(arguments: dict) -> None:
    one, two = simulate(**arguments), simulate(**arguments)
    for method in METHODS:
        for a, b in zip(getattr(one, method), getattr(two, method), strict=True):
            np.testing.assert_array_equal(a, b)
    assert one.bound == two.bound


def test_an_argument_changes_only_its_own_part() -> None:
    one, two = simulate(head_scale=0.3).problem, simulate(head_scale=0.6, feature_error=1).problem
    np.testing.assert_allclose(2 * one.v0, two.v0)
    np.testing.assert_array_equal(one.X, two.X)
    np.testing.assert_array_equal(one.B_star, two.B_star)


def ends(feature_error: float, **arguments) -> np.ndarray:
    """Final OOD losses, (seeds, 3)."""
    runs = [simulate(feature_error=feature_error, seed=s, **arguments) for s in range(10)]
    return np.array([[getattr(run, m).ood_loss[-1] for m in METHODS] for run in runs])


def test_with_good_features_probing_wins_and_with_bad_ones_fine_tuning() -> None:
    ft, lp, lp_ft = ends(0.0).T
    assert (ft > 0.05).all() and lp.max() < 1e-20 and lp_ft.max() < 1e-20
    ft, lp, lp_ft = ends(0.3).T
    assert (lp < ft).mean() >= 0.8 and (lp_ft < lp).mean() >= 0.8
    ft, lp, lp_ft = ends(1.0).T
    assert (ft < lp).mean() >= 0.7 and (ft < lp_ft).mean() >= 0.7


def test_a_larger_random_head_distorts_more() -> None:
    small, large = (ends(0.0, head_scale=scale)[:, 0] for scale in (0.3, 1.0))
    assert np.median(large / small) > 2


def test_early_stopping_does_not_help_fine_tuning() -> None:
    """The best moment of the whole run is still far worse than the probe."""
    for result in (simulate(seed=seed) for seed in range(5)):
        assert result.ft.ood_loss.min() > 0.05 > result.lp.ood_loss[-1]


def test_the_bound_is_the_papers_formula_on_a_hand_made_instance() -> None:
    """Features e1, e2; inputs along (e1 + e3) / sqrt(2): cos(theta_2) = sqrt(1/2)."""
    B0, span = np.eye(4)[:2], np.array([[1.0, 0, 1, 0]]) / 2**0.5
    v0, v_star = np.array([0.0, 7.0]), np.array([1.0, 0.0])
    assert theory_bound.cosine_outside(B0, span) == pytest.approx(0.5**0.5)
    assert theory_bound.misalignment(v0, v_star) == pytest.approx(1)
    stated = theory_bound.stated(2, 0.5**0.5, 1, 1, 0.01)
    assert stated == pytest.approx(0.5**0.5 / 2**0.5 / 4 - 0.01)
    bound = theory_bound.lower_bound(B0, v0, v_star, span, 0.01)
    provable = theory_bound.provable(0.5**0.5, 1, 1, 0.01)
    assert bound == pytest.approx(min(stated, provable) ** 2) and bound > 0.005


def test_there_is_no_bound_without_room_outside() -> None:
    result = simulate(dim=10, rank=3, samples=20, subspace_dim=8)
    assert result.bound == 0


@given(st.integers(4, 12), st.floats(1e-3, 1), st.floats(0, 40), st.floats(0, 1))
def test_the_theorem_follows_from_the_provable_bound(k, cosine, phi, error) -> None:
    stated = theory_bound.stated(k, cosine, phi, 1.0, error)
    assert theory_bound.provable(cosine, phi, 1.0, error) >= stated - 1e-9


def test_for_a_head_of_any_length_it_does_not() -> None:
    assert theory_bound.provable(1.0, 100, 1.0, 0) < theory_bound.stated(4, 1.0, 100, 1.0, 0)


def test_a_head_without_misalignment_may_still_distort() -> None:
    """phi sees the part along v* only: the bound is one-sided."""
    problem = simulate().problem
    v_star, v0 = problem.v_star, problem.v0
    across = v0 - (v0 @ v_star) * v_star
    ends = []
    for head in (v_star, v_star + across, -v_star):
        assert theory_bound.misalignment(head, v_star) < 1e-6
        (run,) = theory.fine_tune(problem, [problem.B0], [head], theory.recorded(300))
        ends.append(run.ood_loss.min())
    assert ends[0] < 1e-20 and ends[1] > 1e-3 and ends[2] > 1


def test_with_one_feature_the_theorems_constant_is_too_large() -> None:
    sine, cosine = 0.999, (1 - 0.999**2) ** 0.5
    X, B0 = np.eye(2)[:1], np.array([[sine, cosine]])
    v, B = flow(X, B0[0], np.zeros(1), B0, 0.01, 3000)
    assert v[0] ** 2 == pytest.approx((5**0.5 - 1) / 2, rel=0.01)  # exact in the limit sine = 1
    reached = np.linalg.norm(v @ B - B0[0])
    assert theory_bound.misalignment(np.zeros(1), np.ones(1)) == 1
    assert theory_bound.provable(cosine, 1, 1, 0) < reached
    assert reached < 0.9 * theory_bound.stated(1, cosine, 1, 1, 0)


def test_beyond_length_one_the_feature_error_counts_w_star_times() -> None:
    """Here the flow ends without any OOD error, and the theorem as stated claims that it cannot."""
    norm, end, start = 5.0, 1.2, 1.21  # angles of B* and B0 to the training input
    B_star, B0 = (np.array([[np.cos(a), np.sin(a)]]) for a in (end, start))
    error = np.linalg.norm(B0 - B_star)
    v_end = norm * B_star[0, 1] / B0[0, 1]  # outside the span B0 is kept: the head must make up
    B_end = norm * B_star[0, 0] / v_end
    v0 = np.array([(v_end**2 - B_end**2 + B0[0, 0] ** 2) ** 0.5])  # v^2 - |B|^2 is conserved
    w_star = norm * B_star[0]
    v, B = flow(np.eye(2)[:1], w_star, v0, B0, 1e-4, 5000)
    phi = theory_bound.misalignment(v0, np.array([norm]))
    cosine = B0[0, 1]
    assert np.linalg.norm(v @ B - w_star) < 1e-3
    assert theory_bound.stated(1, cosine, phi, norm, error) > 1e-3
    assert theory_bound.provable(cosine, phi, norm, error) < 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rank": 101}, "rank: got 101, accepted: 1 to dim = 100"),
        ({"subspace_dim": 101}, "subspace_dim: got 101, accepted: 1 to dim = 100"),
        ({"feature_error": 1.5}, "feature_error: got 1.5, accepted: a number from 0 to 1.41"),
        ({"dim": 5, "subspace_dim": 5, "feature_error": 0.1}, "feature_error: got 0.1, .* to 0$"),
    ],
)
def test_an_impossible_argument_is_named(arguments: dict, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        simulate(**arguments)
