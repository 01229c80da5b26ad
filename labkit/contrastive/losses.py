"""Contrastive losses: row i of one batch belongs with row i of the other, and with no other row.

Every loss compares all pairs by cosine and returns a mean, so that its value does not grow with the
batch. Each is a plain `cross_entropy` or `logsigmoid` of a matrix of logits: both subtract the
largest logit before they exponentiate, which keeps values and gradients right in float32 down to a
temperature of 0.005 (logits of +-200), and both can be differentiated twice.

Features are finite, floating, (n, dim) with n and dim 1 or more, of any length. A row of zeros
stays zero: its cosine with everything is 0. The result has their type (float32 under autocast). All
raise ValueError or TypeError for other input. A batch of one has one candidate: its loss is 0 (of
SigLIP, that of one matching pair). A loss compares the rows it is given and no others: across
processes, gather the features first, with gradients, then call it (as `pretrain` beside this does).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from labkit.inputs import above_0, all_finite, at_least_0, finite, pairs, refused


def info_nce(queries: Tensor, keys: Tensor, temperature: float | Tensor) -> Tensor:
    """Pick each query's own key among all keys: one direction, N candidates.

    van den Oord et al. 2018 (arXiv:1807.03748), equation 4, with cosine / temperature as the score.
    queries, keys: (n, dim); temperature: a number > 0. Returns the mean over queries.
    """
    pairs(queries=queries, keys=keys)
    above_0("temperature", temperature)
    logits = _cosines(queries, keys) / temperature  # (n, n)
    return _finite(F.cross_entropy(logits, _diagonal(logits)), temperature=temperature)


def nt_xent(view1: Tensor, view2: Tensor, temperature: float | Tensor) -> Tensor:
    """Pick each image's other view among the other 2N - 1 views of the batch.

    Chen et al. 2020, SimCLR (arXiv:2002.05709), equation 1 and algorithm 1: only the comparison of
    a view with itself is masked. (Their released code sums the two views and reports twice this.)
    view1, view2: (n, dim); temperature: a number > 0. Returns the mean over the 2N views.
    """
    pairs(view1=view1, view2=view2)
    above_0("temperature", temperature)
    views = torch.cat([view1, view2])  # (2n, dim)
    logits = _cosines(views, views) / temperature  # (2n, 2n)
    logits.fill_diagonal_(-math.inf)  # a view is no candidate for itself
    loss = F.cross_entropy(logits, _diagonal(logits).roll(len(view1)))
    return _finite(loss, temperature=temperature)


def clip_loss(image: Tensor, text: Tensor, logit_scale: float | Tensor) -> Tensor:
    """Pick each image's text among all texts, and each text's image among all images.

    Radford et al. 2021, CLIP (arXiv:2103.00020), figure 3. `logit_scale` multiplies the cosines, so
    it is 1 / temperature; a model that learns its logarithm s passes `s.exp()`.
    image, text: (n, dim); logit_scale: a number >= 0. Returns the mean of both directions.
    """
    pairs(image=image, text=text)
    at_least_0("logit_scale", logit_scale)
    logits = logit_scale * _cosines(image, text)  # (n images, n texts)
    own = _diagonal(logits)
    loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    return _finite(loss, logit_scale=logit_scale)


def siglip_loss(
    image: Tensor, text: Tensor, logit_scale: float | Tensor, logit_bias: float | Tensor
) -> Tensor:
    """Say of each of the N x N pairs, on its own, whether it belongs together.

    Zhai et al. 2023, SigLIP (arXiv:2303.15343), section 3.2 and algorithm 1. Nothing is normalised
    over the batch; `logit_bias` (about -10 at first) says that nearly all pairs do not match.
    image, text: (n, dim); logit_scale: a number >= 0; logit_bias: a finite number. Returns the sum
    over all pairs divided by N (not by N x N).
    """
    pairs(image=image, text=text)
    at_least_0("logit_scale", logit_scale)
    finite("logit_bias", logit_bias)
    logits = logit_scale * _cosines(image, text) + logit_bias  # (n images, n texts)
    if torch.is_autocast_enabled(logits.device.type):
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # as cross_entropy
    sign = 2 * torch.eye(len(logits), dtype=logits.dtype, device=logits.device) - 1  # +1 if a pair
    loss = -F.logsigmoid(sign * logits).sum() / len(logits)
    return _finite(loss, logit_scale=logit_scale, logit_bias=logit_bias)


def cosine_similarities(a: Tensor, b: Tensor) -> Tensor:
    """The cosine of every row of `a` (n, dim) with every row of `b` (m, dim), as (n, m)."""
    for name, x in {"a": a, "b": b}.items():
        if x.ndim != 2:
            raise refused(name, f"shape {tuple(x.shape)}", "(n, dim)")
    all_finite(a=a, b=b)
    return _cosines(a, b)


def unit(features: Tensor) -> Tensor:
    """Every row (n, dim) at length 1, however short or long it was; a row of zeros stays zero."""
    largest = features.detach().abs().amax(dim=1, keepdim=True)
    scaled = features / largest.masked_fill(largest == 0, 1)  # its length is 1 or more, or 0
    return F.normalize(scaled, dim=1, eps=0.5)


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    return unit(a) @ unit(b).T


def _diagonal(logits: Tensor) -> Tensor:
    return torch.arange(len(logits), device=logits.device)


def _finite(loss: Tensor, **numbers: float | Tensor) -> Tensor:
    """The loss, unless the numbers take the logits out of what their type can hold."""
    if not loss.isfinite():
        given = " and ".join(f"{float(torch.as_tensor(x).detach()):.3g}" for x in numbers.values())
        accepted = f"less extreme ones (the loss became {loss.item()} in {loss.dtype})"
        raise refused(", ".join(numbers), given, accepted)
    return loss
