"""How long SimCLR's augmentations take: ours, torchvision's per image, kornia's batched.

512 images of 32 pixels; random resized crop, flip, colour jitter, grayscale; one thread each, since
threads that wait for a core that another program uses measure that program.
"""

import warnings
from collections.abc import Callable

import pytest
import torch

from labkit.augment import Augmentation
from labkit.torchvision_compat import import_torchvision

pytestmark = pytest.mark.usefixtures("one_thread")
N = 512


@pytest.fixture(scope="module")
def contestants() -> dict[str, Callable[[], torch.Tensor]]:
    """Name -> a function that augments all images."""
    generator = torch.Generator().manual_seed(0)
    tiles = torch.randint(0, 256, (N, 3, 8, 8), generator=generator, dtype=torch.uint8)
    images = tiles.repeat_interleave(4, 2).repeat_interleave(4, 3)
    jitter = {"crop": 0.8, "flip": 0.5, "color": 0.4, "hue": 0.1, "gray": 0.2}
    ours = Augmentation(**jitter, color_probability=1)
    return {
        **torchvision_pipelines(images),
        "kornia, batched": kornia_pipeline(images),
        "ours": lambda: ours(images, generator),
    }


def torchvision_pipelines(images: torch.Tensor) -> dict[str, Callable[[], torch.Tensor]]:
    """Both generations of transforms on PIL images, which is faster for them than tensors."""
    import_torchvision()
    from torchvision import transforms as v1
    from torchvision.transforms import functional, v2

    pictures = [functional.to_pil_image(image) for image in images]

    def steps(version):
        return [
            version.RandomResizedCrop(32, scale=(0.2, 1)),
            version.RandomHorizontalFlip(),
            version.ColorJitter(0.4, 0.4, 0.4, 0.1),
            version.RandomGrayscale(0.2),
        ]

    first = v1.Compose([*steps(v1), v1.ToTensor()])
    second = v2.Compose([*steps(v2), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    return {
        "torchvision v1, per image": lambda: torch.stack([first(x) for x in pictures]),
        "torchvision v2, per image": lambda: torch.stack([second(x) for x in pictures]),
    }


def kornia_pipeline(images: torch.Tensor) -> Callable[[], torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kornia's own, at import
        augmentation = pytest.importorskip("kornia").augmentation
    pipeline = torch.nn.Sequential(
        augmentation.RandomResizedCrop((32, 32), scale=(0.2, 1)),
        augmentation.RandomHorizontalFlip(),
        augmentation.ColorJitter(0.4, 0.4, 0.4, 0.1, p=1.0),  # one order of steps for the batch
        augmentation.RandomGrayscale(p=0.2),
    )
    return lambda: pipeline(images / 255)


def test_ratios(contestants, medians) -> None:
    for run in contestants.values():
        assert run().shape == (N, 3, 32, 32)
    seconds = medians(contestants, 9)
    ours = seconds["ours"]
    assert min(x for name, x in seconds.items() if "torchvision" in name) >= 20 * ours
    assert seconds["kornia, batched"] >= 1.8 * ours
