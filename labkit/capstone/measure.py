"""A learning curve of probe, WiSE-FT, LP-FT and FT on your own data; features kept on disk."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from torch import Generator, Tensor, nn

from labkit import encoders, sweeps, transfer
from labkit.capstone.collection import PARTS, Collection
from labkit.files import make_folder
from labkit.inputs import check_choice, refused, whole
from labkit.sweeps import Row
from labkit.tasks import Examples, Task, few_shot
from labkit.training import Classifier, Fit, Schedule, Stopped, features, progress_bar, share_right
from labkit.weights import digest, parse_tensors, write_tensors

ALL = "all"  # shots: as many labels as the training part has
CHUNK = 512  # images to a file of features
RATES = {"fine-tuning": (3e-3, 3e-2), "lp-ft": (3e-4, 3e-3)}


def load_backbone(name: str, weights: str | None = None) -> nn.Module:
    """A shipped encoder ("clip-words-conv", 32 pixels) or a torchvision backbone; on a GPU if any.

    weights: torchvision's name for some ("DEFAULT", which it downloads), or None for random ones.
    Raises ValueError for what is none.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if name in encoders.available():
        if weights is not None:
            raise refused("weights", weights, f"none, as {name} has its own")
        return encoders.load(name).image.to(device)
    models = encoders.import_torchvision().models
    check_choice("name", (name,), (*encoders.available(), *models.list_models(module=models)))
    return encoders.torchvision_encoder(name, weights).to(device).eval()


def check_size(encoder: nn.Module, size: int) -> None:
    """Raise a ValueError, before any work, for an encoder that cannot take images so large."""
    try:
        logits(encoder, torch.zeros(2, 3, size, size, dtype=torch.uint8))
    except (AssertionError, RuntimeError) as error:
        got = f"{size}, which the backbone cannot take ({str(error).splitlines()[0]})"
        raise refused("size", got, "often 32 for the lab's, 224 for torchvision's") from None


def cached_features(encoder: nn.Module, images: Tensor, folder: Path | None = None) -> Tensor:
    """`features` (n, dim) on the CPU, computed once for each content of images and each encoder.

    folder: where they are kept, if anywhere; what is damaged there is computed anew. An
    interruption loses one file's work. A table's rows are their own features.
    """
    if images.ndim == 2:
        return images
    about, found = {}, []
    if folder is not None:
        make_folder(folder)
        # Its answers too: the same weights may be put together in another way.
        answers = {"answers": logits(encoder, images[:2])}
        about["encoder"] = digest(encoder.state_dict() | answers, {"type": repr(encoder)})
    with progress_bar("features") as bar:
        for part in (parts := images.split(CHUNK)):
            path = folder and folder / f"{digest({'images': part}, about)}.safetensors"
            try:
                known = parse_tensors(path.read_bytes())[1] if path and path.exists() else {}
            except ValueError:
                known = {}
            if not known:
                known = {"features": logits(encoder, part)}
                if path:
                    write_tensors(known, about, path)
            found.append(known["features"])
            bar(len(found) / len(parts), "")
    return torch.cat(found)


