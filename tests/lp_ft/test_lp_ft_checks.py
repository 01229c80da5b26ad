"""Notebook 06's checks: right answers pass, the usual mistakes are recognised."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from exercises import exercise_tests

from labkit import checks, sweeps, tasks, theory, transfer
from labkit.lp_ft.checks import two_that_err_oppositely

SCHEDULE = transfer.Schedule(steps=10, record_every=0, freeze_norm=True)


def right_lp_ft(encoder, task, lr, generator):
    probe = transfer.linear_probe(encoder, task)
    return transfer.fit(copy.deepcopy(probe.model), task, lr, generator, SCHEDULE)


def in_place(encoder, task, lr, generator):
    probe = transfer.linear_probe(encoder, task)
    return transfer.fit(transfer.Classifier(encoder, probe.model.head), task, lr, generator)


def free_statistics(encoder, task, lr, generator):
    start, free = transfer.linear_probe(encoder, task).model, transfer.Schedule(steps=10)
    return transfer.fit(copy.deepcopy(start), task, lr, generator, free)


def probe_last(encoder, task, lr, generator):
    tuned = transfer.fine_tune(encoder, task, lr, generator, SCHEDULE)
    return transfer.linear_probe(tuned.model.encoder, task)


def slow(encoder, task, lr, generator):
    return right_lp_ft(encoder, task, min(lr, 1e-4), generator)


def on_validation(encoder, task, lr, generator):
    start, schedule = transfer.linear_probe(encoder, task).model, replace(SCHEDULE, steps=60)
    return transfer.fit(start, replace(task, train=task.validation), lr, generator, schedule)


def random_bias(encoder, task, lr, generator):
    model = transfer.new_classifier(encoder, 3, generator)
    with torch.no_grad():
        model.head.weight.copy_(transfer.linear_probe(encoder, task).model.head.weight)
    return transfer.fit(model, task, lr, generator, SCHEDULE)


def by_hand(encoder, task, lr, generator):
    """The second stage as a loop of one's own, on all images at once."""
    model = copy.deepcopy(transfer.linear_probe(encoder, task).model).eval()
    optimizer = torch.optim.SGD(model.parameters(), lr)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(task.train.images), task.train.labels).backward()
        optimizer.step()
    return transfer.Fit(model, transfer.accuracy(model, task.validation))


def keeps_head(encoder, task, lr, generator):
    fit = right_lp_ft(encoder, task, lr, generator)
    fit.model.head.load_state_dict(transfer.linear_probe(encoder, task).model.head.state_dict())
    return fit


TABLE = pd.DataFrame(
    [
        {"shift": shift, "seed": seed, "method": method, "rate": rate, "picked": picked,
         "moved_id": moved, "overlap": 0.3}
        for shift, most in (("far", 9), ("near", 3.4))
        for seed in (0, 1)
        for method, rate, picked, moved in (
            ("fine-tuning", 0.01, True, 3.0), ("fine-tuning", 0.1, False, 9.0),
            ("lp-ft", 0.001, True, 1.0), ("lp-ft", 0.003, False, 3.5), ("lp-ft", 0.01, False, 7.0),
        )
        if moved < most or method == "fine-tuning"
    ]
)  # fmt: skip
FAR = TABLE[TABLE["shift"] == "far"]


def right_rate(rows, shift, column="moved_id"):
    where = {"shift": shift, "method": "fine-tuning", "picked": True}
    target = sweeps.scores(rows, column, **where).mean
    moved = sweeps.intervals(rows, column, ["rate"], shift=shift, method="lp-ft")["mean"]
    return min(moved.index[moved >= target], default=float("inf"))


@pytest.mark.parametrize("name", ["lp_ft", "lp_ft_steps"])
def test_the_shipped_tables_have_numbers_for_rates(name) -> None:
    """They were text, "C 0.01" and "blocks.0 0.003" among them."""
    table = sweeps.read(name)
    assert table["rate"].dtype == table["strength"].dtype == float
    tuned = table["method"] != "probe"
    assert (table["rate"].notna() == tuned).all() and (table["strength"].notna() == ~tuned).all()
    assert (table["block"].notna() == (table["method"] == "surgical")).all()


def test_the_rate_that_moves_as_far_as_ft() -> None:
    assert checks.rate_that_moves(right_rate, TABLE, "far")
    assert checks.rate_that_moves(right_rate, sweeps.read("lp_ft"), "twemoji to nine others")
    never = TABLE[TABLE["shift"] == "near"]
    assert checks.rate_that_moves(right_rate, never, "near")


def test_the_movement_of_other_features_is_told() -> None:
    """In the shipped table both columns lead to the same rates."""
    wrong = partial(right_rate, column="moved_ood")
    outcome = checks.rate_that_moves(wrong, sweeps.read("lp_ft"), "twemoji to nine others")
    assert not outcome and "in distribution" in outcome.message


