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


def markdown(rows: list[dict[str, object]]) -> str:
    """A table of rows that have the same columns."""
    head = [list(rows[0]), ["---"] * len(rows[0])]
    lines = [*head, *([str(value) for value in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
