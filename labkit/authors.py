"""A task that CLIP's features are not made for: who drew it?

All ten styles of a concept share one caption, so that pretraining taught the encoder to ignore what
is asked here. A probe finds half of it in the features all the same; tuning can find more.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from labkit import data
from labkit.inputs import check_choice
from labkit.tasks import DOWNSTREAM, Examples, Task, downstream_parts


def who_drew_it(
    classes: Sequence[str] | None = None,
    ood_classes: Sequence[str] | None = None,
    *,
    split: int | None = None,
) -> Task:
    """Tell the ten styles apart: on concepts of some classes, then on those of others (OOD).

    `classes` are the first six unless given (living things and food), `ood_classes` all others
    (things). `split` divides the downstream concepts anew (`labkit.tasks.downstream_parts`). Raises
    ValueError for an unknown class, or one on both sides.
    """
    names = data.class_names()
    seen = tuple(names[:6]) if classes is None else tuple(classes)
    other = tuple(n for n in names if n not in seen) if ood_classes is None else tuple(ood_classes)
    check_choice("classes", seen, names)
    check_choice("ood_classes", other, names)
    if set(seen) & set(other):
        raise ValueError(f"ood_classes: {sorted(set(seen) & set(other))} are in classes too")
    emoji, parts = data.load(parts=DOWNSTREAM), downstream_parts(split)
    label = data.labels_of(emoji.concept)

    def examples(part: str, chosen: Sequence[str]) -> Examples:
        rows = torch.isin(emoji.concept, torch.tensor(parts[part]))
        rows &= torch.isin(label, torch.tensor([names.index(name) for name in chosen]))
        return Examples(emoji.images[rows], emoji.style[rows])

    inside = {part: examples(part, seen) for part in DOWNSTREAM}
    ood = {"other things": examples("test", other)}
    return Task("who drew it", data.STYLES, **inside, ood=ood)
