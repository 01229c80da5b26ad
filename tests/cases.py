"""How many cases a property is tried on: a few by default, 10,000 with LABKIT_LONG=1."""

import os

from hypothesis import settings

LONG = bool(os.environ.get("LABKIT_LONG"))


def cases(few: int, long: int = 10_000) -> settings:
    """Decorates a property: `few` cases, or `long` in the long mode (fewer where a case trains)."""
    return settings(max_examples=long if LONG else few)
