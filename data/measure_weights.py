"""What the shipped encoders know about concepts and labels they were not trained on.

    python data/measure_weights.py        # about five minutes; updates data/README.md

Probes learn from the six flat colour styles of the downstream training concepts and are tested on
the test concepts in each style. With ten labels per class five seeds draw the labels. From
scratch uses the same labels, its learning rate chosen on validation. Zero-shot and retrieval use
CLIP's text encoder on concepts whose captions were not trained on; intervals resample concepts.
"""

from __future__ import annotations

import torch
from readme import replace_section

from labkit import augment, data, encoders, evaluate, tasks, transfer

SEEDS = range(5)
SCRATCH_RATES = (0.03, 0.1)


def accuracies(model: torch.nn.Module) -> list[float]:
    """Test accuracy in every style."""
    return [transfer.accuracy(model, tasks.style_shift((style,), ()).test) for style in data.STYLES]


def ten_labels(seed: int) -> tasks.Task:
    task = tasks.style_shift(data.COLOUR_STYLES, ())
    return tasks.few_shot(task, 10, torch.Generator().manual_seed(seed))


def probe_rows(name: str) -> list[list[str]]:
    """Accuracy per style of probes on one encoder: with all labels, and with ten per class."""
    encoder = encoders.load(name).image
    everything = tasks.style_shift(data.COLOUR_STYLES, ())
    full = accuracies(transfer.linear_probe(encoder, everything).model)
    few = [accuracies(transfer.linear_probe(encoder, ten_labels(seed)).model) for seed in SEEDS]
    return [
        [f"{name}, probe, all labels", *(f"{100 * a:.0f}" for a in full)],
        [f"{name}, probe, 10 labels", *map(with_interval, zip(*few, strict=True))],
    ]


def scratch_row(name: str) -> list[str]:
    """The same network without pretraining, with ten labels per class."""
    encoder = encoders.load(name).image
    schedule = transfer.Schedule(steps=100, augmentation=augment.CLIP, record_every=0)

    def learn(seed: int) -> list[float]:
        task = ten_labels(seed)
        fit = transfer.best_rate(
            lambda lr: transfer.from_scratch(
                encoder, task, lr, torch.Generator().manual_seed(seed), schedule
            ),
            SCRATCH_RATES,
        )
        return accuracies(fit.model)

    scores = [learn(seed) for seed in SEEDS]
    return [f"{name}, from scratch, 10 labels", *map(with_interval, zip(*scores, strict=True))]


def with_interval(values) -> str:
    mean, _, high = evaluate.mean_interval(values)
    return f"{100 * mean:.0f} ± {100 * (high - mean):.0f}"


def text_rows(name: str) -> list[list[str]]:
    """Zero-shot classification by class names, and retrieval of the caption among test names."""
    clip = encoders.load(name)
    emoji = data.load(parts="test")
    names = [c.name for c in data.concepts() if c.part == "test"]
    positions = torch.tensor([c.position for c in data.concepts() if c.part == "test"])
    with torch.no_grad():
        images = torch.cat([clip.embed_images(part) for part in emoji.images.split(256)])
        classes, captions = clip.embed_captions(data.class_names()), clip.embed_captions(names)
    right = (images @ classes.T).argmax(dim=1) == data.labels_of(emoji.concept)
    own = (emoji.concept[:, None] == positions).float().argmax(dim=1)  # the image's caption
    rank = ((images @ captions.T).argsort(dim=1, descending=True) == own[:, None]).float().argmax(1)
    scores = {
        "zero-shot, 12 class names": right,
        "own caption first of 135": rank == 0,
        "own caption in first five": rank < 5,
    }
    return [
        [f"{name}, {what}", *(over_concepts(hit, emoji, style) for style in data.STYLES)]
        for what, hit in scores.items()
    ]


def over_concepts(hits: torch.Tensor, emoji: data.Emoji, style: str) -> str:
    """Percentage with half a 95 % bootstrap interval over concepts (in one style: over images)."""
    x = hits[emoji.style == data.STYLES.index(style)].float()
    draws = torch.randint(len(x), (2000, len(x)), generator=torch.Generator().manual_seed(0))
    low, high = x[draws].mean(dim=1).quantile(torch.tensor([0.025, 0.975])).tolist()
    return f"{100 * x.mean():.0f} ± {50 * (high - low):.0f}"


def table(rows: list[list[str]]) -> str:
    head = ["accuracy, %", *data.STYLES]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    rows = []
    for name in encoders.available():
        rows += probe_rows(name)
        if name.startswith("clip"):
            rows += text_rows(name)
        if name == "clip-conv":
            rows.append(scratch_row(name))
        print(table(rows), flush=True)
    replace_section("weights", table(rows))


if __name__ == "__main__":
    main()
