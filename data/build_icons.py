"""Rebuild data/icons/*.webp and icons.csv from the npm packages, pixel for pixel.

    pip install -r data/requirements.txt      # the SVG renderer; npm must be on the PATH
    python data/build_icons.py                # about two minutes
    cd data && sha256sum --check checksums.txt

`--packages DIR` reuses packages fetched earlier with `npm pack`.
"""

import argparse
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError

import icon_rules
import numpy as np
import torch
from build_emoji import fetch, rasterise, read_json
from PIL import Image

from labkit.data import ICON_COLUMNS
from labkit.files import a_path, make_folder, replacing, told, write_csv

OUT = Path(__file__).parent / "icons"
SIDE = 32
OPEN = {"Apache-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC0-1.0", "MIT"}


@dataclass(frozen=True)
class Package:
    """One icon set on npm, and which of its icons are no pictures."""

    version: str
    sha512: str  # of the tarball, as npm itself records it
    only: str = ""  # the ending of the one variant that is taken, where a set has several
    categories: str = ""  # those left out, as its metadata names them, divided by |


SETS = {
    "mdi": Package(
        "1.2.3", "O3cLwbDOK7NNDf2ihaQOH5F9JglnulNDFV7WprU2dSoZu3h3cWH//h74uQAB87brHmvFVxIOkuBX2sZSzYhScg==",
        categories="Alpha / Numeric|Arrange|Arrow|Brand / Logo|Form|Math|Shape|Text / Content / Format"
        "|Tooltip|Vector",
    ),
    "game-icons": Package("1.2.4", "/HDDZxowXgDJcOEwPspUCq5RuDdl25OyZKdtxqqiPJQNTrWIym7r4StLzIVs77DyNzOWWhH5wDqwYR3WHeDfkg=="),
    "healthicons": Package(
        "1.2.13", "1c6nzjXoYBHwFqckX4Jb0PIReOzm3FZ4hWHNz/YYw1yL7QRBTeolh+S4kWpjWVa8hn9oJjgdFv0fyd8ERcRiEA==",
        categories="Shapes|Typography",
    ),
    "icon-park": Package(
        "1.2.4", "S8fVl49LG/M9hvwb7ruFGInK21AHMv3IJehOJRJgXPLE39OOCP3wbfTWjro/XzsjxRwdvX/lYdGetFOZI0TaJQ==",
        categories="Abstract|Arrows|Brand|Character|Components|Edit|Graphics",
    ),
    "fluent-color": Package("1.2.21", "VETjGx7BMpVsCR3HV5g5t6oBGZ92XKzIRClS5xUvDn1YHAkQTF9OyF/aFdtxYOC8JROoI1SNO/Ql6jZeK7mroA=="),
    "streamline-freehand-color": Package("1.2.2", "ql3aN0gPHIClR74SkG89oykRB1LxmwhIWYDM425bVsoZRNhl2uHtNMmIs6CADrCcyhdNQwtieaj49BIT0Idu5A=="),
    "streamline-kameleon-color": Package("1.2.2", "6vFS3ILSmy3w6R1v2nVolNFf9pLuUihOUqyUNVXp0HliWIR6RpJIsWue0Fc6MVri7wde+SWzMJeLAXWU3zE43g=="),
    "streamline-plump-color": Package("1.2.2", "nMLbsfwKt/IJCUDpndY7sW5aZsFUOhQGS2Jdeap+CAfbQMDIzsyEHqe8m3u65wM23q1jBlWoblE7oUXukcvTvw==", only="flat"),
    "streamline-stickies-color": Package("1.2.2", "OisPU3Q/VMAHTtJbzRa2lmK8UN+n7D5US0txeL488yrEmoALvRerzIOS8zTNiojNDghJ2/6cp0eh5IK4ezukpA=="),
    "streamline-ultimate-color": Package(
        "1.2.2", "NAbD3xLtg3069865B5CLUulp/eowPNCiDfJBxVAmA+LKLPpxU7EIEJ2+mSfWriPd+ahORWyqjRnoPVkTJopEgg==",
        categories="ArrowsDiagrams|Logos",
    ),
    "temaki": Package("1.2.6", "WqLjY9XW3y3OO4OemOhDldloN6MCHPwM0psmlsSrLMDzsVgODr7LsktBwLfYlOwNoMaUNPOrqp66jaMBAQDaDg=="),
    "flat-color-icons": Package("1.2.3", "KcmJ7CY0TKFv5GuBjiS4/v++jEcNXna1jfY+yq014tnw/MN/jMI2oYpoMHGuIpYtUqDu7eove+WySnOYO8nS3w=="),
    "maki": Package("1.2.5", "ZSeyytU+a720d/mX+XXQicmKGgFTFK4yDvhlK9NUnWjc8jChujwb8bJLfhhp65BYDyq/1lIbeAimQPuVwMyxAg=="),
    "fa6-solid": Package(
        "1.2.4", "LmDNNdJVyvF5mPm1yxWvL8KjCc/E8LzoqnF1LNTVpyY2ZJRUlGOWuPIThdbuFBF2IovgttkIyumhyqfmlHdwKg==",
        categories="Arrows|Editors|Mathematics|Spinners|Toggle",
    ),
    "ph": Package("1.2.2", "PgkEZNtqa8hBGjHXQa4pMwZa93hmfu8FUSjs/nv4oUU6yLsgv+gh9nu28Kqi8Fz9CCVu4hj1MZs9/60J57IzFw==", only="fill"),
    "solar": Package(
        "1.2.13", "/ZWb6xRib6pzxD/qTkKWYhuzSU2yu0bY+EN0spgtz1NM3d5f4eYueQZpL3PfCdsg5uVfm4Ldtt3cAyQL+YI8/Q==", only="bold",
        categories="Arrows|Arrows Action|Faces|List|Text Formatting",
    ),
    "streamline-color": Package("1.2.2", "+ypc4kzeKTFbHVM2uNWFqt1iR7E4XeMTI3Wa3LcmeHLPjyk6u6e9NJqqOHUU02rpA8GaN80XHySXzX+4DuZbzA==", only="flat"),
    "streamline-flex-color": Package("1.2.2", "EphxHZHzxcR2B8AU7skOnq27cuOoZDzn69EzLysRkN+Nla7tyqF0eacsFCk70t2T9BhT3LBy9GgGeY3+Db2KPQ==", only="flat"),
    "streamline-cyber-color": Package("1.2.2", "Q7Lx72uUlMGY0+nKqxAal6N3aVRRKipH/R3BEGNLuxG3A2t0N6Mh8sYX+6puJaDPcj37pEFgjM+G3n+FwM7QYw=="),
}  # fmt: skip

