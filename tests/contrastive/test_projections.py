"""Projections on frozen features: they learn and repeat."""

import pytest
import torch

from labkit import contrastive, data
from labkit.contrastive import projections


@pytest.fixture(scope="module")
def pairs() -> projections.Pairs:
    """A hidden code seen through two random matrices, with offsets: what CLIP's encoders give."""
    generator = torch.Generator().manual_seed(0)
    code = torch.randn(300, 6, generator=generator)
    image, text = (
        code @ torch.randn(6, 20, generator=generator) + torch.randn(20, generator=generator)
        for _ in range(2)
    )
    return projections.Pairs(image, text)


def clip_loss(image, text):
    return contrastive.clip_loss(image, text, 10.0)


def own_first(image, text) -> float:
    return ((image @ text.T).argmax(1) == torch.arange(len(image))).float().mean().item()


def test_training_finds_the_pairs_and_repeats(pairs) -> None:
    before = projections.project(pairs, clip_loss, steps=0, batch=100, dim=8)
    after = projections.project(pairs, clip_loss, steps=100, batch=100, dim=8, lr=0.02)
    again = projections.project(pairs, clip_loss, steps=100, batch=100, dim=8, lr=0.02)
    assert own_first(*before) < 0.1 and own_first(*after) > 0.5
    assert all(torch.equal(a, b) for a, b in zip(after, again, strict=True))
    for x in after:
        assert x.shape == (300, 8) and torch.allclose(x.norm(dim=1), torch.ones(300))


def test_diverging_losses_are_refused(pairs) -> None:
    with pytest.raises(FloatingPointError, match="step 0"):
        projections.project(pairs, lambda i, t: i.sum() * torch.inf, batch=50)


def test_caption_pairs_are_standardised(clip) -> None:
    emoji = data.load("noto", parts="validation")
    pairs = projections.caption_pairs(clip, emoji)
    for x in pairs:
        assert x.mean(dim=0).abs().max() < 1e-4 and not x.requires_grad
        assert x.std(dim=0).max() < 1.001
