"""Notebook 03: the contrastive loss, NT-Xent, its gradient, false negatives, and prompts."""

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from labkit import data
from labkit.contrastive import zero_shot
from labkit.contrastive.geometry import negative_shares
from labkit.contrastive.losses import clip_loss, cosine_similarities, info_nce
from labkit.contrastive.losses import nt_xent as right_nt_xent
from labkit.exercise import checker, compare

STEPS = "Normalise, compare all pairs, take -log softmax where the pair is, and average."
SIGN = "the sign is wrong: should the loss fall as the pair comes closer?\nIt is minus a log."


def _features(seed: int, n: int = 6, dim: int = 5) -> tuple[Tensor, Tensor]:
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
    u, v = _features(0)
    tau, raw, cosines = 3.0, u @ v.T, cosine_similarities(u, v)
    both = clip_loss(u, v, tau)
    masked = (tau * cosines).masked_fill(torch.eye(len(u), dtype=torch.bool), -math.inf)
    others = (masked.logsumexp(1) + masked.logsumexp(0)) / 2
    mistakes = {
        "the lengths of u and v still count.\nFirst `F.normalize(u, dim=1)`, and v alike.":
            (_rows(tau * raw) + _rows(tau * raw.T)) / 2,
        "here tau multiplies the cosines; you divide by it (SimCLR's temperature does).":
            clip_loss(u, v, 1 / tau),
        "that is one direction, u to v; do the same from v to u and take the mean.":
            _rows(tau * cosines),
        "that is one direction, v to u; do the same from u to v and take the mean.":
            _rows(tau * cosines.T),
        "that is the sum over the batch, as in the formula; take the mean.": len(u) * both,
        "that is the sum of both directions; take their mean.": 2 * both,
        SIGN: -both,
        "the positive is missing from the denominator: do not mask the diagonal here.":
            (others - tau * cosines.diagonal()).mean(),
    }  # fmt: skip
    yield from _problems(loss, (u, v, tau), both, mistakes)
    yield from _overflows(loss, 100.0, clip_loss, "tau", tau)


@checker
def nt_xent(loss: Callable) -> Iterator[str]:
    """Notebook 03: loss(view1, view2, temperature), the mean over 2N views of 2N - 1 candidates."""
    one, two = _features(1)
    views, t, n = torch.cat([one, two]), 0.4, len(one)
    expected, logits = right_nt_xent(one, two, t), cosine_similarities(views, views) / t
    itself, partner = torch.eye(2 * n, dtype=torch.bool), torch.arange(2 * n).roll(n)
    masked, raw = (x.masked_fill(itself, -math.inf) for x in (logits, views @ views.T / t))
    mistakes = {
        "The answer of each row is the view itself; its partner is N rows away.": _rows(logits),
        "a view is compared with itself.\nMask the diagonal with -inf.":
            F.cross_entropy(logits, partner),
        "the views' lengths still count.\nFirst `F.normalize(views, dim=1)`.":
            F.cross_entropy(raw, partner),
        "here the temperature divides the cosines; you multiply (the lecture's tau does).":
            right_nt_xent(one, two, 1 / t),
        "that is one direction: the views of `view2` are anchors too.":
            F.cross_entropy(masked[:n], partner[:n]),
        "those are N candidates: the other views of the same side are negatives too.":
            clip_loss(one, two, 1 / t),
        "those are N candidates in one direction; NT-Xent has 2N - 1, for all 2N views.":
            info_nce(one, two, t),
        "that is twice the mean, as SimCLR's released code reports it.": 2 * expected,
        "that is the sum over the 2N views; take the mean.": 2 * n * expected,
        SIGN: -expected,
    }  # fmt: skip
    yield from _problems(loss, (one, two, t), expected, mistakes)
    yield from _overflows(loss, 0.005, right_nt_xent, "temperature", t)


def _problems(loss: Callable, inputs: tuple, expected: Tensor, mistakes: dict) -> Iterator[str]:
    """Compare the value, then the gradient."""
    yours = loss(*inputs)
    otherwise = "Go through its steps one by one: lengths, pairs, probabilities, mean.\n" + STEPS
    yield from compare(yours, expected, mistakes, otherwise)
    if not isinstance(yours, Tensor) or not yours.requires_grad:
        yield "the value is right, but carries no gradient: no `.detach()`, `.item()` or numpy."
    keep = {"retain_graph": True, "materialize_grads": True}
    pairs = [torch.autograd.grad(x, inputs[:2], **keep) for x in (yours, expected)]
    if not all(torch.allclose(a, b, rtol=1e-4) for a, b in zip(*pairs, strict=True)):
        yield "the value is right, the gradient is not: is part of it computed without gradients?"


