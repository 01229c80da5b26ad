"""Notebook 03: the contrastive loss, NT-Xent, its gradient, false negatives, and prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from labkit import contrastive as losses
from labkit import data
from labkit.contrastive import geometry, zero_shot
from labkit.exercise import checker

Loss = Callable[[Tensor, Tensor, float], Tensor]


def _features(seed: int = 0, n: int = 6, dim: int = 5) -> tuple[Tensor, Tensor]:
    """Matching rows of different lengths: (n, dim) each, float64, with gradients."""
    generator = torch.Generator().manual_seed(seed)
    one = torch.randn(n, dim, dtype=torch.float64, generator=generator)
    two = one + 0.7 * torch.randn(n, dim, dtype=torch.float64, generator=generator)
    return (2 * one).requires_grad_(), (0.6 * two).requires_grad_()


def _rows(logits: Tensor) -> Tensor:
    return F.cross_entropy(logits, torch.arange(len(logits)))


@checker
def contrastive_loss(loss: Callable) -> Iterator[str]:
    """Notebook 03: loss(u, v, tau), both directions and a mean, tau multiplying: CLIP's."""
    u, v = _features()
    cosines = losses.cosine_similarities(u, v)
    raw, tau = u @ v.T, 3.0
    both = losses.clip_loss(u, v, tau)
    masked = (tau * cosines).masked_fill(torch.eye(len(u), dtype=torch.bool), -torch.inf)
    mistakes = {
        "normalise u and v to length 1 first (`F.normalize(u, dim=1)`).": (
            (_rows(tau * raw) + _rows(tau * raw.T)) / 2
        ),
        "here tau multiplies the cosines; you divide by it (SimCLR's temperature does).": (
            losses.clip_loss(u, v, 1 / tau)
        ),
        "that is one direction, u to v; do the same from v to u and take the mean.": (
            _rows(tau * cosines)
        ),
        "that is one direction, v to u; do the same from u to v and take the mean.": (
            _rows(tau * cosines.T)
        ),
        "that is the sum over the batch, as in the formula; take the mean.": len(u) * both,
        "that is the sum of both directions; take their mean.": 2 * both,
        "the sign is wrong: a loss is minus the log of a probability.": -both,
        "the positive is missing from the denominator: do not mask the diagonal here.": (
            -(tau * cosines).diagonal() + (masked.logsumexp(1) + masked.logsumexp(0)) / 2
        ).mean(),
    }
    yield from _value_problems(loss, (u, v, tau), both, mistakes)
    yield from _overflow_problems(loss, 100.0, losses.clip_loss)


@checker
def nt_xent(loss: Callable) -> Iterator[str]:
    """Notebook 03: loss(view1, view2, temperature), the mean over 2N views of 2N - 1 candidates."""
    one, two = _features(seed=1)
    temperature = 0.4
    views = torch.cat([one, two])
    expected = losses.nt_xent(one, two, temperature)
    n, logits = len(one), losses.cosine_similarities(views, views) / temperature
    diagonal = torch.eye(2 * n, dtype=torch.bool)
    partner = torch.arange(2 * n).roll(n)
    masked = logits.masked_fill(diagonal, -torch.inf)
    unscaled = (views @ views.T / temperature).masked_fill(diagonal, -torch.inf)
    mistakes = {
        "the answer of each row is the view itself; its partner is N rows away.": (
            F.cross_entropy(logits, torch.arange(2 * n))
        ),
        "a view is compared with itself: mask the diagonal with -inf.": (
            F.cross_entropy(logits, partner)
        ),
        "normalise the views to length 1 first (`F.normalize(views, dim=1)`).": (
            F.cross_entropy(unscaled, partner)
        ),
        "here the temperature divides the cosines; you multiply (the lecture's tau does).": (
            losses.nt_xent(one, two, 1 / temperature)
        ),
        "that is one direction: the views of `view2` are anchors too.": (
            F.cross_entropy(masked[:n], partner[:n])
        ),
        "those are N candidates: the other views of the same side are negatives too.": (
            losses.clip_loss(one, two, 1 / temperature)
        ),
        "those are N candidates in one direction; NT-Xent has 2N - 1, for all 2N views.": (
            losses.info_nce(one, two, temperature)
        ),
        "that is twice the mean, as SimCLR's released code reports it.": 2 * expected,
        "that is the sum over the 2N views; take the mean.": 2 * n * expected,
        "the sign is wrong: a loss is minus the log of a probability.": -expected,
    }
    yield from _value_problems(loss, (one, two, temperature), expected, mistakes)
    yield from _overflow_problems(loss, 0.005, losses.nt_xent)


def _value_problems(loss: Callable, inputs: tuple, expected: Tensor, mistakes: dict):
    """Compare value and gradient; a value that a known mistake gives gets that mistake's hint."""
    yours = loss(*inputs)
    if not isinstance(yours, Tensor) or yours.numel() != 1:
        yield f"your function returns {_short(yours)}; return a tensor with one number."
        return
    if not torch.isclose(yours.double(), expected, rtol=1e-4):
        hint = next(
            (text for text, value in mistakes.items() if _close(yours, value)),
            "Normalise, compare all pairs, take -log softmax where the pair is, and average.",
        )
        yield f"yours is {yours.item():.4f}, expected {expected.item():.4f}: {hint}"
        return
    if not yours.requires_grad:
        yield "the value is right, but carries no gradient: no `.detach()`, `.item()` or numpy."
        return
    pairs = [torch.autograd.grad(x, inputs[:2], retain_graph=True) for x in (yours, expected)]
    if not all(torch.allclose(a, b, rtol=1e-4) for a, b in zip(*pairs, strict=True)):
        yield "the value is right, the gradient is not: is part of it computed without gradients?"


