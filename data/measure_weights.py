"""What the shipped encoders know about concepts and labels they were not trained on.

    python data/measure_weights.py      # a quarter of an hour on a core; updates data/README.md

Probes learn from the six flat colour styles of the downstream training concepts and are tested on
the test concepts in each style. With ten labels per class, five seeds draw the labels; from scratch
uses the same labels, with the budget and the learning rates of notebook 01's sweep. Zero-shot and
retrieval use CLIP's text encoder on concepts whose captions were not trained on.

An interval answers "how different could it be with other labels and other test concepts?" (a
concept with all its drawings, since a network that knows the elephant in one style mostly knows it
in the others; `labkit.statistics.crossed_estimate`). The lead over scratch is paired: the same
labels and the same test images.
"""

import argparse
from collections.abc import Callable
from functools import cache

import torch
from readme import replace_section
from torch import Tensor

from labkit import data, encoders, tasks, transfer
from labkit.motivation.sweep import RATES, SEEDS, schedule_for
from labkit.statistics import concept_scores, crossed_estimate

SHOTS = 10
BASELINE = "clip-conv"  # the network that is trained from scratch too, whatever pretrained it
COLUMNS = {
    "six flat styles": data.COLOUR_STYLES,
    "four others": data.SHADED_STYLES + data.MONO_STYLES,
    **{style: (style,) for style in data.STYLES},
}


@cache
def test_images() -> data.Emoji:
    return data.load(parts="test")


def hits_of(model: torch.nn.Module) -> Tensor:
    """Which test images a classifier gets right. (images,) float"""
    emoji = test_images()
    right = transfer.features(model, emoji.images).argmax(dim=1) == data.labels_of(emoji.concept)
    return right.float()


def over_seeds(learn: Callable[[tasks.Task, int], transfer.Fit]) -> Tensor:
    """Hits of five fits, each on its own draw of ten labels per class. (seeds, images)"""
    everything = tasks.style_shift(data.COLOUR_STYLES, ())
    draws = [
        tasks.few_shot(everything, SHOTS, torch.Generator().manual_seed(seed)) for seed in SEEDS
    ]
    fits = [learn(task, seed) for task, seed in zip(draws, SEEDS, strict=True)]
    return torch.stack([hits_of(fit.model) for fit in fits])


def scratch(encoder: torch.nn.Module) -> Callable[[tasks.Task, int], transfer.Fit]:
    """The same network without pretraining, as the sweep trains it."""
    schedule = schedule_for(SHOTS, "scratch")

    def learn(task: tasks.Task, seed: int) -> transfer.Fit:
        return transfer.best_rate(
            lambda lr: transfer.from_scratch(
                encoder, task, lr, torch.Generator().manual_seed(seed), schedule
            ),
            RATES["scratch"],
        )

    return learn


def text_hits(clip: encoders.Clip, emoji: data.Emoji) -> dict[str, Tensor]:
    """Zero-shot classes, and the rank of an image's own caption among those of all these concepts.

    Captions with equal scores count against the right one. Each value: (1, images)
    """
    tested = [data.concepts()[place] for place in emoji.concept.unique().tolist()]
    with torch.no_grad():
        images = torch.cat([clip.embed_images(part) for part in emoji.images.split(256)])
        classes = clip.embed_captions(data.class_names())
        captions = clip.embed_captions([c.name for c in tested])
    zero_shot = (images @ classes.T).argmax(dim=1) == data.labels_of(emoji.concept)
    positions = torch.tensor([c.position for c in tested])
    own = emoji.concept[:, None] == positions  # (images, captions), one True in each row
    scores = images @ captions.T
    rank = (scores >= scores[own][:, None]).sum(dim=1)  # 1: first, and alone
    hits = {
        f"zero-shot, {len(classes)} class names": zero_shot,
        f"own caption first of {len(tested)}": rank <= 1,
        "own caption in first five": rank <= 5,
    }
    return {name: hit[None].float() for name, hit in hits.items()}


def estimate(hits: Tensor, styles: tuple[str, ...], emoji: data.Emoji) -> tuple[float, float]:
    """Mean and half the 95 % interval, in percent, of (seeds, images) in these styles."""
    chosen = torch.isin(emoji.style, torch.tensor([data.STYLES.index(s) for s in styles]))
    _, concept = emoji.concept[chosen].unique(return_inverse=True)
    member = torch.nn.functional.one_hot(concept).float()  # (images, concepts)
    right = hits[:, chosen] @ member  # (seeds, concepts)
    count = member.sum(dim=0).expand(right.shape)
    found = crossed_estimate(concept_scores(right.numpy(), count.numpy())).interval()
    return 100 * found.mean, 50 * (found.high - found.low)


def measure(name: str, baseline: Tensor | None) -> dict[str, Tensor]:
    """Every row about one encoder; `baseline`: hits of the same network from scratch."""
    model = encoders.load(name)
    everything = tasks.style_shift(data.COLOUR_STYLES, ())
    full = hits_of(transfer.linear_probe(model.image, everything).model)[None]
    few = over_seeds(lambda task, seed: transfer.linear_probe(model.image, task))
    rows = {"probe, all labels": full, f"probe, {SHOTS} labels": few}
    if baseline is not None:
        rows[f"its lead over scratch, {SHOTS} labels"] = few - baseline
    if isinstance(model, encoders.Clip):
        rows |= text_hits(model, test_images())
    return {f"{name}, {row}": hits for row, hits in rows.items()}


def table(rows: dict[str, Tensor]) -> str:
    """Pooled columns with intervals, single styles without; the intervals' size in a sentence."""
    lines = [["%", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    single = []
    for name, hits in rows.items():
        found = [estimate(hits, styles, test_images()) for styles in COLUMNS.values()]
        pooled = [f"{mean:.0f} ± {half:.0f}" for mean, half in found[:2]]
        lines.append([name, *pooled, *(f"{mean:.0f}" for mean, _ in found[2:])])
        single += [half for _, half in found[2:]]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{text}\n\nIn a single style: ± {min(single):.0f} to {max(single):.0f}."


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    baseline = over_seeds(scratch(encoders.load(BASELINE).image))
    rows = {f"from scratch, {SHOTS} labels": baseline}
    for name in encoders.available():
        architecture = name.split("-")[-1]
        if architecture not in encoders.ARCHITECTURES:
            continue  # the small encoders of notebook 05 have a table of their own
        rows |= measure(name, baseline if architecture in BASELINE else None)
        print(table(rows), flush=True)
    replace_section("weights", table(rows))


if __name__ == "__main__":
    main()