# Words that make an icon a variant of another, or a firm's mark; and those of which the whole name of
# a glyph of an interface is made.
VARIANT = set("duo duotone negative disabled disable off outline slash twotone".split())
GLYPH = set("""
    add align alignment ampersand angle anticlockwise arrow asterisk back bar bold border bottom
    box braces bracket brackets cancel caret center check cheveron chevron circle clockwise
    close code collapse column columns cursor dash delete divide dot double down drag edge edit
    eject ellipsis end equals exclamation exclude expand fat filter font form format forward
    fullscreen function grid group hash hashtag height horizontal indent infinity intersect
    intersection italic justify kerning large layout left line link list long maximize medium
    menu minimize minus more move narrow next notdef number numeric one page pagination
    paragraph parentheses pause percent play plus previous question quote rectangle redo refresh
    reload remove repeat resize right rotate round rounded row rows scroll search select
    selection setting short shuffle simple size small sort split square start stop subtract swap
    swipe text three tick to toggle top trademark transform tty two underline undo unfold up
    user vertical view wide width xmark zoom
""".split())  # fmt: skip
BRAND = set("""
    adobe adsense airbnb airplay alipay amazon android angular bbc behance bitcoin bluetooth
    chatgpt chrome cloudflare css debian democrat discord dribbble dropbox ethereum evernote
    facebook figma firebase firefox git github gitlab gmail google gopro html imdb instagram ios
    ipad iphone java javascript jobs kickstarter kindle kirby lastfm lego linkedin linux
    litecoin logo mario mastercard megaman messenger meta microsoft monero namecoin netflix
    nodejs nokia nook npm opera pacman paypal php pinterest playstation python qq quora reddit
    republican ripple safari shopify skype slack snapchat spotify steam steve stripe stumbleupon
    telegram tesla tetris tiktok tumblr twitch twitter uber ubuntu vesus viber vimeo visa vk vlc
    wechat weibo whatsapp wifi wikipedia windows wordpress xbox xing yahoo yelp youtube
""".split())  # fmt: skip
NUMBER = re.compile(r"\d+(px)?|one|two|three|four|five|x\d+")


def parts_of(name: str) -> list[str]:
    return [part for part in re.split(r"[-_ ]", name.lower()) if part]


def caption_of(name: str, only: str) -> str:
    """An icon's name in plain words: no numbers, no name of its variant."""
    dropped = {only, "variant", "color", "alt", "i"}
    return " ".join(p for p in parts_of(name) if p not in dropped and not NUMBER.fullmatch(p))


