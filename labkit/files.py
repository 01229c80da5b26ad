"""A file is written whole or not at all: a crash or a full disk leaves what was there before."""

import argparse
import csv
import errno
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
UNWRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file beside `path` to write to; when the block ends well, it takes path's place.

    with replacing(path) as temporary: temporary.write_text("...")

    What is no file, such as /dev/stdout, is written to as it is.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    temporary = path.with_name(path.name + ".tmp")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())  # some disks say only now that they are full
        temporary.replace(path)
    except OSError as error:
        if error.errno and error.filename in (None, str(temporary)):  # say which it was to be
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_csv(path: Path, rows: Iterable[Sequence]) -> None:
    """Write a table, all of it or nothing; the first of `rows` names its columns."""
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def make_folder(folder: Path) -> None:
    """Make a folder to write to; an OSError names it now, rather than after an hour's work."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder.resolve()))


def make_place(path: Path) -> None:
    """`make_folder` for a file; an OSError, too, for a folder that stands in its place."""
    make_folder(path.parent)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))


def explain_os_error(error: OSError, cure: str) -> str:
    """What happened, and what to do. `cure`: the way around a place that cannot be written to."""
    name = f" ({error.filename})" if error.filename else ""
    if error.errno in FULL:
        return f"the disk is full{name}.\nFree some space and run the same command again."
    if error.errno in UNWRITABLE:
        return (
            f"cannot write to {error.filename}.\n"
            f"Copy the lab to a place you may write to, or {cure}."
        )
    return str(error)


def a_path(text: str) -> Path:
    """A command's path; an empty one (of a variable that is not set, say) is refused."""
    if not text:
        raise argparse.ArgumentTypeError("got an empty name, accepted: a path")
    return Path(text)


@contextmanager
def told(option: str, *refusals: type[Exception]) -> Iterator[None]:
    """Around a command: say in two lines that a file cannot be written, or that Ctrl-C was pressed.

    option: the argument that says where to write. refusals: errors that blame what was asked for,
    not our code, and are told without a traceback too.
    """
    try:
        yield
    except OSError as error:
        sys.exit("labkit: " + explain_os_error(error, f"name another with {option}"))
    except refusals as error:
        sys.exit(f"labkit: {error}")
    except KeyboardInterrupt:
        text = "labkit: stopped. Nothing is half-written: run the same command again."
        print(text, file=sys.stderr)
        sys.exit(130)
