"""Write data/checksums.txt, the SHA-256 of every file the lab reads, and show it in README.md.

python data/checksum.py
cd data && sha256sum --check checksums.txt
"""

import argparse
import hashlib
from pathlib import Path

from readme import replace_section

from labkit.files import replacing

FOLDER = Path(__file__).parent


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    folders = ("emoji", "icons", "words", "weights", "fewshot", "sweeps", "scenes")
    files = [f for name in folders for f in (FOLDER / name).iterdir()]
    files = [f for f in files if not f.name.startswith(".")]  # macOS leaves a .DS_Store
    unfinished = (".tmp", ".checkpoint.safetensors")
    names = sorted(
        f.relative_to(FOLDER).as_posix() for f in files if not f.name.endswith(unfinished)
    )
    digests = {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in names}
    text = "\n".join(f"{digest}  {name}" for name, digest in digests.items())
    with replacing(FOLDER / "checksums.txt") as temporary:
        temporary.write_text(text + "\n")
    replace_section("checksums", f"```\n{text}\n```")


if __name__ == "__main__":
    main()
