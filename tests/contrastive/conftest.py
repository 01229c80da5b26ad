"""The shipped encoders of notebook 03, and the emoji that CLIP has not seen."""

import pytest

from labkit import encoders
from labkit.contrastive import zero_shot


@pytest.fixture(scope="session")
def clip() -> encoders.Clip:
    return encoders.load("clip-words-conv")


@pytest.fixture(scope="session")
def simclr() -> encoders.SimCLR:
    return encoders.load("simclr-conv")


@pytest.fixture(scope="session")
def gallery(clip) -> zero_shot.ClipGallery:
    return zero_shot.embed_gallery(clip)
