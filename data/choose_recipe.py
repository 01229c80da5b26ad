"""How to pretrain on the wide source? Give each recipe the same steps, then see what it knows.

    python data/choose_recipe.py --steps 1200 --folder runs   # ten minutes a recipe on one core

Each recipe is what is shipped (`clip-words-conv`, but fewer steps) with some changes. It is scored
on concepts of the downstream *training and validation* parts, in five folds: three to learn from,
one to choose the probe's strength on, one to be scored on. No test concept is looked at. Weights
lie in `--folder`, where an interrupted run goes on; a recipe that is there is only scored. The
table of README.md is rewritten when all recipes are there.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from measure_weights import SHOTS
from readme import markdown, replace_section

from labkit import data, encoders, tasks, transfer
from labkit.contrastive import pretrain
from labkit.files import a_path
from labkit.inputs import check_choice
from labkit.motivation.sweep import SEEDS
from labkit.weights import parse_tensors

FOLDS = 5
SHIPPED = ("clip-conv", "clip-words-conv")  # to compare with
STRONGER = {"crop": 0.5, "flip": 0.5, "hue": 0.05}
RECIPES = {
    "as shipped": {},
    "weights decay 1 (0.05)": {"weight_decay": 1.0},
    "crops, mirror images, hues": {"augmentation": STRONGER},
    "both": {"weight_decay": 1.0, "augmentation": STRONGER},
    "a quarter icons (half)": {"icons": 0.25},
    "both, three times the rate": {"lr": 3e-3, "weight_decay": 1.0, "augmentation": STRONGER},
}


def known_concepts() -> list[data.Concept]:
    return [c for c in data.concepts() if c.part in ("train", "validation")]


def fold_of() -> torch.Tensor:
    """The fold of every position, -1 for concepts of other parts: in turn within each class."""
    fold = torch.full((len(data.concepts()),), -1)
    for name in data.class_names():
        for turn, concept in enumerate(c for c in known_concepts() if c.label == name):
            fold[concept.position] = turn % FOLDS
    return fold


def fold_task(number: int) -> tasks.Task:
    """Six flat styles, scored in them and in the four others on the concepts of one fold."""
    fold, names = fold_of(), data.class_names()

    def examples(styles: tuple[str, ...], folds: list[int]) -> tasks.Examples:
        emoji = data.load(styles, parts=("train", "validation"))
        emoji = emoji.of(torch.isin(fold, torch.tensor(folds)).nonzero()[:, 0].tolist())
        return tasks.Examples(emoji.images, data.labels_of(emoji.concept))

    chosen = (number + 1) % FOLDS
    rest = [f for f in range(FOLDS) if f not in (number, chosen)]
    parts = [examples(data.COLOUR_STYLES, folds) for folds in (rest, [chosen], [number])]
    others = examples(data.SHADED_STYLES + data.MONO_STYLES, [number])
    return tasks.Task(f"fold {number}", names, *parts, ood={"four others": others})


def probe_scores(encoder: torch.nn.Module, shots: int | None) -> tuple[float, float]:
    """A linear probe's accuracy over folds and draws of labels: six flat styles, four others."""
    found = []
    for number in range(FOLDS):
        task = fold_task(number)
        for seed in SEEDS if shots else SEEDS[:1]:
            generator = torch.Generator().manual_seed(seed)
            fit = transfer.linear_probe(encoder, tasks.few_shot(task, shots, generator))
            examples = task.test, task.ood["four others"]
            found.append([transfer.accuracy(fit.model, x) for x in examples])
    return tuple(torch.tensor(found).mean(dim=0).tolist())


@torch.no_grad()
def text_scores(clip: encoders.Clip) -> tuple[float, float]:
    """Zero-shot by class names, and how often an image's own caption is in the first five."""
    emoji = data.load(parts=("train", "validation"))
    image = torch.cat([clip.embed_images(part) for part in emoji.images.split(256)])
    classes = clip.embed_captions(data.class_names())
    zero_shot = (image @ classes.T).argmax(dim=1) == data.labels_of(emoji.concept)
    captions = clip.embed_captions([concept.name for concept in known_concepts()])
    own = emoji.concept[:, None] == torch.tensor([c.position for c in known_concepts()])
    scores = image @ captions.T
    rank = (scores >= scores[own][:, None]).sum(dim=1)
    return zero_shot.float().mean().item(), (rank <= 5).float().mean().item()


def trained(name: str, steps: int, folder: Path) -> encoders.Clip:
    """What a recipe makes after these steps: read from the folder, or trained into it."""
    config = replace(pretrain.Config(options={"width": 32}, steps=steps), **RECIPES[name])
    path = folder / f"{steps}-{list(RECIPES).index(name)}.safetensors"
    if not path.exists():
        pretrain.pretrain(config, path)
    stored, tensors = parse_tensors(path.read_bytes())
    model = encoders.build(stored)
    model.load_state_dict(tensors)
    return model.eval()


def measure(name: str, model: encoders.Clip) -> dict[str, str]:
    """One row: accuracies in percent, six flat styles / four others."""
    row = {"%": name}
    for shots, title in ((SHOTS, f"probe, {SHOTS} labels"), (None, "probe, all labels")):
        row[title] = " / ".join(f"{100 * found:.1f}" for found in probe_scores(model.image, shots))
    titles = "zero-shot", f"own caption in first five of {len(known_concepts())}"
    found = (f"{100 * value:.1f}" for value in text_scores(model))
    return row | dict(zip(titles, found, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--folder", type=a_path, required=True)
    parser.add_argument("--only", nargs="*", default=list(RECIPES), help="recipes; no table then")
    arguments = parser.parse_args()
    check_choice("only", arguments.only, tuple(RECIPES))
    torch.set_num_threads(1)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    rows = [measure(name, encoders.load(name)) for name in SHIPPED]
    for name in arguments.only:
        rows.append(measure(name, trained(name, arguments.steps, arguments.folder)))
        print(rows[-1], flush=True)
    if len(rows) == len(SHIPPED) + len(RECIPES):
        replace_section("recipes", markdown(rows))


if __name__ == "__main__":
    main()