def _overflows(
    loss: Callable, scale: float, reference: Callable, name: str, ordinary: float
) -> Iterator[str]:
    """At the extreme scale that training reaches, float32's exp overflows above 88.

    name: of the scale, which is `ordinary` where the loss was right.
    """
    u, v = (x.detach().float() for x in _features(2))
    ignored = f"That is for {ordinary:g}: use the `{name}` given."
    hint = (
        "Your exp overflows (or underflows to log 0).\n`F.cross_entropy` and `logsumexp` subtract "
        "the largest logit first."
    )
    what = f"right at ordinary scales, but with hard pairs at {scale:g} "
    yours, expected, other = loss(u, -v, scale), *(reference(u, -v, x) for x in (scale, ordinary))
    yield from compare(yours, expected, {ignored: other}, hint, what, tolerance=1e-3)


@checker
def gradient(function: Callable) -> Iterator[str]:
    """Notebook 03: function(u, v, tau) -> the gradient with respect to the unit vectors u."""
    for n, tau in ((6, 4.0), (5, 1.5)):
        u, v = (F.normalize(x.detach(), dim=1) for x in _features(3, n))
        logits, pull = tau * u @ v.T, -tau / n * v
        repulsion = tau / n * logits.softmax(dim=1) @ v
        expected = repulsion + pull
        mistakes = {
            "the sign: a positive attracts, so that its vector enters with a minus.": -expected,
            "a factor is missing: the loss is a mean.\nDivide by the batch size.": n * expected,
            "a factor is missing, by the chain rule.\nMultiply by tau.":
                expected / tau,
            "only the attraction is there.\nAdd sum_j p_ij v_j.": pull,
            "only the repulsion is there.\nSubtract v_i.": repulsion,
            "the softmax runs over the wrong axis: each u chooses among all v.":
                tau / n * (logits.softmax(dim=0) @ v - v),
            "that is for tau 4: use the `tau` given.":
                4 / n * ((4 * u @ v.T).softmax(dim=1) @ v - v),
        }  # fmt: skip
        otherwise = (
            "What attracts u_i, what repels it, and how much does each of them weigh?\n"
            "dL/du_i = (tau / n) (sum_j p_ij v_j - v_i), with p = softmax over j of tau u_i v_j."
        )
        what = f"batch of {n}, tau {tau:g}: "
        yield from compare(function(u.clone(), v.clone(), tau), expected, mistakes, otherwise, what)


@checker
def false_negative_share(function: Callable) -> Iterator[str]:
    """Notebook 03: function(cosines, concept, temperature) -> mean share of the push."""
    cosines = torch.rand(6, 6, generator=torch.Generator().manual_seed(4)) * 2 - 1
    concept = torch.tensor([7, 7, 3, 5, 3, 7])
    same = concept[:, None] == concept
    for t in (0.3, 1.2):
        softmax = (cosines / t).softmax(dim=1)
        per_row, at_first, multiplied = (
            (negative_shares(cosines, x) * same).sum(dim=1) for x in (t, 0.3, 1 / t)
        )
        mistakes = {
            "the positive pair is counted: leave the diagonal out before the softmax.":
                (softmax * same).sum(dim=1).mean(),
            "leave the positive out before the softmax too, so that shares sum to 1.":
                (softmax * (same & ~torch.eye(6, dtype=torch.bool))).sum(dim=1).mean(),
            "divide the cosines by the temperature.": multiplied.mean(),
            "take the mean over rows, not the sum.": per_row.sum(),
            "yours is the share of the true negatives; that of the others is wanted.":
                1 - per_row.mean(),
            "that is for temperature 0.3: use the `temperature` given.": at_first.mean(),
        }  # fmt: skip
        otherwise = (
            "Which entries of a row push, and which of those are of one concept?\n"
            "Mask the diagonal, softmax each row, sum where `concept` is equal, average rows."
        )
        yours, what = function(cosines.clone(), concept, t), f"at temperature {t:g}: "
        yield from compare(yours, per_row.mean(), mistakes, otherwise, what)


@checker
def prompts(function: Callable, gallery: zero_shot.ClipGallery) -> Iterator[str]:
    """Notebook 03: function(class_names) -> prompts that beat the bare names on validation."""
    names = data.class_names()
    yours = function(names)
    if not isinstance(yours, (list, tuple)) or len(yours) != len(names):
        yield f"return a list of {len(names)} prompts, one for each class name, in their order."
    odd = [x for x in yours if not isinstance(x, str) or not x.strip()]
    if odd:
        yield f"a prompt is a text with at least one word, got {odd[0]!r}."
    score, bare = (zero_shot.accuracy(gallery, x, "validation").mean for x in (list(yours), names))
    if score < bare + 0.03:
        yield (
            f"validation accuracy {score:.1%}, expected at least {bare + 0.03:.1%} (the bare names "
            f"reach {bare:.1%}). Which words stood in the captions CLIP was trained on?"
        )
