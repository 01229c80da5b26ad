"""Colour arithmetic against torchvision's, and what the one-matrix approximation keeps of it."""

from itertools import permutations

import pytest
import torch

from labkit import color
from labkit.torchvision_compat import import_torchvision


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blocky(n: int = 24) -> torch.Tensor:
    """Images of flat 4 x 4 squares, among them black, white, grey and pure colours."""
    tiles = torch.rand(n, 3, 4, 4, generator=seeded())
    tiles[: n // 3] = tiles[: n // 3].round()
    tiles[n // 3] = tiles[n // 3, :1]
    return tiles.repeat_interleave(4, 2).repeat_interleave(4, 3)


# ---------------------------------------------------------------- equal to torchvision


@pytest.fixture(scope="module")
def functional():
    import_torchvision()
    from torchvision.transforms.v2 import functional

    return functional


ADJUSTMENTS = ("brightness", "contrast", "saturation", "hue")


def draw_amounts(n: int, seed: int = 0) -> list[torch.Tensor]:
    factors = torch.rand(3, n, generator=seeded(seed)) * 2
    return [*factors, torch.rand(n, generator=seeded(seed + 1)) - 0.5]


@pytest.mark.parametrize("which", range(4), ids=ADJUSTMENTS)
def test_each_adjustment_equals_torchvisions(which, functional):
    images = torch.cat([blocky(), torch.rand(24, 3, 16, 16, generator=seeded())])
    amount = draw_amounts(48)[which]
    theirs = getattr(functional, f"adjust_{ADJUSTMENTS[which]}")
    expected = torch.stack([theirs(x, a.item()) for x, a in zip(images, amount, strict=True)])
    ours = getattr(color, f"adjust_{ADJUSTMENTS[which]}")(images, amount)
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_jitter_in_every_order_equals_torchvisions(functional):
    images, amounts = blocky(n=25), draw_amounts(25)
    orders = torch.arange(-1, 24)
    ours = color.adjust_in_order(images, amounts, orders)
    assert torch.equal(ours[0], images[0])
    for i, order in enumerate(permutations(range(4)), start=1):
        expected = images[i]
        for step in order:
            adjust = getattr(functional, f"adjust_{ADJUSTMENTS[step]}")
            expected = adjust(expected, amounts[step][i].item())
        torch.testing.assert_close(ours[i], expected, rtol=0, atol=2e-4)


def test_luma_equals_torchvisions(functional):
    images = blocky()
    torch.testing.assert_close(color.luma(images), functional.rgb_to_grayscale(images))
    torch.testing.assert_close(color.mean_luma(images), color.luma(images).mean((1, 2, 3)))


# ---------------------------------------------------------------- the approximate colours


def approximate(images: torch.Tensor, amounts: list[torch.Tensor]) -> torch.Tensor:
    matrices, offsets = color.color_matrices(*amounts, color.mean_luma(images))
    return torch.baddbmm(offsets, matrices, images.flatten(2)).clamp(0, 1).view_as(images)


def test_one_matrix_is_exact_where_nothing_is_clipped_and_hue_stays():
    images = 0.35 + 0.3 * blocky()
    factors = [0.8 + 0.4 * x / 2 for x in draw_amounts(24)[:3]]
    amounts = [*factors, torch.zeros(24)]
    exact = color.adjust_in_order(images, amounts, torch.arange(24))
    torch.testing.assert_close(approximate(images, amounts), exact, rtol=0, atol=2e-4)


@pytest.mark.parametrize("turns", [-1 / 3, 1 / 3])
def test_one_matrix_turns_hue_exactly_by_thirds(turns):
    images = blocky()
    amounts = [*torch.ones(3, 24), torch.full((24,), turns)]
    torch.testing.assert_close(approximate(images, amounts), images.roll(round(3 * turns), 1))


def test_one_matrix_comes_close_to_the_exact_jitter():
    """The docstring of `color_matrices` has the numbers on emoji; these images are harder."""
    images = blocky(n=480)
    factors = 0.6 + 0.4 * torch.stack(draw_amounts(480)[:3])
    amounts = [*factors, 0.2 * draw_amounts(480)[3]]
    exact = color.adjust_in_order(images, amounts, torch.arange(480) % 24)
    change = (exact - images).abs().mean()
    assert (approximate(images, amounts) - exact).abs().mean() < 0.3 * change
