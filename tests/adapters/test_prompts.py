"""Prompt tuning: where the tokens stand, against blocks written out, and what it counts."""

from __future__ import annotations

import pytest
import torch
from shared import ENCODERS, generator, small_encoder, tiny_task
from torch import nn

from labkit import adapters, training
from labkit.adapters import METHODS, Prompts
from labkit.adapters.parts import parts_of

every_encoder = pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)


@pytest.mark.parametrize("name", ["vpt-shallow", "vpt-deep"])
def test_prompts_stand_before_the_patches_and_are_not_averaged(name: str) -> None:
    """Against the network written out, for this lab's transformer."""
    encoder, x = small_encoder(), torch.rand(2, 3, 16, 16, generator=generator())
    adapters.insert(encoder, METHODS[name], generator())
    tokens = encoder.patches(2 * x - 1).flatten(2).transpose(1, 2) + encoder.position
    for block in encoder.blocks:
        if isinstance(block, adapters.Wrapper):
            tokens = torch.cat([block.prompts.expand(2, -1, -1), tokens[:, -4:]], dim=1)
            block = block.layer
        tokens = block(tokens)
    assert tokens.shape == (2, 8 + 4, 16)
    assert torch.allclose(encoder(x), encoder.norm(tokens[:, 8:]).mean(dim=1), atol=1e-6)


@every_encoder
def test_prompts_follow_the_class_token_and_replace_the_former_ones(make) -> None:
    encoder, seen = make(), []
    adapters.insert(encoder, Prompts(width=3), generator())
    parts = parts_of(encoder)
    for block in parts.blocks_of(encoder):
        block.layer.register_forward_pre_hook(lambda _module, x: seen.append(x[0]))
    encoder(tiny_task().test.images)
    first = parts.class_tokens
    for block, x in zip(parts.blocks_of(encoder), seen, strict=True):
        assert x.shape[1] == 3 + first + 4
        assert torch.equal(x[0, first : first + 3], block.prompts)


@every_encoder
def test_without_all_prompts_the_network_does_what_it_did(make) -> None:
    """And without those of the first block it has those of the others, and no patch less."""
    encoder, images = make(), tiny_task().test.images
    before = training.features(encoder, images)
    adapters.insert(encoder, METHODS["vpt-deep"], generator())
    blocks = tuple(range(len(parts_of(encoder).blocks_of(encoder))))
    cut = adapters.without(encoder, blocks[:1])
    assert adapters.count(cut) == adapters.count(encoder) * (len(blocks) - 1) / len(blocks)
    assert not torch.allclose(training.features(cut, images), before, atol=1e-3)
    assert torch.equal(training.features(adapters.without(encoder, blocks), images), before)


def test_prompts_start_as_in_the_papers_code() -> None:
    encoder = adapters.insert(small_encoder(), Prompts(width=999), generator())
    prompts = encoder.blocks[0].prompts
    bound = (6 / (3 * 8 * 8 + 16)) ** 0.5
    assert 0.99 * bound < prompts.abs().max() <= bound
    assert prompts.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert isinstance(prompts, nn.Parameter) and prompts.dtype == encoder.position.dtype
