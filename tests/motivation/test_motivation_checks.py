"""Notebook 01's exercise checks."""

import copy

import numpy as np
import pytest
import torch
from exercises import exercise_tests
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from torch import nn

from labkit import checks, encoders, evaluate, tasks, transfer


def right_probe(x, y, test_x):
    return LogisticRegression(max_iter=1000).fit(x, y).predict(test_x)


def by_steps(x, y, test_x):
    head = torch.nn.Linear(x.shape[1], 3)
    optimizer = torch.optim.Adam(head.parameters(), 0.01)
    for _ in range(300):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(head(x), y).backward()
        optimizer.step()
    return head(test_x).argmax(dim=1)


def by_means(choose):
    """Classify by some similarity to class means."""

    def classify(x, y, test_x):
        means = torch.stack([x[y == c].mean(dim=0) for c in range(3)])
        return choose(test_x, means)

    return classify


def broken(x, y, test_x):
    return undefined_name  # noqa: F821


RIGHT = [
    (checks.linear_probe, right_probe),
    (checks.linear_probe, lambda x, y, t: LogisticRegression(C=100).fit(x, y).predict(t)),
    (checks.linear_probe, lambda x, y, t: RidgeClassifier().fit(x, y).predict(t)),
    (checks.linear_probe, by_steps),
    (checks.labels_needed, evaluate.labels_needed),
    (checks.class_means, by_means(lambda x, means: torch.cdist(x, means).argmin(dim=1))),
]
MISTAKES = {
    checks.linear_probe: {
        "scores for every": lambda x, y, t: LogisticRegression().fit(x, y).predict_proba(t),
        "training labels": lambda x, y, t: y,
        "always 0": lambda x, y, t: torch.zeros(len(t)),
        "same order": lambda x, y, t: right_probe(x, y.roll(1), t),
        "a linear rule": lambda x, y, t: y[torch.cdist(t, x).argmin(dim=1)],
        "expected (60,": lambda x, y, t: right_probe(x, y, t)[:5],
        "NameError: name 'undefined_name' is not defined (line: return undefined_name": broken,
    },
    checks.labels_needed: {
        "logarithmic": lambda s, a, t: np.interp(t, a, s),
        "vertically": lambda s, a, t: np.interp(t, s, a),
        "never reached": lambda s, a, t: np.exp(np.interp(t, a, np.log(s))),
        "not the last": lambda s, a, t: (
            np.exp(np.interp(t, a, np.log(s))) if t <= max(a) else -np.inf
        ),
        "return float('inf')": lambda s, a, t: (
            np.exp(np.interp(t, a, np.log(s))) if t <= max(a) else None
        ),
        "0.8 ... reaches it": lambda s, a, t: (
            np.exp(np.interp(t, a, np.log(s))) if t < max(a) else np.inf
        ),
    },
    checks.class_means: {
        "farthest": by_means(lambda x, means: torch.cdist(x, means).argmax(dim=1)),
        "of the images, expected all": by_means(lambda x, means: (x @ means.T).argmax(dim=1)),
        "% of the images": right_probe,
        "images, expected all": lambda x, y, t: y[torch.cdist(t, x).argmin(dim=1)],
        "which rows? It is": lambda x, y, t: torch.cdist(
            t, torch.stack([x[y == c][0] for c in range(3)])
        ).argmin(dim=1),
    },
}
test_right_answers_pass, test_stubs_never_pass, test_mistakes_are_named = exercise_tests(
    RIGHT, MISTAKES
)


@pytest.fixture(scope="module")
def emoji() -> tuple[nn.Module, tasks.Task]:
    task = tasks.style_shift(
        ("twemoji",), (), classes=("face", "animal", "food and drink", "vehicle")
    )
    few = tasks.few_shot(task, 5, torch.Generator().manual_seed(0))
    return encoders.load("clip-conv").image, few


def probed(encoder, task, part="test"):
    return transfer.accuracy(transfer.linear_probe(encoder, task).model, getattr(task, part))


def drawn(encoder, seed=7):
    return transfer.reinitialised(encoder, torch.Generator().manual_seed(seed))


def in_place(encoder, task):
    for module in encoder.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return probed(encoder, task)


def without_a_probe(encoder, task):
    generator, schedule = torch.Generator().manual_seed(0), transfer.Schedule(steps=10)
    fit = transfer.from_scratch(encoder, task, 0.003, generator, schedule)
    return transfer.accuracy(fit.model, task.test)


def own_probe(encoder, task):
    """With gradients all the way, which it never uses."""
    encoder = drawn(encoder).eval()
    regression = LogisticRegression(C=100, max_iter=1000)
    regression.fit(encoder(task.train.images).detach(), task.train.labels)
    return regression.score(encoder(task.test.images).detach(), task.test.labels)


CONTROLS = {
    "": lambda e, t: probed(drawn(e), t),
    "a copy of one's own": lambda e, t: in_place(copy.deepcopy(e), t),
    "a mean of draws": lambda e, t: np.mean([probed(drawn(e, seed), t) for seed in range(3)]),
    "scikit-learn": own_probe,
}
NO_CONTROLS = {
    "still there": probed,
    "returns nothing": lambda e, t: None,
    "always guessing": lambda e, t: 0.0,
    "expected about": lambda e, t: 1.0,
    "changed the encoder": in_place,
    "was trained": without_a_probe,
    "on which images": lambda e, t: probed(drawn(e), t, "validation"),
}


@pytest.mark.parametrize("answer", CONTROLS.values(), ids=CONTROLS)
def test_the_random_control_is_right_however_it_is_written(answer, emoji) -> None:
    torch.manual_seed(0)
    outcome = checks.random_control(answer, *emoji)
    assert outcome, outcome


@pytest.mark.parametrize("hint", NO_CONTROLS)
def test_what_is_no_random_control_is_told(hint, emoji) -> None:
    before = copy.deepcopy(emoji[0].state_dict())
    outcome = checks.random_control(NO_CONTROLS[hint], *emoji)
    assert not outcome and hint in outcome.message, outcome
    assert all(torch.equal(x, before[name]) for name, x in emoji[0].state_dict().items())
