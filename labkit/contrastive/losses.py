"""Contrastive losses: row i of one batch belongs with row i of the other, and with no other row.

Every loss normalises its features, compares all pairs by cosine similarity and returns a mean, so
that its value does not grow with the batch. Each is a plain `cross_entropy` or `logsigmoid` of a
matrix of logits: both subtract the largest logit before they exponentiate, which keeps values and
gradients right in float32 down to a temperature of 0.005 (logits of +-200), and both can be
differentiated twice.

Two things the functions leave as they are. A zero feature vector stays zero: its cosine with
everything is 0, and its gradient is finite but enormous (`F.normalize` divides by 1e-12). And a
loss compares the rows it is given and no others: across processes, gather the features first, by a
gather that carries gradients back, then call the same function (as `pretrain` beside this does).
"""

from __future__ import annotations

import math
from numbers import Real

import torch
import torch.nn.functional as F
from torch import Tensor

from labkit.inputs import all_finite


def info_nce(queries: Tensor, keys: Tensor, temperature: float | Tensor) -> Tensor:
    """Pick each query's own key among all keys: one direction, N candidates.

    van den Oord et al. 2018 (arXiv:1807.03748), equation 4, with cosine / temperature as the score.

    queries, keys: (n, dim), floating; temperature: a number > 0. Returns a scalar, the mean over
    queries. A batch of one has one candidate, so its loss is 0. Raises ValueError for other input.
    """
    _check_features(queries=queries, keys=keys)
    _check_number("temperature", temperature, above=0)
    logits = _cosines(queries, keys) / temperature  # (n, n)
    return _finite(F.cross_entropy(logits, _diagonal(logits)), temperature=temperature)


def nt_xent(view1: Tensor, view2: Tensor, temperature: float | Tensor) -> Tensor:
    """Pick each image's other view among the other 2N - 1 views of the batch.

    Chen et al. 2020, SimCLR (arXiv:2002.05709), equation 1 and algorithm 1: only the comparison of
    a view with itself is masked. (Their released code sums the two views and reports twice this.)

    view1, view2: (n, dim), floating; temperature: a number > 0. Returns a scalar, the mean over the
    2N views. One pair has one candidate, so its loss is 0. Raises ValueError for other input.
    """
    _check_features(view1=view1, view2=view2)
    _check_number("temperature", temperature, above=0)
    views = torch.cat([view1, view2])  # (2n, dim)
    logits = _cosines(views, views) / temperature  # (2n, 2n)
    logits.fill_diagonal_(-math.inf)  # a view is no candidate for itself
    loss = F.cross_entropy(logits, _diagonal(logits).roll(len(view1)))
    return _finite(loss, temperature=temperature)


def clip_loss(image: Tensor, text: Tensor, logit_scale: float | Tensor) -> Tensor:
    """Pick each image's text among all texts, and each text's image among all images.

    Radford et al. 2021, CLIP (arXiv:2103.00020), figure 3. `logit_scale` multiplies the cosines, so
    it is 1 / temperature; a model that learns its logarithm s passes `s.exp()`.

    image, text: (n, dim), floating; logit_scale: a number >= 0. Returns a scalar, the mean of both
    directions. A batch of one has one candidate: loss 0. Raises ValueError for other input.
    """
    _check_features(image=image, text=text)
    _check_number("logit_scale", logit_scale, at_least=0)
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

    image, text: (n, dim), floating; logit_scale: a number >= 0; logit_bias: a finite number.
    Returns a scalar, the sum over all pairs divided by N (not by N x N). A batch of one is one
    matching pair: -logsigmoid(logit). Raises ValueError for other input.
    """
    _check_features(image=image, text=text)
    _check_number("logit_scale", logit_scale, at_least=0)
    _check_number("logit_bias", logit_bias)
    logits = logit_scale * _cosines(image, text) + logit_bias  # (n images, n texts)
    sign = 2 * torch.eye(len(logits), dtype=logits.dtype, device=logits.device) - 1  # +1 if a pair
    loss = -F.logsigmoid(sign * logits).sum() / len(logits)
    return _finite(loss, logit_scale=logit_scale, logit_bias=logit_bias)


def cosine_similarities(a: Tensor, b: Tensor) -> Tensor:
    """Return the cosine of every row of `a` (n, dim) with every row of `b` (m, dim), as (n, m).

    Raises ValueError for another number of axes, and for numbers that are not finite.
    """
    for name, x in {"a": a, "b": b}.items():
        if x.ndim != 2:
            raise ValueError(f"{name}: got shape {tuple(x.shape)}, accepted: (n, dim)")
    all_finite(a=a, b=b)
    return _cosines(a, b)


def _cosines(a: Tensor, b: Tensor) -> Tensor:
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


def _diagonal(logits: Tensor) -> Tensor:
    """Return the column of each row's own diagonal entry: 0, 1, 2, ..."""
    return torch.arange(len(logits), device=logits.device)


def _check_features(**features: Tensor) -> None:
    """Refuse anything but two finite floating tensors of one shape (n, dim), type and device."""
    for name, x in features.items():
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} must be a torch.Tensor (n, dim), got {type(x).__name__}")
        if x.dim() != 2 or 0 in x.shape:
            raise ValueError(
                f"{name} must have shape (n, dim) with n >= 1 and dim >= 1, got {tuple(x.shape)}"
            )
        if not x.is_floating_point():
            raise ValueError(f"{name} must be floating, got {x.dtype}; convert it with .float()")
    (name1, x1), (name2, x2) = features.items()
    for what in ("shape", "dtype", "device"):
        one, two = getattr(x1, what), getattr(x2, what)
        if one != two:
            raise ValueError(
                f"{name1} and {name2} must have the same {what}, row i of one matching row i of the"
                f" other; got {name1} {_plain(one)} and {name2} {_plain(two)}"
            )
    all_finite(**features)


def _finite(loss: Tensor, **numbers: float | Tensor) -> Tensor:
    """The loss, unless the numbers take the logits out of what their type can hold."""
    if not loss.isfinite():
        given = " and ".join(
            f"{name} {float(torch.as_tensor(x).detach()):.3g}" for name, x in numbers.items()
        )
        raise ValueError(f"the loss became {loss.item()} in {loss.dtype}: {given} is too extreme")
    return loss


def _check_number(
    name: str, value: float | Tensor, above: float = -math.inf, at_least: float = -math.inf
) -> None:
    """Refuse anything but one finite number in range (reading a GPU tensor waits for the GPU)."""
    accepted = "a finite number"
    if above > -math.inf:
        accepted += f" > {above}"
    if at_least > -math.inf:
        accepted += f" >= {at_least}"
    is_number = value.numel() == 1 if isinstance(value, Tensor) else isinstance(value, Real)
    if not is_number:
        shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
        raise ValueError(f"{name} must be {accepted}, got a {type(value).__name__}{shape}")
    number = float(value.detach() if isinstance(value, Tensor) else value)
    if not (math.isfinite(number) and number > above and number >= at_least):
        raise ValueError(f"{name} must be {accepted}, got {number}")


def _plain(value: object) -> object:
    """Show a torch.Size as a plain tuple in messages."""
    return tuple(value) if isinstance(value, torch.Size) else value
