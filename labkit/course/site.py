"""The course as static pages that are alive without a kernel: for a phone, an archive, any host.

    python -m labkit site               # writes site/; the first time ten to twenty minutes
    python -m labkit site pages 01 06   # two of the notebooks, into pages/

Each notebook is run once, with every panel recorded along each of its controls, and what it gave
is kept in notebooks/.site until the notebook, labkit or the data change. The pages need no server
and no network. To publish them, copy the folder to any host of files, or for GitHub's:
`pip install ghp-import` and `ghp-import -n -p -f site`.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.course import pages
from labkit.course.notebooks import NOTEBOOKS, chosen, read, run_cells, tags
from labkit.files import a_path, make_folder, replacing, told
from labkit.ui import narrow

HERE = Path(__file__).parent
LABKIT = HERE.parent
FRAME = re.compile(r"[0-9a-f]{16}\.(png|webp)")
SECONDS = 3600  # for a cell: one that trains is recorded in some minutes


def executed(path: Path) -> NotebookNode:
    """Run a notebook in its folder, or take what it gave before.

    Raises RuntimeError, with the notebook's name, if it fails or a panel cannot be recorded.
    """
    kept = path.parent / ".site" / f"{path.stem}-{digest(path)}.ipynb"
    if kept.exists():
        return read(kept)
    notebook = read(path)
    went_wrong = run_cells(notebook, path, SECONDS, go_on=False, **{narrow.WANTED: "1"})
    for failed in went_wrong.values():
        raise RuntimeError(f"{path.name} does not run: {failed}")
    for cell in notebook.cells:
        if "panel" not in tags(cell):
            continue
        shown = [x.get("data", {}) | x.get("metadata", {}) for x in cell.outputs]
        if not any(narrow.MIME in x or x.get("alive") for x in shown):
            said = "\n".join(output.get("text", "") for output in cell.outputs).strip()
            raise RuntimeError(f"{path.name} does not run: no picture of {cell.source}: {said}")
    make_folder(kept.parent)
    for old in kept.parent.glob(f"{path.stem}-*.ipynb"):
        old.unlink()
    with replacing(kept) as temporary:
        nbformat.write(notebook, temporary)
    return notebook


def digest(path: Path) -> str:
    """Of all that a notebook's outputs depend on."""
    sources = (file for kind in ("py", "js", "css") for file in LABKIT.rglob(f"*.{kind}"))
    used = sorted(file for file in sources if HERE not in file.parents)
    found = sha256()
    for file in (path, *used, LABKIT.parent / "data" / "checksums.txt"):
        found.update(file.read_bytes())
    return found.hexdigest()[:12]


def write(path: Path, content: str | bytes) -> None:
    content = content.encode() if isinstance(content, str) else content
    if not (path.exists() and path.read_bytes() == content):
        with replacing(path) as temporary:
            temporary.write_bytes(content)


def make(paths: Sequence[Path], folder: Path) -> None:
    """A page for each notebook, index.html, and the pictures that they show."""
    for place in (folder, folder / "frames"):
        make_folder(place)

    def keep(picture: bytes) -> str:  # named by its content: shown twice, it is one file
        kind = "png" if picture.startswith(b"\x89PNG") else "webp"
        name = f"frames/{sha256(picture).hexdigest()[:16]}.{kind}"
        write(folder / name, picture)
        return name

    lessons = [pages.lesson(executed(path), path.stem, keep) for path in paths]
    for own, *ways in zip(lessons, [None, *lessons], [*lessons[1:], None], strict=False):
        write(folder / own.name, pages.page(own, *ways))
    write(folder / "index.html", pages.index(lessons))
    write(folder / "site.css", pages.styles())
    write(folder / "site.js", (pages.HTML / "site.js").read_text(encoding="utf-8"))
    used = "".join(page.read_text(encoding="utf-8") for page in folder.glob("*.html"))
    for picture in (folder / "frames").iterdir():
        if FRAME.fullmatch(picture.name) and picture.name not in used:  # of an earlier run
            picture.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m labkit site")
    parser.add_argument("folder", nargs="?", type=a_path, default=Path("site"))
    parser.add_argument("notebooks", nargs="*", help="how their names begin: 01 06 (default: all)")
    options = parser.parse_args(arguments)
    try:
        with told("`site FOLDER`"):
            make(chosen(NOTEBOOKS, options.notebooks), options.folder)
    except (ValueError, RuntimeError) as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    print(f"labkit: open {options.folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
