"""The geometry of contrastive features: what the loss pulls together, pushes apart, and to whom.

All functions take features of any length and compare directions only, as the losses do. None needs
gradients; none trains.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from labkit.contrastive import clip_loss
from labkit.inputs import above_0, all_finite, finite


def alignment(one: Tensor, two: Tensor) -> float:
    """Mean squared distance of matching unit vectors: 0 is best, 2 is chance, 4 is worst.

    Wang & Isola 2020 (arXiv:2005.10242), equation 4 with exponent 2. one, two: (n, dim).
    """
    _check_pairs(one=one, two=two)
    return (F.normalize(one, dim=1) - F.normalize(two, dim=1)).pow(2).sum(dim=1).mean().item()


def uniformity(features: Tensor, t: float = 2.0) -> float:
    """Log of the mean Gaussian potential of all pairs: 0 when collapsed, -4 (at t = 2) at best.

    Wang & Isola 2020, equation 5. On a high-dimensional sphere random directions have a squared
    distance of 2, so their value is close to -2t. features: (n, dim), n >= 2.
    """
    if features.dim() != 2 or len(features) < 2:
        raise ValueError(
            f"features must have shape (n, dim) with n >= 2, got {tuple(features.shape)}"
        )
    all_finite(features=features)
    t = finite("t", t)
    # From cosines, not `pdist`: of unit vectors |x - y|^2 = 2 - 2 x.y
    x = F.normalize(features, dim=1).double()
    pairs = torch.triu_indices(len(x), len(x), offset=1)
    squared = 2 - 2 * (x @ x.T)[pairs[0], pairs[1]]  # (n (n - 1) / 2,)
    return (torch.logsumexp(-t * squared, dim=0) - math.log(len(squared))).item()


def modality_gap(image: Tensor, text: Tensor) -> float:
    """Distance between the mean image and the mean text, on the unit sphere: from 0 to 2.

    Liang et al. 2022 (arXiv:2203.02053), section 2. image, text: (n, dim).
    """
    _check_pairs(image=image, text=text)
    means = [F.normalize(x, dim=1).mean(dim=0) for x in (image, text)]
    return (means[0] - means[1]).norm().item()


def shift_gap(image: Tensor, text: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Move both modalities towards each other by `share` of the gap (1 closes it), renormalised.

    Liang et al. 2022, section 4.2: is the gap where the loss wants it? image, text: (n, dim).
    """
    _check_pairs(image=image, text=text)
    share = finite("share", share)
    image, text = F.normalize(image, dim=1), F.normalize(text, dim=1)
    gap = image.mean(dim=0) - text.mean(dim=0)
    return (
        F.normalize(image - share * gap / 2, dim=1),
        F.normalize(text + share * gap / 2, dim=1),
    )


def negative_shares(similarities: Tensor, temperature: float) -> Tensor:
    """How the loss divides its push among the negatives of each row: (n, m), zero for the positive.

    The gradient of -log softmax at the positive pushes negative j by p_j, so that its share is
    p_j / sum of p over negatives: a softmax without the positive. similarities: (n, m) cosines, the
    positive of row i in column i, m >= 2. Raises ValueError for a temperature that is not positive.
    """
    temperature = above_0("temperature", temperature)
    if similarities.dim() != 2 or similarities.shape[1] < 2 or not len(similarities):
        raise ValueError(
            f"similarities: got shape {tuple(similarities.shape)}, accepted: (n, m), m >= 2"
        )
    all_finite(similarities=similarities)
    # Less the largest of its row first: what is left may be -inf, and its share 0.
    logits = (similarities - similarities.amax(dim=1, keepdim=True)) / temperature
    own = torch.eye(*logits.shape, dtype=torch.bool, device=logits.device)
    return logits.masked_fill(own, -math.inf).softmax(dim=1)


def half_of_push(shares: Tensor) -> Tensor:
    """How few negatives make up half of the push on each row: shares (n, m) -> (n,) int64."""
    all_finite(shares=shares)
    ordered = shares.sort(dim=1, descending=True).values
    return (ordered.cumsum(dim=1) < 0.5).sum(dim=1) + 1


def information(image: Tensor, text: Tensor, logit_scale: float, batch: int) -> float:
    """The bound log N - loss (nats) on the mutual information, in batches of N rows.

    van den Oord et al. 2018, section 2.3: I(image; text) >= log N - L_N. It never exceeds log N, so
    small batches cannot show much information however good the features. Rows that do not fill a
    last batch are left out. Raises ValueError when `batch` is not between 2 and n.
    """
    _check_pairs(image=image, text=text)
    if not 2 <= batch <= len(image):
        raise ValueError(f"batch: got {batch}, accepted: 2 to {len(image)}")
    whole = len(image) // batch * batch
    pairs = zip(image[:whole].split(batch), text[:whole].split(batch), strict=True)
    losses = [clip_loss(i, t, logit_scale).item() for i, t in pairs]
    return math.log(batch) - sum(losses) / len(losses)


def _check_pairs(**sides: Tensor) -> None:
    (name1, one), (name2, two) = sides.items()
    if one.dim() != 2 or one.shape != two.shape or 0 in one.shape:
        raise ValueError(
            f"{name1} and {name2} must have the same shape (n, dim), n >= 1, got "
            f"{tuple(one.shape)} and {tuple(two.shape)}"
        )
    all_finite(**sides)
