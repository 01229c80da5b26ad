"""`with needs():` around imports of packages that only rebuilding the data takes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs() -> Iterator[None]:
    """Say in two lines which package is missing, and how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        sys.exit(f"labkit: {error.name} is missing.\nRun pip install -r data/requirements.txt")
