"""Keep the measured parts of data/README.md equal to what the scripts measured."""

from pathlib import Path

from labkit.files import replacing

README = Path(__file__).parent / "README.md"


def replace_section(name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`; all of it or nothing."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, rest = README.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    with replacing(README) as temporary:
        temporary.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")