@pytest.mark.parametrize(("tuned_by", "moved_by"), [("median", "mean"), ("mean", "median")])
def test_medians_are_told(tuned_by, moved_by) -> None:
    """In this shift they lead to the same rates as means."""

    def by_medians(rows, shift):
        rows = rows[rows["shift"] == shift]
        tuned = rows[(rows["method"] == "fine-tuning") & rows["picked"]]["moved_id"].agg(tuned_by)
        moved = rows[rows["method"] == "lp-ft"].groupby("rate")["moved_id"].agg(moved_by)
        return min(moved.index[moved >= tuned], default=float("inf"))

    table = sweeps.read("lp_ft").query("shift == 'twemoji to nine others'")
    outcome = checks.rate_that_moves(by_medians, table, "twemoji to nine others")
    assert not outcome and "a long way off" in outcome.message and "average" in outcome.message


@pytest.mark.parametrize(
    ("answer", "table", "hint"),
    [
        (None, FAR, "returns nothing"),
        (0.01, FAR, "a smaller one"),
        (0.001, FAR, "0.003: 3.50"),
        (0.003, TABLE, "near: yours is 0.003, expected inf"),  # right for one shift only
        (0.001, TABLE, "or float('inf')"),
    ],
)
def test_another_rate_is_told(answer, table, hint) -> None:
    outcome = checks.rate_that_moves(lambda *_: answer, table, "far")
    assert not outcome and hint in outcome.message


def averages(probe, tuned, task):
    return [transfer.wise_ft(probe, tuned, task, alpha) for alpha in np.linspace(0, 1, 11)]


def right_wise_ft(*given):
    return max(averages(*given), key=lambda fit: fit.validation)


def by_own_loop(probe, tuned, task):
    """With a Fit of its own, and the later of equals."""
    fits = []
    for step in range(11):
        model = transfer.interpolate(probe.model, tuned.model, step / 10)
        fits.append(transfer.Fit(model, transfer.accuracy(model, task.validation)))
    return sorted(fits, key=lambda fit: fit.validation)[-1]


@pytest.mark.parametrize("alpha", [0.3, 0.7])
def test_averaging_is_needed_by_a_margin_that_no_rounding_closes(alpha: float) -> None:
    """On one kind of processor the stub, which returns `tuned`, had passed."""
    task = tasks.toy()
    given = two_that_err_oppositely(task, alpha)
    ends = [fit.validation for fit in given]
    best = right_wise_ft(*given, task).validation
    assert best >= max(*ends, transfer.wise_ft(*given, task, 0.5).validation) + 0.06
    assert ends == [transfer.wise_ft(*given, task, end).validation for end in (0, 1)]


@pytest.mark.parametrize("alpha", [0, 1])
def test_an_end_is_best_by_a_margin(alpha: int) -> None:
    task = tasks.toy()
    given = two_that_err_oppositely(task, alpha)
    inner = max(fit.validation for fit in averages(*given, task)[1:-1])
    assert given[alpha].validation >= inner + 0.06


def residual(v, B, X, y):
    return X @ B.T @ v - y


def right(v, B, X, y):
    return 2 / len(y) * np.outer(v, X.T @ residual(v, B, X, y))


def by_autograd(v, B, X, y):
    features = torch.tensor(B, requires_grad=True)
    loss = ((torch.tensor(X) @ features.T @ torch.tensor(v) - torch.tensor(y)) ** 2).mean()
    return torch.autograd.grad(loss, features)[0]


def by_examples(v, B, X, y):
    return sum(2 * (v @ B @ x - t) * np.outer(v, x) for x, t in zip(X, y, strict=True)) / len(y)


def greedy(*arrays):
    """It spoils what it was given, but not the problem."""
    answer = right(*arrays)
    for array in arrays:
        array[:] = 0
    return answer


def one_step(v, B, X, y, lr, head_times):
    gradient = 2 / len(y) * B @ X.T @ residual(v, B, X, y)
    return v - lr * head_times * gradient, B - lr * right(v, B, X, y)


def head_first(v, B, X, y, lr, head_times):
    new, _ = one_step(v, B, X, y, lr, head_times)
    return new, B - lr * right(new, B, X, y)


def features_first(v, B, X, y, lr, head_times):
    _, new = one_step(v, B, X, y, lr, head_times)
    return one_step(v, new, X, y, lr, head_times)[0], new


def exchanged(v, B, X, y, lr, head_times):
    return one_step(v, B, X, y, lr * head_times, 1 / head_times)


def test_many_steps_of_two_rates_are_the_theory_s() -> None:
    """What `theory` computes in the coordinates of the span."""
    run = theory.simulate(dim=8, rank=2, samples=6, subspace_dim=4, steps=20, head_rate=5.0)
    problem = run.problem
    y = problem.X @ problem.w_star
    v, B = problem.v0, problem.B0
    for _ in range(20):
        v, B = one_step(v, B, problem.X, y, run.ft.learning_rate, 5.0)
    assert np.allclose(v, run.ft.v[-1]) and np.allclose(B, run.ft.B[-1])


