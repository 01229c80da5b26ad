"""Rebuild data/emoji/*.webp and captions.csv from the npm packages, pixel for pixel.

    pip install -r data/requirements.txt      # the SVG renderer; npm must be on the PATH
    python data/build_emoji.py                # about four minutes
    cd data && sha256sum --check checksums.txt

`--packages DIR` reuses packages fetched earlier with `npm pack`.
"""

import argparse
import base64
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from needs import needs
from PIL import Image

from labkit.files import a_path, make_folder, replacing, told, write_csv

with needs():
    import resvg_py

OUT = Path(__file__).parent / "emoji"
TILE, COLUMNS = 64, 41  # 41 x 41 tiles hold the 1,644 concepts

# style -> (package, version, SHA-512 of the npm tarball as npm itself records it)
STYLES = {
    "twemoji": ("twemoji", "1.2.5", "uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw=="),
    "noto": ("noto", "1.2.9", "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw=="),
    "blob": ("noto-v1", "1.2.5", "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA=="),
    "openmoji": ("openmoji", "1.2.29", "vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ=="),
    "fluent": ("fluent-emoji", "1.2.7", "D8G6bKAyIsyxP1rzZtIWr/gg/fO4Rg1+DyCWlfqKK4h8W+4Em/Y0P6QYgJUQTlUcagzJvSyg+9OBv4hz4Hc/QA=="),
    "fluent-flat": ("fluent-emoji-flat", "1.2.6", "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw=="),
    "fluent-mono": ("fluent-emoji-high-contrast", "1.2.6", "esqhZPpkrF7sNX3NsLoh8KW64okEr/bzko7WNnFP+qTJGAqDPDYjp0925yxuivXy3HtVQB8xhIKu3+Nq1byX5w=="),
    "emojione": ("emojione", "1.2.3", "T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg=="),
    "emojione-v1": ("emojione-v1", "1.2.3", "UjI2VQEXVtGlPBvQuxEizro7QCgBcJDOYwKUupquvvZ8UV4xOlvm45IU82JYWegiAWLerY79gFLMZ26U6Ms+ww=="),
    "emojione-mono": ("emojione-monotone", "1.2.1", "cZSNcPsuiAD6HCzCh/2dYKGh3pNI0jJlxBxQWfC33cQsPtqYZqulGBvlkThXYNvDl8VxgVHT9u+izyX/yeEIkA=="),
}  # fmt: skip
TEXTS = {
    "names": ("unicode-emoji-json", "0.9.0", "HdrQW/7SdbXUsTd8uTATv7LvQJkCSgbAgRCDCtOhQ6xn3EAx+xZHQtRniOXWJK3ywIqPegkNhP4U4EbuFsiQng=="),
    "keywords": ("emojilib", "4.0.3", "KbWiYre9aRSaPbHrHZIz9zmoM+21LAsK1VFJtnTh1VCtWE/rNMDviGhQTmselFl95dhqtGlY22iH0leG5BuW0g=="),
    "subgroups": ("emojibase-data", "17.0.0", "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA=="),
}  # fmt: skip


# Name-only styles in which this name belongs to another concept's drawing (looked at, by hand):
# the old sets have the game of cricket under the insect's name, and one "up" button for two.
MISNAMED = {
    (style, name)
    for style in ("emojione", "emojione-v1", "emojione-mono", "blob")
    for name in ("cricket", "upwards button", "UP! button")
}


def fetch(package: str, version: str, sha512: str, folder: Path) -> tarfile.TarFile:
    """Return the opened npm tarball, downloaded unless `folder` has it, and verified."""
    path = folder / f"{package.removeprefix('@').replace('/', '-')}-{version}.tgz"
    if not path.exists():
        subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=folder, check=True)
    found = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    if found != sha512:
        raise SystemExit(f"{path.name}: SHA-512 is {found}, expected {sha512}")
    return tarfile.open(path)


def read_json(archive: tarfile.TarFile, name: str):
    return json.load(archive.extractfile(f"package/{name}"))


def bare(emoji: str) -> str:
    """Drop the invisible 'draw me in colour' marks, which the sources use differently."""
    return emoji.replace("\ufe0f", "")


def code_points(emoji: str) -> str:
    return "-".join(f"{ord(char):04x}" for char in bare(emoji))


