"""Notebook 05's tables: shifted images, encoders that ignore what is asked for, mismatched images.

    python -m labkit.failure.sweep    # 15 CPU minutes, or tables by name: shifts, traps, mismatch

data/README.md says what they hold.
"""

from collections.abc import Iterator

import torch

from labkit import data, encoders, evaluate, tasks, transfer
from labkit.failure.corruptions import AMOUNTS, resize, strength, with_corruptions
from labkit.failure.invariance import QUESTIONS, WEIGHTS, Pixels, trap_styles, trap_task
from labkit.failure.under_shift import Known, in_distribution, report
from labkit.sweeps import Experiment, Row, command_line, grid

ID_STYLES = data.COLOUR_STYLES[:3]
SEVERITIES = (1, 3, 5)
MODELS = {  # the encoder, and what is done with it
    "probe": ("clip-conv", "probe"),
    "fine-tuning": ("clip-conv", "fine-tuning"),
    "simclr": ("simclr-conv", "probe"),
}
SHIFT_SCHEDULE = (0.03, 80)  # rate and steps: what validation picked most often in lp_ft's sweep
TRAP_RATES, TRAP_STEPS = (0.01, 0.03), 160  # for scratch too: neither shall win by training longer
TUNED = ("simclr-color-flip", "simclr-plain")  # told to ignore colour, and not
SIZES, STRENGTHS = (16, 24, 32, 48, 64), (0.0, 1.0, 2.0, 4.0)  # pixels; of the augmentation
DRAWS = 2  # of each augmented training image; with one, a strong augmentation has few examples


def run_shifts(model: str, seed: int) -> list[Row]:
    task = tasks.style_shift(ID_STYLES, (), split=seed)
    fit, known = learned(model, task, seed)
    rows = [measured(fit, known, "ID", task.test)]
    rows += [measured(fit, known, *shift) for shift in shifts(task, seed)]
    task = tasks.subpopulation_shift(ID_STYLES, split=seed)
    fit, known = learned(model, task, seed)
    rows.append(measured(fit, known, "sub-population, ID", task.test))
    return [*rows, measured(fit, known, "sub-population", task.ood["other subgroups"])]


def learned(model: str, task: tasks.Task, seed: int) -> tuple[transfer.Fit, Known]:
    weights, method = MODELS[model]
    encoder, (rate, steps) = encoders.load(weights).image, SHIFT_SCHEDULE
    if method == "probe":
        fit = transfer.linear_probe(encoder, task)
    else:
        schedule = transfer.Schedule(steps, record_every=0)
        generator = torch.Generator().manual_seed(seed)
        fit = transfer.fine_tune(encoder, task, rate, generator, schedule)
    return fit, in_distribution(fit.model, task)


def shifts(task: tasks.Task, seed: int) -> Iterator[tuple[str, tasks.Examples, torch.Tensor]]:
    """Every shifted test set: its name, its examples, and the same images before the shift."""
    emoji = data.load(data.STYLES, parts=tasks.DOWNSTREAM).of(tasks.downstream_parts(seed)["test"])
    plain = emoji.drawn_in(ID_STYLES[0])
    for style in data.STYLES:
        if style not in ID_STYLES:
            shifted = emoji.drawn_in(style)
            examples = tasks.Examples(shifted.images, data.labels_of(shifted.concept))
            yield style, examples, plain.of(shifted.concept.tolist()).images
    generator = torch.Generator().manual_seed(seed)
    for kind in AMOUNTS:
        for name, test in with_corruptions(task, kind, generator, SEVERITIES).ood.items():
            yield name, test, task.test.images


def measured(fit: transfer.Fit, known: Known, test: str, examples, before=None) -> Row:
    row = {"test": test, **report(fit.model, known, examples)._asdict(), "drift": None}
    if before is not None:
        moved = (transfer.features(fit.model.encoder, x) for x in (before, examples.images))
        row["drift"] = evaluate.movement(*moved).relative
    return rounded({**row, "temperature": known.temperature})


def run_traps(weights: str, seed: int) -> list[Row]:
    encoder = Pixels() if weights == "pixels" else encoders.load(weights).image
    rows = []
    for question in QUESTIONS:
        task = trap_task(question, seed)
        fits = {"probe": transfer.linear_probe(encoder, task)}
        if question != "direction" and weights in TUNED:
            fits["fine-tuning"] = best(transfer.fine_tune, encoder, task, seed)
            if weights == TUNED[0]:  # scratch forgets the weights: once is enough
                fits["scratch"] = best(transfer.from_scratch, encoder, task, seed)
        for method, fit in fits.items():
            row = {"question": question, "method": method, "chosen": fit.chosen}
            row |= {"validation": fit.validation, "chance": task.chance}
            rows.append(rounded({**row, "id": transfer.accuracy(fit.model, task.test)}))
    return rows


def best(recipe, encoder, task: tasks.Task, seed: int) -> transfer.Fit:
    schedule = transfer.Schedule(TRAP_STEPS, record_every=0)
    return transfer.best_rate(
        lambda lr: recipe(encoder, task, lr, torch.Generator().manual_seed(seed), schedule),
        TRAP_RATES,
    )


def run_mismatch(kind: str, seed: int) -> list[Row]:
    encoder = encoders.load("clip-conv").image
    task = tasks.style_shift(data.COLOUR_STYLES[:2], (), split=seed, size=64)
    values, draws = (SIZES, 1) if kind == "resolution" else (STRENGTHS, DRAWS)
    generator = torch.Generator().manual_seed(seed)

    def embed(value: float, part: tasks.Examples, times: int = 1) -> tasks.Examples:
        def prepared() -> torch.Tensor:
            if kind == "resolution":
                return resize(part.images, int(value))
            return strength(value)(resize(part.images, 32), generator)

        images = torch.cat([prepared() for _ in range(times)])
        return tasks.Examples(transfer.features(encoder, images), part.labels.repeat(times))

    tests, rows = {value: embed(value, task.test) for value in values}, []
    for value in values:
        train, validation = embed(value, task.train, draws), embed(value, task.validation)
        known = tasks.Task(kind, task.classes, train, validation, tests[value], ood={})
        model = transfer.linear_probe(torch.nn.Identity(), known).model
        rows += [
            rounded({"trained": value, "tested": other, "accuracy": transfer.accuracy(model, test)})
            for other, test in tests.items()
        ]
    return rows


def rounded(row: Row) -> Row:
    return {name: round(x, 4) if isinstance(x, float) else x for name, x in row.items()}


def tested(row: Row) -> frozenset[int]:
    if row.get("test") == "sub-population":
        return tasks.other_subgroups()
    return tasks.test_concepts(row["seed"])


SHIFTS = grid(model=MODELS, seed=range(5))
TRAPS = grid(weights=(*WEIGHTS.values(), "clip-conv", "pixels"), seed=range(6))
MISMATCHES = grid(kind=("strength", "resolution"), seed=range(6))
EXPERIMENTS = (
    Experiment("shifts", run_shifts, SHIFTS, {"overlap": tested}),
    Experiment("traps", run_traps, TRAPS, {"overlap": lambda row: trap_styles(row["seed"])[4:]}),
    Experiment("mismatch", run_mismatch, MISMATCHES, {"overlap": tested}),
)

if __name__ == "__main__":
    command_line(__doc__, *EXPERIMENTS)
