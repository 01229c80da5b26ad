"""All of it in one call: read, find leaks, measure, conclude, and a page to read and hand on."""

import html
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor, nn

from labkit.capstone import conclusions, figures
from labkit.capstone.collection import Collection, enough, read
from labkit.capstone.duplicates import joined, near_duplicates, unseen
from labkit.capstone.measure import (
    Curve,
    Plan,
    cached_features,
    check_size,
    learning_curve,
    promised,
    ungrouped,
)
from labkit.files import make_folder, replacing
from labkit.inputs import whole
from labkit.looks import LOOKS
from labkit.ui.style import Picture

STYLE = """:root { color-scheme: light dark; font: 17px/1.55 system-ui, sans-serif }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
img { max-width: 100%; height: auto } table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #8884 }
td:first-child, th:first-child { text-align: left } div { overflow-x: auto }
.advice { border-left: 5px solid #009e73; padding: .6rem 1.2rem; background: #009e7318 }
h2 { margin-top: 2.5rem }"""


class Prepared(NamedTuple):
    """What was read, in groups that keep near-duplicates together, and what was found twice."""

    collection: Collection
    every: Collection  # before that, in the groups of its file names
    pairs: pd.DataFrame  # of `every`
    ood: Collection | None


def prepare(source: Path, group: str = "", size: int = 32, ood: Path | None = None) -> Prepared:
    """Read both folders, and leave out what is too small or would be tested on twice."""
    every = read(source, group, size)
    pairs = near_duplicates(every.images)
    collection = enough(joined(every, pairs))
    other = unseen(read(ood, size=size, classes=collection.classes), collection) if ood else None
    return Prepared(collection, every, pairs, other)


def write_report(
    source: Path, encoder: nn.Module, out: Path, plan: Plan, group: str = "", size: int = 32,
    ood: Path | None = None,
) -> Path:  # fmt: skip
    """Measure a folder or table and write report.html and CSV tables into `out`.

    Raises ValueError as `read` does, OSError for a folder that cannot be written to, before any
    work, and `Stopped` as `learning_curve` does.
    """
    source, ood, out = (p and Path(p).expanduser() for p in (source, ood, out))
    if ood is not None and not ood.exists():  # before the first is read
        raise ValueError(f"ood: {ood} is not there\naccepted: a second folder or table")
    make_folder(out)
    if source.is_dir():  # a table's rows are their own features
        check_size(encoder, whole("size", size, 8))
    found = prepare(source, group, size, ood)
    curve = learning_curve(found.collection, encoder, plan, found.ood, out / "features")
    x = cached_features(encoder, found.collection.images, out / "features")
    leak = leak_of(found.collection, x, plan.splits)
    mistakes = conclusions.mistakes_of(curve, conclusions.advised(curve), found.collection)
    names = np.array(found.every.names)
    named = found.pairs.assign(a=names[found.pairs["a"]], b=names[found.pairs["b"]])
    tables = {"curve": curve.table, "near-duplicates": named, "mistakes": mistakes}
    for name, table in tables.items():
        with replacing(out / f"{name}.csv") as path:
            table.to_csv(path, index=False, lineterminator="\n")
    with replacing(out / "report.html") as path:
        path.write_text(page(source.resolve().name, found, curve, mistakes, leak), encoding="utf-8")
    return out / "report.html"


def leak_of(collection: Collection, x: Tensor, splits: int) -> str:
    """What a split at random would promise a probe on features x (n, dim), in a sentence."""
    if len(set(collection.groups)) == len(collection):
        return "Each is a group of its own: none is there twice, and splits may be at random."
    both = (ungrouped(collection), collection)
    random, honest = (np.mean(promised(c, x, splits)) for c in both)
    return f"Images split at random promise the probe {random:.0%}, groups {honest:.0%}."


def page(name: str, found: Prepared, curve: Curve, mistakes: pd.DataFrame, leak: str) -> str:
    """The report as HTML that needs no other file."""
    collection, every, pairs, ood = found
    method = conclusions.advised(curve)
    chance = collection.labels.bincount().max().item() / len(collection)
    notes = [*collection.notes, *(ood.notes if ood else ())]
    notes += [f"stopped {curve.stopped}"] * bool(curve.stopped)
    forms = dict.fromkeys(("labels", "validation", "id", "ood"), "{:.0%}".format)
    forms["labels"] = "{:.0f}".format
    columns = [name for name in forms if name in curve.table]
    means = curve.table.groupby(["method", "shots"], sort=False)[columns].mean()
    table = means.rename(index={method: look.name for method, look in LOOKS.items()})
    is_image = collection.images.ndim == 4
    parts = [
        f'<p class="advice">{html.escape(conclusions.advice_of(curve))}</p>',
        f"<p>{len(collection)} examples of {len(collection.classes)} classes, in "
        f"{len(set(collection.groups))} groups that no split tears apart. {leak}</p>",
        "<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in notes) + "</ul>",
        *section("What is there", figures.samples(collection) if is_image else None),
        *section("What is there twice", figures.twice(every, pairs) if is_image else None),
        *section("Accuracy by number of labels", figures.learning(curve, chance)),
        f"<div>{table.reset_index().to_html(index=False, border=0, formatters=forms)}</div>",
        *section(f"Is {LOOKS[method].name} as sure as it is right?",
                 figures.calibrated(conclusions.calibration_of(curve, method))),
        *section("The surest mistakes",
                 figures.mistaken(collection, mistakes) if is_image else None),
        "<p>Bands and brackets are 95 % intervals for other splits of the same data (Nadeau and "
        "Bengio 2003); in the second folder, for other splits tested on the same images.</p>",
    ]  # fmt: skip
    title = html.escape(f"Transfer to {name}")
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">' \
           f"<title>{title}</title><style>{STYLE}</style>"  # fmt: skip
    body = "\n".join(parts)
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body><h1>{title}</h1>{body}</body>'


def section(title: str, picture: Picture | None) -> list[str]:
    shown = picture and picture._repr_mimebundle_()[0]["text/html"]
    return [f"<h2>{html.escape(title)}</h2>", shown] if shown else []
