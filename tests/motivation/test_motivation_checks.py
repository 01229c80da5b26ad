"""Exercise checks: the right answer passes, a stub never does, each usual mistake gets its hint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from labkit import checks, encoders, evaluate, tasks, transfer


def right_probe(x, y, test_x):
    return LogisticRegression(max_iter=1000).fit(x, y).predict(test_x)


def right_means(x, y, test_x):
    means = torch.stack([x[y == c].mean(dim=0) for c in range(3)])
    return torch.cdist(test_x, means).argmin(dim=1)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (checks.linear_probe, right_probe),
        (checks.labels_needed, evaluate.labels_needed),
        (checks.class_means, right_means),
    ],
)
def test_the_right_answer_passes(check, answer) -> None:
    outcome = check(answer)
    assert outcome and outcome.passed and repr(outcome).startswith("✓")


@pytest.mark.parametrize("check", [checks.linear_probe, checks.labels_needed, checks.class_means])
@pytest.mark.parametrize(
    "stub",
    [lambda *a: None, lambda *a: a[-1], lambda *a: 0, lambda *a: 1 / 0],
    ids=["nothing", "echo", "zero", "crash"],
)
def test_a_stub_never_passes_and_never_raises(check, stub) -> None:
    outcome = check(stub)
    assert not outcome and repr(outcome).startswith("✗") and len(outcome.message) > 20


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda x, y, t: LogisticRegression().fit(x, y).predict_proba(t), "scores for every class"),
        (lambda x, y, t: y, "training labels"),
        (lambda x, y, t: torch.zeros(len(t)), "always 0"),
        (lambda x, y, t: right_probe(x, y.roll(1), t), "same order"),
        (lambda x, y, t: right_probe(x, y, t)[:5], "expected .60,"),
    ],
)
def test_probe_hints_name_the_mistake(wrong, hint: str) -> None:
    assert_hint(checks.linear_probe(wrong), hint)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda s, a, t: np.interp(t, a, s), "logarithmic"),
        (lambda s, a, t: np.interp(t, s, a), "vertically"),
        (lambda s, a, t: np.exp(np.interp(t, a, np.log(s))), "never reached"),
    ],
)
def test_labels_needed_hints_name_the_mistake(wrong, hint: str) -> None:
    assert_hint(checks.labels_needed(wrong), hint)


def test_class_means_hints_at_the_sign() -> None:
    def farthest(x, y, test_x):
        means = torch.stack([x[y == c].mean(dim=0) for c in range(3)])
        return torch.cdist(test_x, means).argmax(dim=1)

    assert_hint(checks.class_means(farthest), "farthest")


@pytest.mark.parametrize(
    "other",
    [
        right_probe,
        lambda x, y, test_x: y[torch.cdist(test_x, x).argmin(dim=1)],
        lambda x, y, test_x: torch.cdist(
            test_x, torch.stack([x[y == c][0] for c in range(3)])
        ).argmin(dim=1),
        lambda x, y, test_x: (
            test_x @ torch.stack([x[y == c].mean(dim=0) for c in range(3)]).T
        ).argmax(dim=1),
    ],
    ids=["probe", "nearest neighbour", "first example", "dot product"],
)
def test_other_classifiers_are_no_class_means(other) -> None:
    assert_hint(checks.class_means(other), "of the images, expected all")


def test_an_error_in_the_readers_code_is_shown_with_its_line() -> None:
    def broken(x, y, test_x):
        return undefined_name  # noqa: F821

    assert_hint(checks.linear_probe(broken), "NameError.*line: return undefined_name")


def test_the_random_control_tells_pretrained_from_random() -> None:
    encoder = encoders.load("clip-conv").image
    classes = ("face", "animal", "food and drink", "vehicle")
    task = tasks.style_shift(("twemoji",), (), classes=classes)
    task = tasks.few_shot(task, 5, torch.Generator().manual_seed(0))

    def control(encoder, task):
        untrained = transfer.reinitialised(encoder, torch.Generator().manual_seed(7))
        return transfer.accuracy(transfer.linear_probe(untrained, task).model, task.test)

    def forgot(encoder, task):
        return transfer.accuracy(transfer.linear_probe(encoder, task).model, task.test)

    assert checks.random_control(control, encoder, task)
    assert_hint(checks.random_control(forgot, encoder, task), "reinitialised")
    assert_hint(checks.random_control(lambda e, t: None, encoder, task), "returns nothing")
    assert_hint(checks.random_control(lambda e, t: 0.0, encoder, task), "expected about")


def assert_hint(outcome: checks.Outcome, hint: str) -> None:
    import re

    assert not outcome.passed
    assert re.search(hint, outcome.message), outcome.message
