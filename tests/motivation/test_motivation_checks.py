"""Notebook 01's exercise checks."""

import numpy as np
import torch
from exercises import exercise_tests
from sklearn.linear_model import LogisticRegression

from labkit import checks, encoders, evaluate, tasks, transfer


def right_probe(x, y, test_x):
    return LogisticRegression(max_iter=1000).fit(x, y).predict(test_x)


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
    (checks.labels_needed, evaluate.labels_needed),
    (checks.class_means, by_means(lambda x, means: torch.cdist(x, means).argmin(dim=1))),
]
MISTAKES = {
    checks.linear_probe: {
        "scores for every": lambda x, y, t: LogisticRegression().fit(x, y).predict_proba(t),
        "training labels": lambda x, y, t: y,
        "always 0": lambda x, y, t: torch.zeros(len(t)),
        "same order": lambda x, y, t: right_probe(x, y.roll(1), t),
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
    wrong = {"still there": forgot, "returns nothing": lambda e, t: None,
             "always guessing": lambda e, t: 0.0, "expected about": lambda e, t: 1.0}  # fmt: skip
    for hint, answer in wrong.items():
        outcome = checks.random_control(answer, encoder, task)
        assert not outcome and hint in outcome.message, outcome
