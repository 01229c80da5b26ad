"""The same picture twice: exact, nearly equal, or mirrored; such a pair may not be split."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.stats import chi2
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from labkit.augment import as_float
from labkit.capstone.collection import Collection
from labkit.inputs import at_least_0

THUMBNAIL = 16  # pixels: what remains of a picture after compression and resizing
NEAR = 0.04  # of the whole range: the root of the mean square over a thumbnail
CHANCE = 0.01  # pairs of rows that in a table are as near by chance, at most


def fingerprints(images: Tensor) -> np.ndarray:
    """Thumbnails (n, 3 * 16 * 16), or columns in standard deviations, divided by the root of
    their number: a Euclidean distance is then a root mean square."""
    if images.ndim == 2:
        x = images.double().numpy()
        x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12)
    else:
        x = F.adaptive_avg_pool2d(as_float(images), THUMBNAIL).flatten(1).double().numpy()
    return x / x.shape[1] ** 0.5


def near_by_chance(prints: np.ndarray) -> float:
    """The distance within which CHANCE pairs of rows (n, columns) lie, were the columns normal.

    The mean square of two rows' difference is then about twice that of k independent numbers, k
    being how many the columns are worth (Satterthwaite 1946; the participation ratio).
    """
    variances = np.linalg.svd(prints, compute_uv=False) ** 2
    k = max(1.0, variances.sum() ** 2 / max((variances**2).sum(), 1e-300))
    pairs = max(1, len(prints) * (len(prints) - 1) / 2)
    return float(np.sqrt(2 / k * chi2.ppf(CHANCE / pairs, k)))


def near_duplicates(images: Tensor, threshold: float = NEAR) -> pd.DataFrame:
    """All pairs of images no further apart than `threshold`, as they are or one of them mirrored.

    images: (n, 3, h, w) or (n, columns). A row for each pair a < b: their rows, distance (root mean
    square; of images 0 to 1, of a table in standard deviations) and whether mirrored; the nearest
    first. In a table only those count that lie nearer than next to any do by chance
    (`near_by_chance`): of one or two columns the same numbers, of ten also noisy copies.
    """
    threshold, prints, pairs = at_least_0("threshold", threshold), fingerprints(images), []
    if images.ndim == 2:
        threshold = min(threshold, near_by_chance(prints))
    search = NearestNeighbors(radius=threshold + 1e-6, algorithm="brute").fit(prints)
    mirrors = [prints] if images.ndim == 2 else [prints, fingerprints(images.flip(3))]
    for mirrored, queries in enumerate(mirrors):
        for a, near in enumerate(search.radius_neighbors(queries, return_distance=False)):
            for b in near[near > a].tolist():
                distance = np.linalg.norm(prints[b] - queries[a])  # the search rounds
                pairs.append((a, b, distance, bool(mirrored)))
    table = pd.DataFrame(pairs, columns=["a", "b", "distance", "mirrored"])
    table = table[table["distance"] <= threshold].sort_values(["distance", "a", "b", "mirrored"])
    return table.drop_duplicates(["a", "b"], ignore_index=True)


def joined(collection: Collection, pairs: pd.DataFrame) -> Collection:
    """The collection in groups (n,) int that keep near-duplicates together, with all their own."""
    names, place = np.unique(collection.groups, return_inverse=True)
    ends = tuple(place[pairs[side].to_numpy(int)] for side in "ab")
    edges = coo_matrix((np.ones(len(pairs)), ends), shape=(len(names), len(names)))
    return replace(collection, groups=connected_components(edges, directed=False)[1][place])


def in_order(table: Collection, columns: tuple[str, ...]) -> Collection:
    """A table (n, columns) with its columns in this order; images, without names, as they are.

    Raises ValueError, in two lines, for other names.
    """
    if not (columns and table.columns):
        return table
    lacks = [name for name in columns if name not in table.columns]
    unknown = [name for name in table.columns if name not in columns]
    if lacks or unknown:
        got = f"a table without {lacks[:6]}, with {unknown[:6]} that the first has not"
        raise ValueError(f"ood: got {got}\naccepted: its columns, {', '.join(columns[:20])}")
    order = [table.columns.index(name) for name in columns]
    return replace(table, columns=columns, images=table.images[:, order])


def unseen(ood: Collection, collection: Collection) -> Collection:
    """`ood` without the images that are in `collection` too, nearly or exactly; notes say which.

    A table's columns are put in the order of the first's. Raises ValueError, in two lines, where
    none is left, and for images of another size or columns of other names.
    """
    ood = in_order(ood, collection.columns)
    n, shapes = len(collection), [tuple(x.images.shape[1:]) for x in (ood, collection)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"ood: got {shapes[0]} numbers\naccepted: {shapes[1]}, as in the first")
    pairs = near_duplicates(torch.cat([collection.images, ood.images]))
    twice = pairs[(pairs["a"] < n) & (pairs["b"] >= n)].drop_duplicates("b")
    notes = [
        f"left out {ood.names[b - n]} of the OOD test: it is {collection.names[a]}"
        for a, b in twice[["a", "b"]].to_numpy()
    ]
    kept = ood.at(np.setdiff1d(np.arange(len(ood)), twice["b"] - n), notes)
    if not len(kept):  # an empty test would be taken for none, and its notes with it
        why = f" ({kept.notes[-1]})" if kept.notes else ""
        raise ValueError(f"ood: nothing of it is left{why}\naccepted: images not in the first, too")
    return kept
