"""The geometry of contrastive features: what the loss pulls together, pushes apart, and to whom.

All functions take features of any length and compare directions only, as the losses do. None needs
gradients; none trains. All raise ValueError for features that are not finite, or of other shapes.
"""

import math

import torch
from torch import Tensor

from labkit.contrastive.losses import clip_loss, unit
from labkit.inputs import above_0, all_finite, pairs, refused, whole


def alignment(one: Tensor, two: Tensor) -> float:
    """Mean squared distance of matching unit vectors: 0 is best, 2 is chance, 4 is worst.

    Wang & Isola 2020 (arXiv:2005.10242), equation 4 with exponent 2. one, two: (n, dim).
    """
    pairs(one=one, two=two)
    return (unit(one) - unit(two)).pow(2).sum(dim=1).mean().item()


def uniformity(features: Tensor) -> float:
    """Log of the mean Gaussian potential of all pairs: 0 when collapsed, near -4 when spread out.

    Wang & Isola 2020, equation 5 with t = 2. On a high-dimensional sphere random directions have a
    squared distance of 2, and many can hardly do better (two antipodes: -8). features: (n, dim),
    n >= 2.
    """
    if features.ndim != 2 or len(features) < 2:
        raise refused("features", f"shape {tuple(features.shape)}", "(n, dim), n 2 or more")
    all_finite(features=features)
    # From cosines, not `pdist`: of unit vectors |x - y|^2 = 2 - 2 x.y
    x = unit(features.double())
    pair = torch.triu_indices(len(x), len(x), offset=1)
    squared = 2 - 2 * (x @ x.T)[pair[0], pair[1]]  # (n (n - 1) / 2,)
    return (torch.logsumexp(-2 * squared, dim=0) - math.log(len(squared))).item()


def modality_gap(image: Tensor, text: Tensor) -> float:
    """Distance between the mean image and the mean text, on the unit sphere: from 0 to 2.

    Liang et al. 2022 (arXiv:2203.02053), section 2. image, text: (n, dim).
    """
    pairs(image=image, text=text)
    return (unit(image).mean(dim=0) - unit(text).mean(dim=0)).norm().item()


def negative_shares(similarities: Tensor, temperature: float) -> Tensor:
    """How the loss divides its push among the negatives of each row: (n, m), zero for the positive.

    The gradient of -log softmax at the positive pushes negative j by p_j, so that its share is
    p_j / sum of p over negatives: a softmax without the positive. similarities: (n, m) cosines, the
    positive of row i in column i, m >= 2 and >= n; temperature: a number > 0.
    """
    temperature = above_0("temperature", temperature)
    shape = tuple(similarities.shape)
    if len(shape) != 2 or shape[1] < max(2, shape[0]) or not shape[0]:
        raise refused("similarities", f"shape {shape}", "(n, m), m >= 2 and at least n")
    all_finite(similarities=similarities)
    # Less the largest of its row first: what is left may be -inf, and its share 0.
    logits = (similarities - similarities.amax(dim=1, keepdim=True)) / temperature
    own = torch.eye(*logits.shape, dtype=torch.bool, device=logits.device)
    return logits.masked_fill(own, -math.inf).softmax(dim=1)


def half_of_push(shares: Tensor) -> Tensor:
    """How few negatives make up half of the push on each row: shares (n, m) -> (n,) int64."""
    ordered = shares.double().sort(dim=1, descending=True).values
    return (ordered.cumsum(dim=1) < 0.5 - 1e-6).sum(dim=1) + 1  # less what rounding takes


def information(image: Tensor, text: Tensor, logit_scale: float, batch: int) -> float:
    """The bound log N - loss (nats) on the mutual information, in batches of N rows.

    van den Oord et al. 2018, section 2.3: I(image; text) >= log N - L_N. It never exceeds log N, so
    small batches cannot show much information however good the features. Rows that do not fill a
    last batch are left out. batch: from 2 to n.
    """
    pairs(image=image, text=text)
    batch = whole("batch", batch, 2, len(image), "n")
    full = len(image) // batch * batch
    parts = zip(image[:full].split(batch), text[:full].split(batch), strict=True)
    losses = [clip_loss(i, t, logit_scale).item() for i, t in parts]
    return math.log(batch) - sum(losses) / len(losses)