def read_concepts(folder: Path) -> list[dict]:
    """Every emoji that is not a flag: its name, other names, keywords, group and subgroup."""
    aliases = read_aliases(folder)
    names = read_json(fetch(*TEXTS["names"], folder), "data-by-emoji.json")
    keywords = read_json(fetch(*TEXTS["keywords"], folder), "dist/emoji-en-US.json")
    base = fetch(*TEXTS["subgroups"], folder)
    titles = read_json(base, "meta/groups.json")["subgroups"]
    subgroup = {
        bare(entry["emoji"]): titles[str(entry["subgroup"])]
        for entry in read_json(base, "en/data.json")
        if "subgroup" in entry
    }
    return [
        {
            "emoji": emoji,
            "name": info["name"],
            "slug": info["slug"].replace("_", "-"),
            "aliases": aliases.get(code_points(emoji), []),
            "keywords": "|".join(word.replace("_", " ") for word in keywords.get(emoji, [])[1:]),
            "group": info["group"],
            "subgroup": subgroup[bare(emoji)],
        }
        for emoji, info in names.items()
        if info["group"] != "Flags"
    ]


def resolve(icons: dict, name: str) -> tuple[dict, bool] | None:
    """Follow aliases to an icon; the flag says whether the alias mirrors it left to right."""
    mirrored = False
    while name not in icons["icons"]:
        alias = icons.get("aliases", {}).get(name)
        if alias is None:
            return None
        if alias.get("vFlip") or alias.get("rotate"):
            raise SystemExit(f"{name}: this script handles mirrored aliases only, not {alias}")
        mirrored ^= bool(alias.get("hFlip"))
        name = alias["parent"]
    return icons["icons"][name], mirrored


def read_aliases(folder: Path) -> dict[str, list[str]]:
    """Code points -> every name any package has for them (Unicode has renamed some emoji)."""
    names: dict[str, list[str]] = {}
    for package, version, sha512 in STYLES.values():
        archive = fetch(f"@iconify-json/{package}", version, sha512, folder)
        for points, name in read_json(archive, "chars.json").items():
            names.setdefault(points, []).append(name)
    return names


def find(icons: dict, own: dict[str, str], concept: dict) -> tuple[dict, bool] | None:
    """The style's icon for a concept: by its own code points where listed, else by any name."""
    names = [own.get(code_points(concept["emoji"])), concept["slug"], *concept["aliases"]]
    icons_found = (resolve(icons, name) for name in names if name)
    return next((icon for icon in icons_found if icon is not None), None)


def rasterise(icons: dict, icon: dict, mirrored: bool) -> Image.Image:
    """Draw one icon centred on a white TILE x TILE square, keeping its proportions."""
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    left, top = icon.get("left", 0), icon.get("top", 0)
    side = max(width, height)
    view = f"{left - (side - width) / 2:g} {top - (side - height) / 2:g} {side:g} {side:g}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{TILE}" height="{TILE}" viewBox="{view}">{icon["body"]}</svg>'
    )
    png = resvg_py.svg_to_bytes(svg_string=svg, background="#ffffff", skip_system_fonts=True)
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image


def build_sheet(style: str, concepts: list[dict], folder: Path) -> set[int]:
    """Write one style's sheet; return the positions of the concepts it has."""
    package, version, sha512 = STYLES[style]
    archive = fetch(f"@iconify-json/{package}", version, sha512, folder)
    icons, chars = read_json(archive, "icons.json"), read_json(archive, "chars.json")
    sheet = Image.new("RGB", (COLUMNS * TILE, COLUMNS * TILE), "white")
    found = set()
    for position, concept in enumerate(concepts):
        match = find(icons, chars, concept)
        if match is not None and (style, concept["name"]) not in MISNAMED:
            row, column = divmod(position, COLUMNS)
            sheet.paste(rasterise(icons, *match), (column * TILE, row * TILE))
            found.add(position)
    with replacing(OUT / f"{style}.webp") as temporary:
        sheet.save(temporary, "WEBP", lossless=True, quality=100, method=6)
    print(f"{style:14} {len(found)} images", flush=True)
    return found


def write_captions(concepts: list[dict], have: dict[str, set[int]]) -> None:
    """One readable line per concept; `styles` lists the sheets that show it."""
    fields = ["position", "emoji", "name", "keywords", "group", "subgroup", "styles"]
    rows: list[list] = [fields]
    for position, concept in enumerate(concepts):
        styles = " ".join(style for style in STYLES if position in have[style])
        row = {**concept, "position": position, "styles": styles}
        rows.append([row.get(field, "") for field in fields])
    write_csv(OUT / "captions.csv", rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=a_path, help="folder with (or for) the npm tarballs")
    folder = parser.parse_args().packages
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor() as pool:
        folder = folder or Path(temporary)
        make_folder(folder)
        concepts = read_concepts(folder)
        OUT.mkdir(exist_ok=True)
        found = pool.map(lambda style: build_sheet(style, concepts, folder), STYLES)
        write_captions(concepts, dict(zip(STYLES, found, strict=True)))


if __name__ == "__main__":
    with told("--packages", subprocess.CalledProcessError):
        main()
