"""How to pretrain on the wide source? Give each recipe the same steps, then see what it knows.

    python data/choose_recipe.py --steps 1200 --folder runs   # ten minutes a recipe on one core

Each recipe is what is shipped (`clip-words-conv`, but fewer steps) with some changes; the first
ones had icons for half of a batch. It is scored on concepts of the downstream *training and
validation* parts, in five folds: three to learn from, one to choose the probe's strength on, one to
be scored on. No test concept is looked at. Weights lie in `--folder`, where an interrupted run goes
on; a recipe that is there is only scored. The table of README.md is rewritten when all are there.
"""

import argparse
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path

import torch
from measure_weights import COLUMNS as ALL_COLUMNS
from measure_weights import SHOTS, estimate, text_hits
from readme import markdown, replace_section

from labkit import data, encoders, tasks, transfer
from labkit.contrastive import pretrain
from labkit.files import a_path
from labkit.inputs import check_choice
from labkit.motivation.sweep import SEEDS
from labkit.weights import parse_tensors

FOLDS = 5
COLUMNS = tuple(ALL_COLUMNS.values())[:2]  # six flat styles, four others
TOLD = f"probe, {SHOTS} labels"  # what a lead is told of
SHIPPED = ("clip-conv", "clip-words-conv", "clip-vit", "simclr-conv", "supervised-conv")
HALF = {"icons": 0.5}
STRONGER = {"augmentation": {"crop": 0.5, "flip": 0.5, "hue": 0.05}}
RECIPES = {
    "half icons": HALF,
    "half icons, weights decay 1 (0.05)": HALF | {"weight_decay": 1.0},
    "half icons, crops, mirror images, hues": HALF | STRONGER,
    "half icons, both": HALF | STRONGER | {"weight_decay": 1.0},
    "a quarter icons": {},
    "half icons, both, three times the rate": HALF | STRONGER | {"weight_decay": 1.0, "lr": 3e-3},
    "a tenth icons": {"icons": 0.1},
    "a quarter icons, 3,600 steps": {"steps": 3600},
    "no icons": {"icons": 0.0},
    "half icons, 3,600 steps": HALF | {"steps": 3600},
    "transformer, half icons, 2,500 steps": HALF
    | {"architecture": "vit", "options": {"patch": 8}, "steps": 2500},
    "SimCLR, a quarter icons, 2,000 steps": {"method": "simclr", "steps": 2000},
    "supervised, a quarter icons, 800 steps": {"method": "supervised", "steps": 800},
}


@cache
def known_images() -> data.Emoji:
    """All drawings of the concepts that recipes are scored on."""
    return data.load(parts=("train", "validation"))


@cache
def fold_of() -> torch.Tensor:
    """The fold of every position, -1 for concepts of other parts: in turn within each class."""
    fold = torch.full((len(data.concepts()),), -1)
    positions = known_images().concept.unique()
    labels = data.labels_of(positions)
    for label in labels.unique():
        members = positions[labels == label]
        fold[members] = torch.arange(len(members)) % FOLDS
    return fold


def fold_task(number: int) -> tasks.Task:
    """Learn from six flat styles; the test is one fold's concepts in all ten."""
    fold, emoji = fold_of()[known_images().concept], known_images()
    flat = torch.isin(emoji.style, torch.tensor([*map(data.STYLES.index, data.COLOUR_STYLES)]))
    chosen = fold == (number + 1) % FOLDS
    scored = fold == number
    parts = (~chosen & ~scored & flat, chosen & flat, scored)
    everything = tasks.Examples(emoji.images, data.labels_of(emoji.concept))
    return tasks.Task(f"fold {number}", data.class_names(), *map(everything.at, parts), ood={})


def probe_hits(encoder: torch.nn.Module, shots: int | None) -> torch.Tensor:
    """Which images a linear probe gets right, each by the fold that it is in. (draws, images)"""
    draws = SEEDS if shots else SEEDS[:1]
    hits = torch.empty(len(draws), len(known_images()))
    for number in range(FOLDS):
        task, scored = fold_task(number), fold_of()[known_images().concept] == number
        for row, seed in enumerate(draws):
            generator = torch.Generator().manual_seed(seed)
            fit = transfer.linear_probe(encoder, tasks.few_shot(task, shots, generator))
            guess = transfer.features(fit.model, task.test.images).argmax(dim=1)
            hits[row, scored] = (guess == task.test.labels).float()
    return hits


def trained(name: str, steps: int, folder: Path) -> torch.nn.Module:
    """What a recipe makes after these steps: read from the folder, or trained into it."""
    config = replace(pretrain.Config(options={"width": 32}, steps=steps), **RECIPES[name])
    path = folder / f"{steps}-{list(RECIPES).index(name)}.safetensors"
    if not path.exists():
        pretrain.pretrain(config, path)
    stored, tensors = parse_tensors(path.read_bytes())
    if not asdict(config).items() <= stored.items():
        raise ValueError(f"{path} is of another recipe: delete it, or name another --folder")
    model = encoders.build(stored)
    model.load_state_dict(tensors)
    return model.eval()


def measure(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Title -> hits (draws, images)."""
    probes = {f"probe, {n or 'all'} labels": probe_hits(model.image, n) for n in (SHOTS, None)}
    if not isinstance(model, encoders.Clip):
        return probes
    zero_shot, _, five = text_hits(model, known_images()).values()
    concepts = len(known_images().concept.unique())
    texts = {"zero-shot": zero_shot, f"own caption in first five of {concepts}": five}
    return probes | texts


def row(name: str, hits: dict[str, torch.Tensor], first: dict[str, torch.Tensor]) -> dict[str, str]:
    """Percent right in six flat styles / four others, and the lead over the table's first row."""
    found = {"%": name, **dict.fromkeys(first, "")}  # an encoder without texts answers no text
    for title, own in hits.items():
        pooled = [estimate(own, styles, known_images())[0] for styles in COLUMNS]
        found[title] = " / ".join(f"{mean:.1f}" for mean in pooled)
    lead = hits[TOLD] - first[TOLD]
    leads = [estimate(lead, styles, known_images()) for styles in COLUMNS]
    found[f"lead, {TOLD}"] = " / ".join(f"{mean:.1f} ± {half:.1f}" for mean, half in leads)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--folder", type=a_path, required=True)
    parser.add_argument("--only", nargs="*", default=list(RECIPES), help="recipes; no table then")
    arguments = parser.parse_args()
    check_choice("only", arguments.only, tuple(RECIPES))
    torch.set_num_threads(1)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    models = {name: partial(encoders.load, name) for name in SHIPPED}
    for name in arguments.only:
        models[name] = partial(trained, name, arguments.steps, arguments.folder)
    hits, rows = {}, []
    for name, make in models.items():
        hits[name] = measure(make())
        rows.append(row(name, hits[name], hits[SHIPPED[0]]))
        print(rows[-1], flush=True)
    if len(arguments.only) == len(RECIPES):
        replace_section("recipes", markdown(rows))


if __name__ == "__main__":
    main()