RIGHT = [
    (checks.lp_ft, right_lp_ft),
    (checks.lp_ft, lambda e, t, lr, g: transfer.lp_ft(e, t, lr, g, SCHEDULE)),
    (checks.lp_ft, by_hand),
    (checks.wise_ft, right_wise_ft),
    (checks.wise_ft, by_own_loop),
    (checks.two_rates, one_step),
    *((checks.span_movement, answer) for answer in (right, by_autograd, by_examples, greedy)),
]
MISTAKES = {
    checks.two_rates: {
        "returns a NoneType, expected the pair": lambda *_: None,
        "v: ... Derive": lambda v, B, *_: (v, B),
        "B: ... Derive": lambda v, B, *rest: (one_step(v, B, *rest)[0], B),
        "Multiply it by head_times": lambda *a: one_step(*a[:-1], 1),
        "v: ... Multiply it by head_times": exchanged,
        "B: ... at lr itself": lambda *a: (one_step(*a)[0], exchanged(*a)[1]),
        "B: ... v as it was": head_first,
        "v: ... B as it was": features_first,
        "v: ... `lr` given": lambda v, B, X, y, lr, times: one_step(v, B, X, y, 0.01, times),
    },
    checks.lp_ft: {
        "returns nothing": lambda *_: None,
        "a Classifier, expected the Fit": lambda e, t, *_: transfer.linear_probe(e, t).model,
        "A random head": lambda e, t, lr, g: transfer.fine_tune(e, t, lr, g, SCHEDULE),
        "that is the probe": lambda e, t, *_: transfer.linear_probe(e, t),
        "changed the encoder": in_place,
        "encoder but not the head": keeps_head,
        "BatchNorm's statistics have changed": free_statistics,
        "raised KeyError": lambda *_: {}["x"],
        "in which order": probe_last,
        "half the learning rate": slow,
        "which images does it learn from": on_validation,
        "head should still be the probe's": random_bias,
    },
    checks.wise_ft: {
        "OOD test was looked at": lambda probe, tuned, task: max(task.ood.items()),
        "an OOD test was looked at": lambda probe, tuned, task: task.ood["shift"],
        "Try eleven alphas": lambda *g: min(averages(*g), key=lambda fit: fit.validation),
        "Did you return the probe?": lambda probe, *_: probe,
        "Did you return the fine-tuned": lambda probe, tuned, _: tuned,
        "expected a Fit": lambda *_: 0.5,
        "belong together": lambda probe, *_: transfer.Fit(probe.model, 1.0),
        "by which images": lambda *given: max(
            averages(*given), key=lambda fit: transfer.accuracy(fit.model, given[-1].test)
        ),
        "Which average is best": lambda *given: max(
            averages(*given)[1:-1], key=lambda fit: fit.validation
        ),
        "right on validation": lambda *given: transfer.wise_ft(*given, 0.3),
        "% right on validation": lambda *given: transfer.wise_ft(*given, 0.5),
    },
    checks.span_movement: {
        "returns nothing": lambda *a: None,
        "function returns nothing": lambda v, B, X, y: X.fill(0),
        "not combinations of the training inputs": lambda v, B, X, y: B,
        "not combinations of the training": lambda v, B, X, y: right(v, B, X, y) + 0.1 * B,
        "its residual": lambda v, B, X, y: np.zeros_like(B),
        "with its residual": lambda v, B, X, y: np.outer(v, X.sum(axis=0)),
        "starts nan": lambda v, B, X, y: np.full_like(B, np.nan),
        "ZeroDivisionError": lambda *a: 1 / 0,
        "0.5 times ... factor 2": lambda *a: right(*a) / 2,
        "-1 times ... prediction minus target": lambda *a: -right(*a),
        "4 times ... divide by the number": lambda *a: len(a[3]) * right(*a),
        "2 times ... and the mean divides": lambda *a: len(a[3]) / 2 * right(*a),
        "-0.5 times ... sign ... factor 2": lambda *a: -right(*a) / 2,
        "3 times ... 2 / n": lambda *a: 3 * right(*a),
        "(7, 3), expected ... (3, 7) ... transposed": lambda *a: right(*a).T,
        "(7,) ... outer product": lambda v, B, X, y: X.T @ residual(v, B, X, y),
        "(3,) ... not v": lambda v, B, X, y: B @ X.T @ residual(v, B, X, y),
        "Average": lambda *a: np.ones((4, 3, 7)),
        "shape (), expected": lambda *a: 0.0,
        "ignores what the network": lambda v, B, X, y: -2 / len(y) * np.outer(v, X.T @ y),
        "row k with v": lambda v, B, X, y: np.outer(np.ones_like(v), X.T @ residual(v, B, X, y)),
    },
}
test_right_answers_pass, test_stubs_never_pass, test_mistakes_are_named = exercise_tests(
    RIGHT, MISTAKES
)