def order(name: str) -> tuple:
    """Which icon of one caption is taken: the plain name, else the first number, or 32 pixels."""
    numbers = [int(digits) for digits in re.findall(r"\d+", name)]
    return (len(parts_of(name)), SIDE not in numbers, numbers, name)


def pictures_of(name: str, package: Package, folder: Path, left_out: Counter) -> dict[str, dict]:
    """Caption -> (name, icon) of the icons of a set that are taken by name."""
    archive = fetch(f"@iconify-json/{name}", package.version, package.sha512, folder)
    licence = read_json(archive, "info.json")["license"]["spdx"]
    if licence not in OPEN:
        raise SystemExit(f"{name}: licence is {licence}, accepted: {', '.join(sorted(OPEN))}")
    icons = read_json(archive, "icons.json")
    categories = read_json(archive, "metadata.json").get("categories", {})
    unknown = set(filter(None, package.categories.split("|"))) - set(categories)
    if unknown:
        raise SystemExit(f"{name}: no category {', '.join(sorted(unknown))}")
    excluded = {i for c in filter(None, package.categories.split("|")) for i in categories[c]}
    taken: dict[str, tuple] = {}
    for icon in sorted(icons["icons"], key=order):
        parts, caption = set(parts_of(icon)), caption_of(icon, package.only)
        reason = (
            "variant" if icons["icons"][icon].get("hidden") or parts & VARIANT
            else "variant" if package.only and package.only not in parts
            else "glyph or brand" if icon in excluded or parts & BRAND or parts <= GLYPH
            else "glyph or brand" if not re.search("[a-z]{3}", caption)
            else "name" if icon_rules.tells(caption)
            else "variant" if caption in taken
            else ""
        )  # fmt: skip
        if reason:
            left_out[reason] += 1
        else:
            taken[caption] = (icon, rasterise(icons, icons["icons"][icon], False).reduce(2))
    return {icon: (caption, image) for caption, (icon, image) in sorted(taken.items())}


def without_copies(pictures: dict, seen: set[bytes], left_out: Counter) -> dict:
    """Leave out pictures that are blank, or pixel for pixel one that an earlier icon has."""
    kept = {}
    for name, (caption, image) in pictures.items():
        pixels = image.tobytes()
        if min(pixels) > 200:
            left_out["blank"] += 1
        elif pixels in seen:
            left_out["copy"] += 1
        else:
            seen.add(pixels)
            kept[name] = (caption, image)
    return kept


def unlike_emoji(pictures: dict, others: torch.Tensor, left_out: Counter) -> dict:
    """Leave out near-duplicates of downstream and trap emoji."""
    images = torch.from_numpy(np.stack([np.asarray(image) for _, image in pictures.values()]))
    similar, _ = icon_rules.nearest(images.permute(0, 3, 1, 2), others)
    left_out["near-duplicate"] += int((similar >= icon_rules.SIMILAR).sum())
    near = dict(zip(pictures, similar >= icon_rules.SIMILAR, strict=True))
    return {name: picture for name, picture in pictures.items() if not near[name]}


def write_sheet(name: str, pictures: dict) -> None:
    rows = -(-len(pictures) // ICON_COLUMNS)
    sheet = Image.new("RGB", (ICON_COLUMNS * SIDE, rows * SIDE), "white")
    for position, (_, image) in enumerate(pictures.values()):
        row, column = divmod(position, ICON_COLUMNS)
        sheet.paste(image, (column * SIDE, row * SIDE))
    with replacing(OUT / f"{name}.webp") as temporary:
        sheet.save(temporary, "WEBP", lossless=True, quality=80, method=4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=a_path, help="folder with (or for) the npm tarballs")
    folder = parser.parse_args().packages
    for place in filter(None, (OUT, folder)):
        make_folder(place)
    _, others = icon_rules.held_back_pictures()
    table, seen, total = [("set", "position", "name", "caption")], set(), Counter()
    with tempfile.TemporaryDirectory() as temporary:
        for name, package in SETS.items():
            left_out: Counter = Counter()
            pictures = pictures_of(name, package, folder or Path(temporary), left_out)
            pictures = without_copies(pictures, seen, left_out)
            pictures = unlike_emoji(pictures, others, left_out)
            write_sheet(name, pictures)
            table += [(name, i, icon, c) for i, (icon, (c, _)) in enumerate(pictures.items())]
            print(f"{name:26} {len(pictures):5} pictures, left out: {dict(left_out)}", flush=True)
            total += left_out
    write_csv(OUT / "icons.csv", table)
    captions = len({row[3] for row in table[1:]})
    print(f"{len(table) - 1} pictures, {captions} captions, left out: {dict(total)}")


if __name__ == "__main__":
    with told("--packages", CalledProcessError):
        main()
