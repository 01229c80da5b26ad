"""Why fine-tuning must err outside its training span: a bound of Kumar et al. 2022, section 3.

For f(x) = v'Bx as in `theory`, fine-tuned from (v0, B0) on inputs that span S, at ALL times t,

    sqrt(L_ood(t)) >= cos(theta_k) / sqrt(k) * min(phi, phi^2 / |w*|) / (1 + |w*|)^2 - eps.

What the symbols must mean for this to be true, and how far it is true as it stands:

- theta_k is the LARGEST of the k principal angles between rowspace(B0) and the complement of S:
  cos(theta_k) is the smallest singular value of B0 (I - P_S). Where the complement has fewer than k
  dimensions there is no kth angle, and no bound (0 here); the theorem asks for dim S < d - k.
- phi^2 = |(v0'v*)^2 - (v*'v*)^2| sees the part of the head along v* only: phi = 0 is no good head.
- eps is the smallest |B0 - U B*| over rotations U; `theory` draws B0 so that U is the identity.
- The constants are not right at the edges: k = 1, v0 = 0, S nearly along B0 ends below the bound,
  and from |w*| > 1 the features' error counts as eps |w*|. (test_theory.py has both examples.)

`provable` therefore follows the same argument with every constant kept. For |w*| = 1, k >= 4 and
phi up to 40 it is not below the theorem's value; `lower_bound` returns the smaller of the two.
"""

import numpy as np

from labkit.inputs import matrices, real, whole

TINY, LARGEST = 1e-12, 1e12  # below is rounding, and no bound; above, squares would overflow


def cosine_outside(B0: np.ndarray, span: np.ndarray) -> float:
    """cos(theta_k) between rowspace(B0), B0 (k, d), and the complement of `span`, (r, d) rows.

    Raises ValueError for rows that are not orthonormal: what came out would be no cosine.
    """
    B0, span = matrices(B0=B0, span=span)
    for name, rows in (("B0", B0), ("span", span)):
        if not np.allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-6):
            raise ValueError(f"{name}: its rows are not orthonormal (numpy.linalg.qr makes such)")
    if B0.shape[1] - len(span) < len(B0):
        return 0.0
    outside = B0 - (B0 @ span.T) @ span  # (k, d)
    return float(np.linalg.svd(outside, compute_uv=False)[-1])


def misalignment(v0: np.ndarray, v_star: np.ndarray) -> float:
    """phi, how far the initial head is from the best one (and from its negative)."""
    v0, v_star = (x[0] for x in matrices(v0=v0[None], v_star=v_star[None]))
    return float(np.sqrt(abs((v0 @ v_star) ** 2 - (v_star @ v_star) ** 2)))


def stated(k: int, cosine: float, phi: float, norm: float, error: float) -> float:
    """The theorem's lower bound on sqrt(L_ood), as it stands above; negative where it says nothing.

    k: rank; cosine: cos(theta_k); phi: misalignment of the head; norm: |w*|; error: eps.
    """
    whole("k", k, 1)
    _check(cosine=cosine, phi=phi, norm=norm, error=error)
    least = min(phi, phi**2 / norm) if norm else 0.0
    return cosine / np.sqrt(k) * least / (1 + norm) ** 2 - error


def provable(cosine: float, phi: float, norm: float, error: float, imbalance: float = 0.0) -> float:
    """The lower bound on sqrt(L_ood) that the theorem's argument gives with all constants kept.

    Let D = sqrt(L_ood(t)). Outside S the features never move, so there w(t) is B0'v(t), and the
    head's own error |v(t) - v*| is at most h = (D + eps |w*|) / cos(theta_k). Gradient flow keeps
    vv' - BB'. Taken along v*, of length |w*|, this says

        (v0'v*)^2 - |v*|^4 = [(v'v*)^2 - |v*|^4] + [|w*|^2 - |B'v*|^2].

    The first bracket is at most |w*|^2 h (2 |w*| + h). In the second, B'v* = w(t) - B'(v - v*) is
    within g = D + |B| h of w*, which bounds it by g (2 |w*| + g); and |B|^2 <= 1 + |v|^2, again by
    balance. The left side is phi^2, the right side grows with D: the smallest D is the bound.

    Gradient descent keeps the balance only up to a matrix of norm `imbalance`: the left side may
    then be smaller by imbalance |w*|^2, and |B|^2 larger by it.
    """
    _check(cosine=cosine, phi=phi, norm=norm, error=error, imbalance=imbalance)

    def reach(root: float) -> float:
        head = (root + error * norm) / cosine
        rest = root + np.sqrt(1 + imbalance + (norm + head) ** 2) * head
        return norm**2 * head * (2 * norm + head) + rest * (2 * norm + rest)

    needed = phi**2 - imbalance * norm**2
    if cosine < TINY or reach(0.0) >= needed:
        return 0.0
    low, high = 0.0, phi  # reach(phi) > phi**2, as the last term alone is
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if reach(middle) < needed else (low, middle)
    return low


def _check(**sizes: float) -> None:
    for name, size in sizes.items():
        real(name, size, 1 if name == "cosine" else LARGEST)


def lower_bound(
    B0: np.ndarray, v0: np.ndarray, v_star: np.ndarray, span: np.ndarray, error: float,
    imbalance: float = 0.0,
) -> float:  # fmt: skip
    """The OOD loss that fine-tuning never goes below; 0 where the bounds say nothing.

    B0 (k, d) and `span` (r, d) have orthonormal rows, `span` those of the training inputs' span.
    `imbalance` is 0 for gradient flow.
    """
    cosine, phi = cosine_outside(B0, span), misalignment(v0, v_star)
    norm = float(np.linalg.norm(v_star))  # |w*|, as the rows of B* are orthonormal
    proved = provable(cosine, phi, norm, error, imbalance)
    return max(min(stated(len(B0), cosine, phi, norm, error), proved), 0.0) ** 2
