"""Zero-shot classification: against plain loops, and honest about unseen concepts."""

import numpy as np
import pytest
import torch

from labkit import data
from labkit.contrastive import zero_shot
from labkit.statistics import mean_interval


def test_the_gallery_holds_unseen_emoji_only(gallery) -> None:
    parts = {data.concepts()[i].part for i in gallery.emoji.concept.tolist()}
    assert parts == set(zero_shot.UNSEEN) and "upstream" not in parts
    assert torch.allclose(gallery.image.norm(dim=1), torch.ones(len(gallery.emoji)))


def test_half_size_is_what_loading_at_32_pixels_gives() -> None:
    big, small = (data.load("fluent", parts="test", size=size).images for size in (64, 32))
    assert (data.half_size(big).int() - small.int()).abs().max() <= 1  # PIL rounds its own way


def test_hits_equal_a_plain_loop_over_prompts(gallery) -> None:
    prompts = [f"{name} x" for name in data.class_names()]
    rows, guess = zero_shot.hits_of(gallery, prompts, "validation")
    with torch.no_grad():
        text = [gallery.clip.embed_captions([prompt])[0] for prompt in prompts]
    for row, found in list(zip(rows.tolist(), guess.tolist(), strict=True))[::37]:
        assert data.concepts()[int(gallery.emoji.concept[row])].part == "validation"
        scores = [float(gallery.image[row] @ t) for t in text]
        assert int(np.argmax(scores)) == found


def test_the_interval_is_over_concepts_not_over_their_styles() -> None:
    hits = torch.tensor([1, 1, 0, 1, 0, 0], dtype=torch.bool)
    concept = torch.tensor([4, 4, 4, 9, 9, 2])
    expected = mean_interval([2 / 3, 1 / 2, 0], overlap=0)
    assert zero_shot.over_concepts(hits, concept) == pytest.approx(expected)


def test_unseen_concepts_are_classified_well_above_chance(gallery) -> None:
    score = zero_shot.accuracy(gallery, data.class_names(), "test")
    shuffled = zero_shot.accuracy(gallery, data.class_names()[::-1], "test")
    assert score.low > 0.25 > shuffled.high


def test_a_prompt_too_few_is_refused(gallery) -> None:
    with pytest.raises(ValueError, match="prompts: got 11, accepted: 12"):
        zero_shot.hits_of(gallery, data.class_names()[1:], "test")


def test_pairs_come_in_random_order_but_together(clip) -> None:
    emoji = data.load("noto", parts="validation")
    image, text = zero_shot.embed_pairs(clip, emoji, torch.Generator().manual_seed(3))
    with torch.no_grad():
        own = clip.embed_captions(emoji.captions)
        pictures = clip.embed_images(emoji.images)
    order = (text @ own.T).argmax(dim=1)
    assert sorted(order.tolist()) == list(range(len(emoji))) != order.tolist()
    assert torch.allclose(image, pictures[order], atol=1e-5)
