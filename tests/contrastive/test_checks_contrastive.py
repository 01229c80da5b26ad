"""Notebook 03's checks: right answers pass, stubs never do, each usual mistake gets its hint."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from exercises import twice

from labkit import checks, contrastive, data
from labkit.contrastive import geometry


def right_gradient(u, v, tau):
    return tau / len(u) * ((tau * u @ v.T).softmax(1) @ v - v)


def right_share(cosines, concept, temperature):
    shares = geometry.negative_shares(cosines, temperature)
    return (shares * (concept[:, None] == concept)).sum(1).mean()


RIGHT = {
    "contrastive_loss": contrastive.clip_loss,
    "nt_xent": contrastive.nt_xent,
    "gradient": right_gradient,
    "false_negative_share": right_share,
}


@pytest.mark.parametrize("name", RIGHT)
def test_the_right_answer_passes(name: str) -> None:
    outcome = getattr(checks, name)(RIGHT[name])
    assert outcome, outcome.message


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize(
    "stub",
    [
        lambda *a: None,
        lambda *a: a[0],
        lambda *a: 0.0,
        lambda *a: 1 / 0,
        lambda u, *a: (0 * u).sum(),
    ],
    ids=["nothing", "echo", "zero", "crash", "zero with gradient"],
)
def test_a_stub_never_passes_and_never_raises(name: str, stub) -> None:
    outcome = getattr(checks, name)(stub)
    assert not outcome and len(outcome.message) > 20


def logits(u, v, tau, normalise=True):
    if normalise:
        u, v = F.normalize(u, dim=1), F.normalize(v, dim=1)
    return tau * u @ v.T


def rows(x):
    return F.cross_entropy(x, torch.arange(len(x)))


def naive(u, v, tau):
    e = torch.exp(logits(u, v, tau))
    return -(torch.log(e.diagonal() / e.sum(1)) + torch.log(e.diagonal() / e.sum(0))).mean() / 2


def diagonal_masked(u, v, tau):
    x = logits(u, v, tau)
    y = x.masked_fill(torch.eye(len(x), dtype=torch.bool), -torch.inf)
    return (-x.diagonal() + (y.logsumexp(0) + y.logsumexp(1)) / 2).mean()


def nt_xent_with(one, two, temperature, mask=True, normalise=True, anchors=slice(None)):
    views = torch.cat([one, two])
    x = logits(views, views, 1 / temperature, normalise)
    if mask:
        x = x.masked_fill(torch.eye(len(x), dtype=torch.bool), -torch.inf)
    own = torch.arange(len(x)).roll(len(one))
    return F.cross_entropy(x[anchors], own[anchors])


HINTS = {
    "contrastive_loss": [
        (lambda u, v, t: (rows(logits(u, v, t, False)) + rows(logits(u, v, t, False).T)) / 2,
         "lengths"),
        (lambda u, v, t: contrastive.clip_loss(u, v, 1 / t), "tau multiplies"),
        (lambda u, v, t: rows(logits(u, v, t)), "one direction, u to v"),
        (lambda u, v, t: rows(logits(u, v, t).T), "one direction, v to u"),
        (lambda u, v, t: len(u) * contrastive.clip_loss(u, v, t), "sum over the batch"),
        (lambda u, v, t: 2 * contrastive.clip_loss(u, v, t), "sum of both directions"),
        (lambda u, v, t: -contrastive.clip_loss(u, v, t), "sign"),
        (diagonal_masked, "do not mask the diagonal"),
        (naive, "exp overflows"),
        (lambda u, v, t: contrastive.clip_loss(u.detach(), v.detach(), t), "no gradient"),
        (lambda u, v, t: contrastive.clip_loss(u, v.detach(), t), "raised RuntimeError|gradient"),
        (lambda u, v, t: 2 * contrastive.clip_loss(u, v, t) - contrastive.clip_loss(u, v, t).item(),
         "the gradient is not"),
    ],
    "nt_xent": [
        (lambda a, b, t: nt_xent_with(a, b, t, mask=False), "Mask the diagonal"),
        (lambda a, b, t: nt_xent_with(a, b, t, normalise=False), "lengths"),
        (lambda a, b, t: contrastive.nt_xent(a, b, 1 / t), "temperature divides"),
        (lambda a, b, t: nt_xent_with(a, b, t, anchors=slice(0, len(a))), "one direction"),
        (lambda a, b, t: contrastive.clip_loss(a, b, 1 / t), "N candidates"),
        (contrastive.info_nce, "N candidates in one direction"),
        (lambda a, b, t: 2 * contrastive.nt_xent(a, b, t), "twice the mean"),
        (lambda a, b, t: 2 * len(a) * contrastive.nt_xent(a, b, t), "sum over the 2N"),
        (lambda a, b, t: contrastive.info_nce(*2 * (torch.cat([a, b]),), t), "N rows away"),
    ],
    "gradient": [
        (lambda u, v, t: -right_gradient(u, v, t), "the sign"),
        (lambda u, v, t: len(u) * right_gradient(u, v, t), "batch size"),
        (lambda u, v, t: right_gradient(u, v, t) / t, "Multiply by tau"),
        (lambda u, v, t: -t / len(u) * v, "only the attraction"),
        (lambda u, v, t: t / len(u) * (t * u @ v.T).softmax(1) @ v, "only the repulsion"),
        (lambda u, v, t: t / len(u) * ((t * u @ v.T).softmax(0) @ v - v), "wrong axis"),
        (lambda u, v, t: 0 * u, "dL/du"),
    ],
    "false_negative_share": [
        (lambda s, c, t: ((s / t).softmax(1) * (c[:, None] == c)).sum(1).mean(), "positive pair"),
        (lambda s, c, t: right_share(s, c, 1 / t), "divide the cosines"),
        (lambda s, c, t: len(s) * right_share(s, c, t), "not the sum"),
        (lambda s, c, t: 1 - right_share(s, c, t), "true negatives"),
        (lambda s, c, t: 0.123, "Mask the diagonal"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "wrong", "hint"), [(name, *row) for name, rows in HINTS.items() for row in rows]
)
def test_a_hint_names_the_mistake(name: str, wrong, hint: str) -> None:
    assert_hint(twice(getattr(checks, name), wrong), hint)


def test_a_right_nt_xent_of_another_form_passes() -> None:
    assert checks.nt_xent(nt_xent_with)


def test_a_right_gradient_in_single_precision_passes() -> None:
    assert checks.gradient(lambda u, v, tau: right_gradient(u, v, tau).float())


def test_the_expected_gradient_is_autograds() -> None:
    """The check's own formula, against the loss without normalisation."""
    u, v = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u = F.normalize(u, dim=1).requires_grad_()
    rows(4.0 * u @ v.T).backward()
    assert torch.allclose(u.grad, right_gradient(u.detach(), v, 4.0))


def test_prompts_must_help_on_validation(gallery) -> None:
    assert_hint(checks.prompts(list, gallery), "expected at least")
    assert_hint(checks.prompts(lambda names: names[:3], gallery), "12 prompts")
    assert_hint(checks.prompts(lambda names: [""] * 12, gallery), "at least one word")
    more = {"hand": "fingers", "food and drink": "food", "vehicle": "car", "building": "photo"}
    more |= {"clothing": "clothes", "music and sound": "soft", "sport and games": "game"}
    more |= {"plant": "blossoming flower", "weather and sky": "planet"}
    assert checks.prompts(lambda names: [f"{n} {more.get(n, '')}" for n in names], gallery)
    assert len(data.class_names()) == 12


def assert_hint(outcome: checks.Outcome, hint: str) -> None:
    assert not outcome.passed
    assert re.search(hint, outcome.message), outcome.message
