"""Notebook 03's exercise checks."""

import numpy as np
import torch
import torch.nn.functional as F
from exercises import exercise_tests

from labkit import checks, data
from labkit.contrastive import clip_loss, geometry, info_nce, nt_xent


def right_gradient(u, v, tau):
    return tau / len(u) * ((tau * u @ v.T).softmax(1) @ v - v)


def gradient_by_rows(u, v, tau):
    u, v, rows = u.numpy(), v.numpy(), []
    for one in u:
        weights = np.exp(tau * v @ one)
        rows.append(weights / weights.sum() @ v)
    return tau * (np.array(rows) - v) / len(u)


def share_by_rows(cosines, concept, temperature):
    shares = []
    for i, row in enumerate(cosines.tolist()):
        push = [np.exp(x / temperature) * (j != i) for j, x in enumerate(row)]
        same = sum(x for x, other in zip(push, concept, strict=True) if other == concept[i])
        shares.append(same / sum(push))
    return np.mean(shares)


def right_share(cosines, concept, temperature):
    shares = geometry.negative_shares(cosines, temperature)
    return (shares * (concept[:, None] == concept)).sum(1).mean()


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


RIGHT = [
    (checks.contrastive_loss, clip_loss),
    (checks.nt_xent, nt_xent),
    (checks.nt_xent, nt_xent_with),
    (checks.gradient, right_gradient),
    (checks.gradient, lambda u, v, tau: right_gradient(u, v, tau).float()),
    (checks.gradient, gradient_by_rows),
    (checks.false_negative_share, right_share),
    (checks.false_negative_share, share_by_rows),
]
MISTAKES = {
    checks.contrastive_loss: {
        "lengths": lambda u, v, t: (
            (rows(logits(u, v, t, False)) + rows(logits(u, v, t, False).T)) / 2
        ),
        "tau multiplies": lambda u, v, t: clip_loss(u, v, 1 / t),
        "one direction, u to v": lambda u, v, t: rows(logits(u, v, t)),
        "one direction, v to u": lambda u, v, t: rows(logits(u, v, t).T),
        "sum over the batch": lambda u, v, t: len(u) * clip_loss(u, v, t),
        "sum of both directions": lambda u, v, t: 2 * clip_loss(u, v, t),
        "sign": lambda u, v, t: -clip_loss(u, v, t),
        "do not mask the diagonal": diagonal_masked,
        "exp overflows": naive,
        "use the `tau` given": lambda u, v, t: clip_loss(u, v, 3.0),
        "no gradient": lambda u, v, t: clip_loss(u.detach(), v.detach(), t),
        "without gradients?": lambda u, v, t: clip_loss(u, v.detach(), t),
        "the gradient is not": lambda u, v, t: 2 * clip_loss(u, v, t) - clip_loss(u, v, t).item(),
        "Normalise, compare": lambda u, v, t: (0 * u).sum(),
    },
    checks.nt_xent: {
        "Mask the diagonal": lambda a, b, t: nt_xent_with(a, b, t, mask=False),
        "lengths": lambda a, b, t: nt_xent_with(a, b, t, normalise=False),
        "temperature divides": lambda a, b, t: nt_xent(a, b, 1 / t),
        "one direction": lambda a, b, t: nt_xent_with(a, b, t, anchors=slice(0, len(a))),
        "N candidates:": lambda a, b, t: clip_loss(a, b, 1 / t),
        "N candidates in one direction": info_nce,
        "twice the mean": lambda a, b, t: 2 * nt_xent(a, b, t),
        "sum over the 2N": lambda a, b, t: 2 * len(a) * nt_xent(a, b, t),
        "N rows away": lambda a, b, t: info_nce(*2 * (torch.cat([a, b]),), t),
        "use the `temperature` given": lambda a, b, t: nt_xent(a, b, 0.4),
        "Normalise, compare": lambda a, b, t: (0 * a).sum(),
    },
    checks.gradient: {
        "The sign": lambda u, v, t: -right_gradient(u, v, t),
        "batch size": lambda u, v, t: len(u) * right_gradient(u, v, t),
        "Multiply by tau": lambda u, v, t: right_gradient(u, v, t) / t,
        "Only the attraction": lambda u, v, t: -t / len(u) * v,
        "Only the repulsion": lambda u, v, t: t / len(u) * (t * u @ v.T).softmax(1) @ v,
        "wrong axis": lambda u, v, t: t / len(u) * ((t * u @ v.T).softmax(0) @ v - v),
        "use the `tau` given": lambda u, v, t: right_gradient(u, v, 4.0),
        "how much does each": lambda u, v, t: right_gradient(u, v, t) * len(u) / 6,
        "dL/du": lambda u, v, t: 0 * u,
    },
    checks.false_negative_share: {
        "positive pair": lambda s, c, t: ((s / t).softmax(1) * (c[:, None] == c)).sum(1).mean(),
        "Divide the cosines": lambda s, c, t: right_share(s, c, 1 / t),
        "not the sum": lambda s, c, t: len(s) * right_share(s, c, t),
        "true negatives": lambda s, c, t: 1 - right_share(s, c, t),
        "Mask the diagonal": lambda s, c, t: 0.123,
        "use the `temperature` given": lambda s, c, t: right_share(s, c, 0.3),
    },
}
test_right_answers_pass, test_stubs_never_pass, test_mistakes_are_named = exercise_tests(
    RIGHT, MISTAKES
)


def test_the_expected_gradient_is_autograds() -> None:
    """The check's own formula, against the loss without normalisation."""
    u, v = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    u = F.normalize(u, dim=1).requires_grad_()
    rows(4.0 * u @ v.T).backward()
    assert torch.allclose(u.grad, right_gradient(u.detach(), v, 4.0))


def test_prompts_must_help_on_validation(gallery) -> None:
    wrong = {
        "expected at least": list,
        "12 prompts": lambda names: names[:3],
        "at least one word": lambda names: [""] * 12,
    }
    for hint, answer in wrong.items():
        outcome = checks.prompts(answer, gallery)
        assert not outcome and hint in outcome.message, outcome
    more = {"hand": "right", "animal": "nature", "plant": "flower", "food and drink": "drink"}
    more |= {"fruit and vegetable": "chinese", "vehicle": "train", "clothing": "doctor"}
    more |= {"sport and games": "ball", "weather and sky": "weather"}
    assert checks.prompts(lambda names: [f"{n} {more.get(n, '')}" for n in names], gallery)
    assert len(data.class_names()) == 12