class Split(NamedTuple):
    """Row numbers of the three parts: about three, one and one fifth."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def divide(collection: Collection, seed: int) -> Split:
    """Draw a split in which every group is on one side, and classes are shared out evenly."""
    labels = collection.labels.numpy()
    folds = StratifiedGroupKFold(PARTS, shuffle=True, random_state=seed)
    parts = [part for _, part in folds.split(labels, labels, collection.groups)]
    # Large groups are dealt out in a fixed order: which of the parts is which is drawn too.
    test, validation, *train = np.random.default_rng(seed).permutation(PARTS)
    return Split(np.concatenate([parts[k] for k in train]), parts[validation], parts[test])


def as_task(collection: Collection, x: Tensor, split: Split, ood: Examples | None = None) -> Task:
    """The split as a task on x: the collection's images, or features (n, dim) of them.

    A table's columns are standardised by those of the training rows.
    """
    if collection.images.ndim == 2:
        scaler = StandardScaler().fit(x[split.train].numpy())
        x, *far = (torch.from_numpy(scaler.transform(y.numpy())) for y in (x, *(ood or ())[:1]))
        ood = ood and Examples(far[0], ood.labels)
    parts = (Examples(x[rows], collection.labels[rows]) for rows in split)
    return Task("your own data", collection.classes, *parts, ood={"ood": ood} if ood else {})


@dataclass(frozen=True)
class Plan:
    """How many splits; labels for each class, `tuned` being those for which networks are tuned too.

    All labels are always measured, by all methods. Of `rates` validation picks.
    """

    splits: int = 5
    shots: tuple[int, ...] = (4, 16)
    tuned: tuple[int, ...] = (4, 16)
    steps: int = 60
    batch: int = 32
    rates: Mapping[str, Sequence[float]] = field(default_factory=lambda: RATES)

    def __post_init__(self) -> None:
        whole("plan.splits", self.splits, 2)
        for name in ("steps", "batch"):
            whole(f"plan.{name}", getattr(self, name), 1)


QUICK = Plan(4, (2, 4, 8, 16), (8,), 16, 16, {"fine-tuning": (0.02,), "lp-ft": (0.001,)})


class Answered(NamedTuple):
    """What a method fitted to all labels of a split said of its parts: logits (n, classes)."""

    method: str
    seed: int
    rows: np.ndarray  # (n,) of the test part, in the collection
    test: Tensor
    labels: Tensor
    validation: Tensor
    validation_labels: Tensor


class Curve(NamedTuple):
    """table: as `labkit.sweeps` reads it, a row for each seed (split), shots and method, with
    labels (for each class), validation, id, ood, rate. stopped: where, if it was interrupted.
    """

    table: pd.DataFrame
    answers: list[Answered]
    stopped: str = ""


def learning_curve(
    collection: Collection,
    encoder: nn.Module,
    plan: Plan = QUICK,
    ood: Collection | None = None,
    cache: Path | None = None,
) -> Curve:
    """Measure the methods on grouped splits, with few labels and with all; a table by its probe.

    Nothing is chosen on test or OOD images. An interruption leaves the splits that are complete;
    before the second is, it raises `Stopped`.
    """
    x = cached_features(encoder, collection.images, cache)
    far = ood and Examples(cached_features(encoder, ood.images, cache), ood.labels)
    splits = [divide(collection, seed) for seed in range(plan.splits)]
    fewest = min(int(collection.labels[split.train].bincount().max()) for split in splits)
    shots = [str(n) for n in plan.shots if n < fewest] + [ALL]  # in every split fewer than all
    cells = [(seed, n) for seed in range(plan.splits) for n in shots]
    rows, answers, stopped, done = [], [], "", 0
    seed, count = cells[0]
    try:
        with progress_bar("learning curve") as bar:
            for i, (seed, count) in enumerate(cells):
                bar(i / len(cells), "")
                pictures = as_task(
                    collection, collection.images, splits[seed], ood and ood.examples
                )
                known = as_task(collection, x, splits[seed], far)
                found = measure(pictures, known, encoder, plan, seed, count, splits[seed].test)
                for row, answered in found:
                    rows.append(row)
                    answers += [answered] * (count == ALL)
                done += count == ALL
    except KeyboardInterrupt:
        stopped = f"in split {seed + 1} of {plan.splits}, at {count} labels a class"
        if done < 2:
            raise Stopped(f"{stopped}: an interval needs two splits") from None
    complete = [row for row in rows if row["seed"] < done]
    return Curve(with_overlap(complete, splits), [a for a in answers if a.seed < done], stopped)


def measure(pictures: Task, known: Task, encoder: nn.Module, plan: Plan, seed: int, shots: str,
            test: np.ndarray) -> Iterator[tuple[Row, Answered]]:  # fmt: skip
    """Every method on one split and number of labels. known: the task on features."""
    few = None if shots == ALL else int(shots)
    pictures, known = (few_shot(task, few, seeded(seed)) for task in (pictures, known))
    tuned = pictures.train.images.ndim == 4 and few in (None, *plan.tuned)
    for method, fit in fits(pictures, known, encoder, plan, seed, tuned).items():
        task = known if method == "probe" else pictures
        parts = {"id": task.test, **task.ood, "validation": task.validation}
        said = {part: logits(fit.model, x.images) for part, x in parts.items()}
        row = {"seed": seed, "shots": shots, "labels": len(task.train.labels) / len(task.classes)}
        row |= {"method": method, "rate": fit.chosen}
        row |= {part: share_right(said[part], x.labels) for part, x in parts.items()}
        yield row, Answered(method, seed, test, said["id"], task.test.labels, said["validation"],
                            task.validation.labels)  # fmt: skip


def fits(
    pictures: Task, known: Task, encoder: nn.Module, plan: Plan, seed: int, tuned: bool
) -> dict[str, Fit]:
    """The recipes of `labkit.transfer`, each at the rate that validation picks.

    The probe is a head on features; the others train copies of the encoder.
    """
    head = transfer.linear_probe(nn.Identity(), known)
    if not tuned:
        return {"probe": head}
    pictures = pictures.to(device := next(encoder.parameters()).device)
    model = Classifier(copy.deepcopy(encoder), copy.deepcopy(head.model.head).to(device)).eval()
    probe, plain = replace(head, model=model), Schedule(plan.steps, plan.batch, record_every=0)

    def tune(method: str, recipe: Callable[..., Fit], schedule: Schedule, **options) -> Fit:
        def run(lr: float) -> Fit:
            return recipe(encoder, pictures, lr, seeded(seed), schedule, **options)

        return transfer.best_rate(run, plan.rates[method])

    lp_ft = tune("lp-ft", transfer.lp_ft, replace(plain, freeze_norm=True), probe=probe)
    ft = tune("fine-tuning", transfer.fine_tune, plain)
    wise_ft = transfer.wise_ft(probe, lp_ft, pictures)
    return {"probe": head, "wise-ft": wise_ft, "lp-ft": lp_ft, "fine-tuning": ft}


def promised(collection: Collection, x: Tensor, splits: int) -> list[float]:
    """What a probe on features x scores on `splits` grouped splits of the collection.

    Ask it of the same images in groups of one (`ungrouped`), and a leak shows as a higher score.
    """
    tasks = [as_task(collection, x, divide(collection, seed)) for seed in range(splits)]
    heads = [transfer.linear_probe(nn.Identity(), task).model for task in tasks]
    return [transfer.accuracy(head, task.test) for head, task in zip(heads, tasks, strict=True)]


def ungrouped(collection: Collection) -> Collection:
    """The collection in groups of one, numbered (n,) in the order of its groups.

    That order decides the splits too: in another, groups of one differed from the very same groups.
    """
    return replace(collection, groups=np.argsort(np.argsort(collection.groups, kind="stable")))


def with_overlap(rows: Sequence[Row], splits: Sequence[Split]) -> pd.DataFrame:
    """Rows as a table that knows how much of their test two splits share: all of an OOD test."""
    tested = {"overlap": lambda row: splits[row["seed"]].test.tolist()}
    table = sweeps.with_overlaps(pd.DataFrame(rows), tested)
    return table.assign(overlap_ood=1.0) if "ood" in table else table


def logits(model: nn.Module, images: Tensor) -> Tensor:
    """`features` of images that may be on another device, on the CPU."""
    device = next(model.parameters(), images).device
    return features(model, images.to(device)).cpu()


def seeded(seed: int) -> Generator:
    return Generator().manual_seed(seed)
