"""A file is there whole, or as it was."""

from __future__ import annotations

import pytest

from labkit.files import replacing


def test_a_file_takes_its_place_when_the_block_ends_well(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_it_does_not(tmp_path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="the disk is full"):
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("the disk is full")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