def _overflow_problems(loss: Callable, scale: float, reference: Callable) -> Iterator[str]:
    """At the extreme scale that training reaches, float32's exp overflows above 88."""
    u, v = (x.detach().float() for x in _features(seed=2))
    yours, expected = loss(u, -v, scale), reference(u, -v, scale)
    if not torch.isfinite(yours).all() or not torch.isclose(yours, expected, rtol=1e-3):
        yield (
            f"right at ordinary scales, but with hard pairs at {scale:g} yours is "
            f"{yours.item():.4g}, expected {expected.item():.4g}: exp overflows (or underflows to "
            "log 0). `F.cross_entropy` and `logsumexp` subtract the largest logit first."
        )


def _close(yours: Tensor, value: Tensor) -> bool:
    return bool(torch.isclose(yours.detach().double(), value.detach().double(), rtol=1e-4))


def _short(value: object) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)


@checker
def gradient(function: Callable) -> Iterator[str]:
    """Notebook 03: function(u, v, tau) -> the gradient with respect to the unit vectors u."""
    u, v = (F.normalize(x.detach(), dim=1) for x in _features(seed=3))
    tau, n = 4.0, len(u)
    weights = (tau * u @ v.T).softmax(dim=1)
    expected = tau / n * (weights @ v - v)
    yours = function(u, v, tau)
    if not isinstance(yours, Tensor) or yours.shape != u.shape:
        yield f"your function returns {_short(yours)}; return a tensor of shape {tuple(u.shape)}."
        return
    yours = yours.to(torch.float64)
    mistakes = {
        "the sign: a positive attracts, so that its vector enters with a minus.": -expected,
        "divide by the batch size: the loss is a mean.": n * expected,
        "multiply by tau: the chain rule, since the logits are tau times the cosines.": (
            expected / tau
        ),
        "only the attraction is there; add the repulsion, sum_j p_ij v_j.": -tau / n * v,
        "only the repulsion is there; subtract the positive, v_i.": tau / n * weights @ v,
        "the softmax runs over the wrong axis: each u chooses among all v.": (
            tau / n * ((tau * u @ v.T).softmax(dim=0) @ v - v)
        ),
    }
    if not torch.allclose(yours, expected, rtol=1e-4, atol=1e-8):
        hint = next(
            (text for text, x in mistakes.items() if torch.allclose(yours, x, rtol=1e-4)),
            "dL/du_i = (tau / n) (sum_j p_ij v_j - v_i), with p = softmax over j of tau u_i v_j.",
        )
        yield f"row 0 is {_row(yours)}, expected {_row(expected)}: {hint}"


def _row(x: Tensor) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in x[0].tolist()[:3]) + ", ...)"


@checker
def false_negative_share(function: Callable) -> Iterator[str]:
    """Notebook 03: function(cosines, concept, temperature) -> mean share of the push."""
    generator = torch.Generator().manual_seed(4)
    cosines = torch.rand(6, 6, generator=generator) * 2 - 1
    concept = torch.tensor([7, 7, 3, 5, 3, 7])
    temperature = 0.3
    same = concept[:, None] == concept
    shares = geometry.negative_shares(cosines, temperature)
    per_row = (shares * same).sum(dim=1)
    expected = per_row.mean().item()
    yours = function(cosines, concept, temperature)
    if yours is None:
        yield "your function returns nothing; end it with `return` and a number."
        return
    softmax = (cosines / temperature).softmax(dim=1)
    mistakes = {
        "the positive pair is counted: leave the diagonal out before the softmax.": (
            (softmax * same).sum(dim=1).mean()
        ),
        "leave the positive out before the softmax too, so that shares sum to 1.": (
            (softmax * (same & ~torch.eye(6, dtype=torch.bool))).sum(dim=1).mean()
        ),
        "divide the cosines by the temperature.": (
            (geometry.negative_shares(cosines, 1 / temperature) * same).sum(dim=1).mean()
        ),
        "take the mean over rows, not the sum.": per_row.sum(),
        "yours is the share of the true negatives; that of the others is wanted.": (
            1 - per_row.mean()
        ),
    }
    if not abs(float(yours) - expected) < 1e-4:
        hint = next(
            (text for text, value in mistakes.items() if abs(float(yours) - value) < 1e-4),
            "mask the diagonal, softmax each row, sum where `concept` is equal, average the rows.",
        )
        yield f"yours is {float(yours):.4f}, expected {expected:.4f}: {hint}"


@checker
def prompts(function: Callable, gallery: zero_shot.ClipGallery) -> Iterator[str]:
    """Notebook 03: function(class_names) -> prompts that beat the bare names on validation."""
    names = data.class_names()
    yours = function(names)
    if not isinstance(yours, (list, tuple)) or len(yours) != len(names):
        yield f"return a list of {len(names)} prompts, one for each class name, in their order."
        return
    odd = [x for x in yours if not isinstance(x, str) or not x.strip()]
    if odd:
        yield f"a prompt is a text with at least one word, got {odd[0]!r}."
        return
    score, bare = (zero_shot.accuracy(gallery, x, "validation").mean for x in (list(yours), names))
    if score < bare + 0.03:
        yield (
            f"validation accuracy {score:.1%}, expected at least {bare + 0.03:.1%} (the bare names "
            f"reach {bare:.1%}). Which words stood in the captions CLIP was trained on?"
        )
