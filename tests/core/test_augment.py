"""What each augmentation preserves, and what it must equal."""

import math
from dataclasses import replace

import pytest
import torch
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from seeds import generator

from labkit.augment import (
    CLIP,
    SIMCLR,
    Augmentation,
    affine_box,
    blur,
    color_matrices,
    mean_luma,
    warp,
)
from labkit.torchvision_compat import import_torchvision

few = cases(20)


def random_affine(images, generator, **fields):
    return Augmentation(**fields)(images, generator)


def color_jitter(images, generator, color=0.4, hue=0.1, probability=1.0, gray=0.0):
    change = Augmentation(color=color, hue=hue, color_probability=probability, gray=gray)
    return change(images, generator)


def gaussian_blur(images, generator, sigma, probability=1.0):
    return Augmentation(blur=sigma, blur_probability=probability)(images, generator)


def random_tint(images, generator, probability):
    return Augmentation(tint=probability)(images, generator)


def blocky(n: int = 24, height: int = 16, width: int = 16, seed: int = 0) -> torch.Tensor:
    """Images of flat 4 x 4 squares, among them black, white, grey and pure colours."""
    tiles = torch.rand(n, 3, height // 4, width // 4, generator=generator(seed))
    tiles[: n // 3] = tiles[: n // 3].round()
    tiles[n // 3] = tiles[n // 3, :1]
    return tiles.repeat_interleave(4, 2).repeat_interleave(4, 3)


ALL = {
    "affine": lambda x, g: random_affine(x, g, crop=0.7, rotate=30, zoom=0.3, shift=0.1, flip=0.5),
    "flip": lambda x, g: random_affine(x, g, flip=0.5),
    "jitter": lambda x, g: color_jitter(x, g, gray=0.2),
    "blur": lambda x, g: gaussian_blur(x, g, 2.0),
    "tint": lambda x, g: random_tint(x, g, 1.0),
    "SIMCLR": SIMCLR,
    "SIMCLR, blurred": replace(SIMCLR, blur=1.0),
    "CLIP": CLIP,
}
OFF = {
    "affine": lambda x, g: random_affine(x, g),
    "jitter": lambda x, g: color_jitter(x, g, 0, 0),
    "jitter, nobody": lambda x, g: color_jitter(x, g, 1, 0.5, probability=0),
    "blur": lambda x, g: gaussian_blur(x, g, 0),
    "blur, nobody": lambda x, g: gaussian_blur(x, g, 2, probability=0),
    "tint": lambda x, g: random_tint(x, g, 0),
    "all": Augmentation(),
}
every = pytest.mark.parametrize("change", ALL.values(), ids=ALL)


@every
@pytest.mark.parametrize("shape", [(24, 16, 16), (5, 8, 12), (1, 16, 16), (0, 8, 8)], ids=str)
def test_shape_type_and_range_are_kept(change, shape):
    images = (blocky(30, *shape[1:])[: shape[0]] * 255).to(torch.uint8)
    out = change(images, generator())
    assert out.shape == images.shape
    assert out.dtype == torch.float32
    assert out.numel() == 0 or 0 <= out.min() <= out.max() <= 1


@every
def test_only_the_given_generator_decides_for_each_image_and_no_input_changes(change):
    images, state = blocky(), torch.get_rng_state()
    before = images.clone()
    first, again = change(images, generator(1)), change(images, generator(1))
    assert torch.equal(first, again) and torch.equal(images, before)
    assert not torch.equal(first, change(images, generator(2)))
    assert torch.equal(torch.get_rng_state(), state), "the global generator is left alone"
    same = images[8:9].expand(32, 3, 16, 16)
    assert len(change(same, generator()).unique(dim=0)) > 1, "each image draws its own"


@every
def test_bytes_and_floats_mean_the_same(change):
    images = (blocky() * 255).to(torch.uint8)
    expected = change(images, generator())
    for floats in (images / 255, (images.double() / 255)):
        torch.testing.assert_close(change(floats, generator()), expected)


@pytest.mark.parametrize("change", OFF.values(), ids=OFF)
def test_strength_zero_changes_nothing(change):
    images = (blocky() * 255).to(torch.uint8)
    assert torch.equal(change(images, generator()), images.to(torch.float32) / 255)


def test_what_comes_out_is_never_what_went_in():
    images = blocky()
    Augmentation()(images, generator()).zero_()
    assert torch.equal(images, blocky())


@pytest.mark.parametrize("n", [255, 256, 257, 600])
def test_a_large_batch_keeps_its_order(n):
    images = torch.arange(n).div(n)[:, None, None, None].expand(n, 3, 4, 4)
    out = Augmentation(flip=0.5, rotate=10, fill=0.5)(images, generator())
    torch.testing.assert_close(out[:, :, 1:3, 1:3], images[:, :, 1:3, 1:3])


@given(seed=st.integers(0, 2**32))
@few
def test_a_flip_undone_by_the_same_draws_is_the_image(seed):
    images = blocky(seed=seed)
    once = random_affine(images, generator(seed), flip=0.5)
    assert torch.equal(random_affine(once, generator(seed), flip=0.5), images)
    mirrored = (once != images).flatten(1).any(1)
    assert torch.equal(once[mirrored], images[mirrored].flip(3))


def test_probabilities_are_kept():
    two = torch.tensor([0.0, 1.0]).expand(4000, 3, 2, 2)
    share = random_affine(two, generator(), flip=0.3)[:, 0, 0, 0].mean().item()
    assert share == pytest.approx(0.3, abs=0.03)
    certain = random_affine(two, generator(), zoom=1e-9, flip=1.0)
    torch.testing.assert_close(certain, two.flip(3))
    images = blocky(n=9)[5:6].expand(2000, 3, 16, 16)
    changed = color_jitter(images, generator(), probability=0.3) - images
    share = (changed.abs().amax((1, 2, 3)) > 1e-4).float().mean().item()
    assert share == pytest.approx(0.3, abs=0.03)


def numbers(*values: float) -> list[torch.Tensor]:
    return [torch.tensor([value]) for value in values]


@pytest.mark.parametrize("fill", [0.0, 0.4, 1.0])
def test_fill_lies_outside_the_image(fill):
    images = torch.full((8, 3, 8, 8), fill)
    for change in ({"shift": 0.5}, {"rotate": 90}, {"zoom": 1.0}):
        torch.testing.assert_close(random_affine(images, generator(), **change, fill=fill), images)
    outside = affine_box(*numbers(9, 0, 1, 1, 0), aspect=1).expand(8, 2, 3)
    assert torch.equal(warp(blocky(8, 8, 8), outside, fill), images)
    assert Augmentation().fill == 1.0  # white


def test_a_crop_keeps_its_share_of_the_area():
    ramp = torch.linspace(0, 1, 64).expand(500, 3, 64, 64)
    for crop in (0.2, 0.8):
        along_x = random_affine(ramp, generator(), crop=crop)
        along_y = random_affine(ramp.mT, generator(), crop=crop)
        width = (along_x[:, 0, 32, 48] - along_x[:, 0, 32, 16]) * 63 / 32
        height = (along_y[:, 0, 48, 32] - along_y[:, 0, 16, 32]) * 63 / 32
        # A side that would be longer than the image is clipped to it.
        assert (width * height).min() > (1 - crop) * math.sqrt(3 / 4) - 0.01
        assert (width * height).max() < 1.01
        assert (width * height).mean() == pytest.approx(1 - crop / 2, abs=0.06)
        assert (width / height).log().abs().max() < math.log(4 / 3) + 0.01


def test_a_crop_stays_inside_the_image():
    images = torch.zeros(64, 3, 16, 16)
    assert not random_affine(images, generator(), crop=0.9, fill=1.0).any()


def test_without_fill_the_edge_is_repeated():
    images = blocky()
    outside = affine_box(*numbers(9, 0, 1, 1, 0), aspect=1).expand(len(images), 2, 3)
    torch.testing.assert_close(warp(images, outside, None), images[..., -1:].expand_as(images))
    assert Augmentation(shift=0.5, fill=None)(torch.zeros(9, 3, 8, 8), generator()).max() == 0


def test_gray_images_have_equal_channels_and_keep_their_luma():
    images = blocky()
    out = color_jitter(images, generator(), 0, 0, gray=1.0)
    torch.testing.assert_close(out, out[:, :1].expand_as(out), atol=1e-6, rtol=0)
    torch.testing.assert_close(mean_luma(out), mean_luma(images), atol=2e-4, rtol=0)
    some = color_jitter(images, generator(), 0, 0, gray=0.5)
    is_gray = ((some - some[:, :1]).abs() < 1e-6).flatten(1).all(1)
    assert 0 < is_gray.sum() < len(images)
    torch.testing.assert_close(some[~is_gray], images[~is_gray])


def test_tint_turns_black_into_a_colour_and_leaves_white_and_colours_alone():
    images = blocky()
    images[:8] = images[:8, :1].round()  # black and white
    out = random_tint(images, generator(), 1.0)
    assert not torch.equal(out[:8], images[:8])
    white = (images[:8] == 1).all(dim=1)
    for image, is_white in zip(out[:8], white, strict=True):
        torch.testing.assert_close(image[:, is_white], torch.ones_like(image[:, is_white]))
        assert len(image[:, ~is_white].T.unique(dim=0)) == 1, "one colour each"
    own = (images.amax(dim=1) - images.amin(dim=1)).flatten(1).amax(dim=1) > 0.02
    assert own.sum() > 10 and torch.equal(out[own], images[own])
    half = random_tint(images[:8].repeat(20, 1, 1, 1), generator(), 0.5)
    kept = (half == images[:8].repeat(20, 1, 1, 1)).flatten(1).all(dim=1).float().mean()
    assert 0.3 < kept < 0.7


def test_jitter_moves_no_pixel():
    """What was one flat colour stays one flat colour."""
    out = color_jitter(blocky(), generator()).unfold(2, 4, 4).unfold(3, 4, 4)
    torch.testing.assert_close(out.amax((4, 5)), out.amin((4, 5)))


def test_hue_alone_leaves_gray_images_gray():
    gray = blocky()[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(color_jitter(gray, generator(), color=0, hue=0.5), gray)


def test_blur_keeps_flat_images_and_softens_others():
    flat = torch.rand(8, 3, 1, 1, generator=generator()).expand(8, 3, 12, 12)
    torch.testing.assert_close(gaussian_blur(flat, generator(), 3.0), flat)
    images = blocky()
    assert (gaussian_blur(images, generator(), 2.0).var((2, 3)) <= images.var((2, 3)) + 1e-6).all()


@pytest.fixture(scope="module")
def functional():
    import_torchvision()
    from torchvision.transforms.v2 import functional

    return functional


def test_jitter_draws_what_it_says():
    """Read the drawn amounts back from images on which only one of them shows."""
    grey = torch.full((2000, 3, 2, 2), 0.5)  # contrast, saturation and hue leave it alone
    factor = color_jitter(grey, generator(), color=0.4, hue=0.1)[:, 0, 0, 0] / 0.5
    assert factor.min() == pytest.approx(0.6, abs=0.01)
    assert factor.max() == pytest.approx(1.4, abs=0.01)
    assert factor.mean() == pytest.approx(1, abs=0.02)


def jitter(images, brightness, contrast, saturation, turns):
    """What an augmentation does with the amounts that it drew, each (n,)."""
    matrices, offsets = color_matrices(brightness, contrast, saturation, turns, mean_luma(images))
    return torch.baddbmm(offsets, matrices, images.flatten(2)).clamp(0, 1).view_as(images)


@pytest.mark.parametrize("turns", [-1 / 3, 1 / 3])
def test_one_matrix_turns_hue_exactly_by_thirds(turns):
    images = blocky()
    turned = jitter(images, *torch.ones(3, 24), torch.full((24,), turns))
    torch.testing.assert_close(turned, images.roll(round(3 * turns), 1))


@pytest.mark.parametrize(
    ("hue", "low", "tolerance"),
    [(0.0, 0.35, 1e-4), (0.0, 0.0, 0.15), (0.1, 0.0, 0.3)],
    ids=["nothing clipped", "clipped", "hue"],
)
def test_jitter_comes_close_to_torchvisions(hue, low, tolerance, functional):
    """Mean difference, as a share of what torchvision changes. Exact where nothing is clipped and
    hue stays; the docstring of `color_matrices` has the numbers on emoji, which are easier.
    """
    images = low + (1 - 2 * low) * blocky(n=240)
    g = generator(3)
    spread = 0.2 if low else 0.4
    factors = 1 + spread * (2 * torch.rand(3, 240, generator=g) - 1)
    turns = hue * (2 * torch.rand(240, generator=g) - 1)
    names = ("brightness", "contrast", "saturation", "hue")
    expected = []
    for image, *amounts in zip(images, *factors, turns, strict=True):
        for step in torch.randperm(4, generator=g).tolist():
            image = getattr(functional, f"adjust_{names[step]}")(image, amounts[step].item())
        expected.append(image)
    expected = torch.stack(expected)
    change = (expected - images).abs().mean()
    assert (jitter(images, *factors, turns) - expected).abs().mean() < tolerance * change


@pytest.mark.parametrize("shape", [(16, 16), (8, 12)], ids=str)
def test_blur_equals_torchvisions(shape, functional):
    images = torch.rand(6, 3, *shape, generator=generator())
    sigmas = torch.tensor([0.1, 0.3, 0.7, 1.0, 1.5, 2.0])
    pairs = zip(images, sigmas.tolist(), strict=True)
    expected = torch.stack([functional.gaussian_blur(x, [9, 9], [sigma]) for x, sigma in pairs])
    torch.testing.assert_close(blur(images, sigmas, radius=4), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("height, radius", [(1, 0), (3, 2)])
def test_a_flat_image_is_blurred_along_its_rows(height, radius, functional):
    images, kernel = torch.rand(2, 3, height, 30, generator=generator()), [2 * radius + 1, 13][::-1]
    expected = functional.gaussian_blur(images, kernel, [2.0, 2.0])
    found = blur(images, torch.full((2,), 2.0), radius=6)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("degrees, zoom, x, y", [(0, 1, 3, -2), (25, 1, 0, 0), (-70, 1.3, 2, 4)])
@pytest.mark.parametrize("shape", [(16, 16), (16, 24)], ids=str)
def test_affine_equals_torchvisions(degrees, zoom, x, y, shape, functional):
    image = torch.rand(1, 3, *shape, generator=generator())
    bilinear = functional.InterpolationMode.BILINEAR
    expected = functional.affine(image, degrees, [x, y], zoom, [0, 0], bilinear)
    # torchvision moves the picture; we move the box we look through, so all is inverse.
    angle, (height, width) = -math.radians(degrees), shape
    dx = -(math.cos(angle) * x - math.sin(angle) * y) / zoom
    dy = -(math.sin(angle) * x + math.cos(angle) * y) / zoom
    box = affine_box(
        *numbers(2 * dx / width, 2 * dy / height, 1 / zoom, 1 / zoom, angle), width / height
    )
    torch.testing.assert_close(warp(image, box, fill=0), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("top, left, height, width", [(0, 0, 16, 16), (3, 5, 9, 10), (8, 0, 8, 6)])
def test_resized_crop_equals_torchvisions(top, left, height, width, functional):
    image = torch.rand(1, 3, 16, 16, generator=generator())
    expected = functional.resized_crop(image, top, left, height, width, [16, 16], antialias=False)
    center_x, center_y = (2 * left + width) / 16 - 1, (2 * top + height) / 16 - 1
    box = affine_box(*numbers(center_x, center_y, width / 16, height / 16, 0), aspect=1)
    ours = warp(image, box, fill=None)
    # At a crop's edge torchvision repeats its last pixel; ours sees what lies beyond in the image.
    inner = slice(None) if height == 16 else slice(2, -2)
    torch.testing.assert_close(
        ours[:, :, inner, inner], expected[:, :, inner, inner], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    "name, strength",
    [("crop", 0.5), ("rotate", 20), ("zoom", 0.3), ("shift", 0.2), ("flip", 1.0)]
    + [("color", 0.5), ("hue", 0.2), ("gray", 1.0), ("tint", 1.0), ("blur", 2.0)],
)
def test_each_field_switches_its_own_change(name, strength):
    images = blocky()
    assert not torch.equal(Augmentation(**{name: strength})(images, generator()), images)


GEOMETRY = {"crop": 0.5, "rotate": 20, "zoom": 0.3, "shift": 0.2, "flip": 1.0, "blur": 2.0}


@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry_leaves_colors_alone(name):
    gray = torch.full((16, 3, 8, 8), 0.25)
    change = Augmentation(**{name: GEOMETRY[name]}, fill=0.25)
    torch.testing.assert_close(change(gray, generator()), gray)


def test_captions_keep_their_meaning():
    assert CLIP.flip == CLIP.hue == CLIP.crop == 0
    assert SIMCLR.flip > 0
    with pytest.raises(AttributeError):
        CLIP.flip = 0.5


@every
def test_a_seed_is_no_generator(change):
    with pytest.raises(TypeError, match="^generator: got int, accepted: a torch.Generator"):
        change(blocky(), 0)


@every
def test_another_default_type_changes_nothing(change):
    images = blocky()
    expected = change(images, generator())
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(change(images, generator()), expected)
    finally:
        torch.set_default_dtype(torch.float32)
