"""Notebook 01: a linear probe, a horizontal reading, class means, and the random control."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch

from labkit import evaluate, tasks, transfer
from labkit.exercise import NOTHING, checker, compare


def _toy(seed: int, apart: float = 4, wide: float = 0, n: int = 60, dim: int = 8, classes: int = 3):
    """Random features with labels: (train_x, train_y, test_x, test_y) as tensors.

    apart: how far the classes are, in standard deviations of one; at 4, all classifiers are right.
    wide: the deviation of as many features that tell nothing: at 10, neighbours are of any class.
    """
    generator = torch.Generator().manual_seed(seed)
    centres = apart * torch.randn(classes, dim, generator=generator)
    labels = torch.randint(classes, (2 * n,), generator=generator)
    x = centres[labels] + torch.randn(2 * n, dim, generator=generator) + 3
    x = torch.cat([x, wide * torch.randn(x.shape, generator=generator)], dim=1)
    return x[:n], labels[:n], x[n:], labels[n:]


@checker
def linear_probe(probe: Callable) -> Iterator[str]:
    """Notebook 01: probe(train_features, train_labels, test_features) -> predicted labels."""
    train_x, train_y, test_x, test_y = _toy(seed=3, wide=10)
    given = probe(train_x, train_y, test_x)
    if given is None:
        yield NOTHING
    yours = np.asarray(given)
    if yours.shape == (len(test_x), 3):
        yield "yours are scores for every class; return labels: `.predict`, not `.predict_proba`."
    if yours.shape == tuple(train_y.shape) and np.array_equal(yours, train_y.numpy()):
        yield "yours are the training labels; predict for the test features."
    if yours.shape != (len(test_x),):
        yield f"yours has shape {yours.shape}, expected ({len(test_x)},): a label per test row."
    if len(np.unique(yours)) == 1:
        yield (
            f"yours is always {yours[0]}, expected labels 0 to 2: what has it learned?\nFit a "
            "LogisticRegression on the training features and labels first."
        )
    right = (yours == test_y.numpy()).mean()
    if right < 0.95:
        yield (
            f"yours gets {right:.0%} right, expected about 100 %: lines divide this toy's classes, "
            "though near neighbours may be of any. Is it a linear rule that you fit, and do "
            "features and labels belong to the same images, in the same order?"
        )


@checker
def labels_needed(function: Callable) -> Iterator[str]:
    """Notebook 01: function(shots, accuracies, target), read horizontally."""
    shots = np.array([1, 2, 5, 10, 20, 50])
    rising = np.array([0.2, 0.3, 0.45, 0.6, 0.7, 0.8])
    for target in (0.6, 0.65, 0.3, 0.5, 0.1, 0.8):
        in_labels = "You interpolate in the number of labels; the figure's axis is logarithmic."
        upright = "You read the curve vertically: accuracy goes in, labels come out."
        mistakes = {in_labels: np.interp(target, rising, shots)}
        mistakes[upright] = np.interp(target, shots, rising)
        mistakes["One of the points reaches it, be it the last."] = float("inf")
        yours, right = (f(shots, rising, target) for f in (function, evaluate.labels_needed))
        what = f"at accuracy {target}: "
        yield from compare(yours, right, mistakes, what=what, tolerance=1e-3)
    never = function(shots, rising, 0.9)
    if never != float("inf"):
        yield "accuracy 0.9 is never reached here: return float('inf'), not the last of `shots`."


@checker
def class_means(function: Callable) -> Iterator[str]:
    """Notebook 01: function(train_features, train_labels, test_features) by class means."""
    train_x, train_y, test_x, _ = _toy(seed=1, apart=0.5)  # where only class means agree with them
    means = torch.stack([train_x[train_y == c].mean(dim=0) for c in range(3)])
    distances = torch.cdist(test_x, means)  # (n, classes)
    expected, farthest = distances.argmin(dim=1).numpy(), distances.argmax(dim=1).numpy()
    yours = function(train_x, train_y, test_x)
    if yours is None:
        yield NOTHING
    yours = np.asarray(yours)
    if np.array_equal(yours, farthest):
        yield "yours is the farthest mean everywhere: do you maximise a distance?"
    if yours.shape != expected.shape or (yours == expected).mean() < 0.99:
        agree = (yours == expected).mean() if yours.shape == expected.shape else 0
        yield (
            f"yours agrees with the nearest class mean on {agree:.0%} of the images, expected all. "
            "What is averaged, over which rows?\nIt is `features[labels == c].mean(dim=0)`."
        )


@checker
def random_control(function: Callable, encoder: torch.nn.Module, task: tasks.Task) -> Iterator[str]:
    """Notebook 01: function(encoder, task) -> test accuracy of a probe on random features."""
    given, drawn_anew = copy.deepcopy(encoder), {}

    def watch(network: torch.nn.Module, _, found: torch.Tensor) -> None:  # copies are watched too
        if found.requires_grad:
            drawn_anew.setdefault(network, [x.clone() for x in network.parameters()])

    given.register_forward_hook(watch)
    yours = function(given, task)
    if yours is None:
        yield NOTHING
    after = given.state_dict()
    if not all(torch.equal(x, after[name]) for name, x in encoder.state_dict().items()):
        yield (
            "your function changed the encoder it was given: with which weights does the reader go "
            "on?\nDraw them in a copy, as `transfer.reinitialised` does."
        )
    if not all(all(map(torch.equal, x.parameters(), drawn_anew[x])) for x in drawn_anew):
        yield (
            "your network was trained after it was drawn: which part alone does a probe train?\n"
            "The head: use `transfer.linear_probe`."
        )
    if yours < task.chance - 0.05:
        guessing = f"less than always guessing the largest class: {task.chance:.3f}"
        yield f"yours is {yours:.3f}, {guessing}."
    yield from _value(yours, encoder, task)
    yield from _tested(function, given, task)


def _value(yours: float, encoder: torch.nn.Module, task: tasks.Task) -> Iterator[str]:
    """About what two draws give."""
    draws = [
        transfer.reinitialised(encoder, torch.Generator().manual_seed(seed)) for seed in range(2)
    ]
    random = [transfer.accuracy(transfer.linear_probe(e, task).model, task.test) for e in draws]
    if min(random) - 0.05 <= yours <= max(random) + 0.05:
        return
    pretrained = transfer.accuracy(transfer.linear_probe(encoder, task).model, task.test)
    if np.isclose(yours, pretrained):
        hint = "its weights are still there.\nUse `transfer.reinitialised` first."
        yield f"yours is {yours:.3f}, the pretrained encoder's: {hint}"
    yield (
        f"yours is {yours:.3f}, expected about {np.mean(random):.3f}: which weights does "
        "it have, and where is it tested?\nProbe it with new random weights, test on task.test."
    )


def _tested(function: Callable, encoder: torch.nn.Module, task: tasks.Task) -> Iterator[str]:
    """By a class that is in `task.test` alone: nothing can have learned it."""
    new = len(task.classes) - 1
    train, validation = (x.at(x.labels < new) for x in (task.train, task.validation))
    test = task.test.at(task.test.labels == new)
    yours = function(encoder, replace(task, train=train, validation=validation, test=test))
    if yours > 0.05:
        yield (
            f"yours is {yours:.3f} even where all test images are of a class that was never shown, "
            "expected 0: on which images is it tested?\nOn those of task.test."
        )
