"""Write data/checksums.txt, the SHA-256 of every file the lab reads, and show it in README.md.

python data/checksum.py
cd data && sha256sum --check checksums.txt
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from readme import replace_section

FOLDER = Path(__file__).parent


def main() -> None:
    files = [
        f for name in ("emoji", "weights", "fewshot", "sweeps") for f in (FOLDER / name).iterdir()
    ]
    names = sorted(f.relative_to(FOLDER).as_posix() for f in files if f.suffix != ".tmp")
    digests = {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in names}
    text = "\n".join(f"{digest}  {name}" for name, digest in digests.items())
    (FOLDER / "checksums.txt").write_text(text + "\n")
    replace_section("checksums", f"```\n{text}\n```")


if __name__ == "__main__":
    main()
