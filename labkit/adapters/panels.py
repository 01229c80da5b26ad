"""Notebook 04: what trains in a block, adapters trained live, and what a hundred tasks cost."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import ipywidgets
import torch

from labkit import adapters, encoders, plots, tasks, transfer
from labkit.adapters import storage_cost as storage
from labkit.ui.panel import Panel, panel

NAMES = {look.name: method for method, look in plots.TUNED.items()}
CLASSES = 12

# ------------------------------------------------ what trains


class Block(NamedTuple):
    """What one method inserts and trains."""

    method: str
    trains: dict[str, int]  # part of plots.PARTS -> numbers that train in it, in one block
    absent: tuple[str, ...]  # parts that this method does not insert
    beside: tuple[str, ...]  # adapters that stand beside their layer
    count: int
    total: int
    depth: int


def compute_block(encoder: encoders.VisionTransformer, method: str, width: int) -> Block:
    """Insert the method, count what trains, and take it out again."""
    chosen = _with_width(method, width)
    generator = torch.Generator().manual_seed(0)
    adapters.insert(encoder, chosen, generator)
    try:
        count, total = adapters.count(encoder), sum(p.numel() for p in encoder.parameters())
        block = encoder.blocks[0]
        found = {
            "patches": adapters.count(encoder.patches) + _own_position(encoder),
            "norm": adapters.count(encoder.norm),
            "norm1": adapters.count(block.norm1),
            "norm2": adapters.count(block.norm2),
        }
        for place in adapters.PLACES:
            half = getattr(block, place)
            adapted = isinstance(half, adapters.Adapted)
            found[place] = adapters.count(half.layer if adapted else half)
            found[f"after_{place}"] = adapters.count(half.adapter) if adapted else 0
    finally:
        adapters.remove(encoder)
    head = (encoder.dim + 1) * CLASSES
    after = tuple(f"after_{place}" for place in adapters.PLACES)
    absent = tuple(part for part in after if not found[part])
    beside = tuple(p for p in after if p not in absent) if chosen.form == "parallel" else ()
    return Block(
        method, {**found, "head": head}, absent, beside, count + head, total + head,
        len(encoder.blocks),
    )  # fmt: skip


def _own_position(encoder: encoders.VisionTransformer) -> int:
    return encoder.position.numel() if encoder.position.requires_grad else 0


def _with_width(method: str, width: int) -> adapters.Method:
    return replace(adapters.METHODS[method], width=width)


def describe_block(result: Block) -> str:
    parts = {name: count for name, count in result.trains.items() if count}
    said = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in parts.items())
    return (
        f"{plots.TUNED[result.method].name}: {result.count:,} of {result.total:,} numbers train "
        f"({result.count / result.total:.1%}). In one of {result.depth} blocks, and around: {said}."
    )


def transformer_block() -> Panel:
    """Which parts of the transformer train, by method and width."""
    encoder = encoders.load("clip-vit").image

    def compute(method: str, width: int) -> Block:
        return compute_block(encoder, method, width)

    return panel(
        compute,
        plots.draw_block,
        describe_block,
        size=(9, 3.2),
        title="What trains? A block of the transformer, and what stands around it",
        method=ipywidgets.Dropdown(options=NAMES, value="adapters", description="Method"),
        width=ipywidgets.IntSlider(8, 1, 64, description="Width or rank"),
    )


# ------------------------------------------------ adapters, trained live

LIVE_STEPS = 60
PLACEMENTS = {
    "after both (Houlsby)": ("serial", adapters.PLACES),
    "after the FFN only": ("serial", ("feed_forward",)),
    "beside both (parallel)": ("parallel", adapters.PLACES),
    "LoRA: queries, values": ("lora", adapters.PLACES),
}
BLOCKS = {
    "all six": (0, 1, 2, 3, 4, 5),
    "first three": (0, 1, 2),
    "last three": (3, 4, 5),
    "the first": (0,),
    "the last": (5,),
}


class Live(NamedTuple):
    """One training run, and what it is to be compared with."""

    history: tuple[transfer.Moment, ...]
    probe: transfer.Moment
    method: adapters.Method
    lr: float
    count: int
    chance: float


def compute_live(
    encoder: torch.nn.Module, task: tasks.Task, probe: transfer.Moment, method: adapters.Method,
    lr: float, seed: int, progress=None,
) -> Live:  # fmt: skip
    """Train what `method` inserts on the task, beside what a probe of the encoder reaches."""
    generator = torch.Generator().manual_seed(seed)
    model = transfer.new_classifier(encoder, len(task.classes), generator)
    adapters.insert(model.encoder, method, generator)
    schedule = transfer.Schedule(LIVE_STEPS, optimizer="adam", record_every=LIVE_STEPS // 3)
    fit = transfer.fit(model, task, lr, generator, schedule, progress)
    return Live(fit.history, probe, method, lr, adapters.count(model), task.chance)


def draw_live(ax, result: Live) -> None:
    name = "lora" if result.method.form == "lora" else "adapters"
    gap = 100 * (result.history[-1].id - result.probe.id)
    plots.draw_history(
        ax,
        {"probe": (result.probe,), name: result.history},
        result.chance,
        f"{result.count:,} numbers trained: {gap:+.0f} points against the probe",
    )


def describe_live(result: Live) -> str:
    last, probe = result.history[-1], result.probe
    (ood,) = last.ood
    blocks = ", ".join(map(str, result.method.blocks or ()))
    return (
        f"Who drew it? {result.method.form} of width {result.method.width} in blocks {blocks}, "
        f"learning rate {result.lr:g}: {result.count:,} numbers trained for {last.step} steps. "
        f"Accuracy {last.id:.0%} on the kinds of things trained on, {last.ood[ood]:.0%} on others; "
        f"the linear probe {probe.id:.0%} and {probe.ood[ood]:.0%}. "
        f"Always guessing the largest class gives {result.chance:.0%}."
    )


def train_adapters(encoder: torch.nn.Module, task: tasks.Task) -> Panel:
    """Choose width, placement, blocks and learning rate; train in seconds."""

    @cache
    def probe() -> transfer.Moment:
        return transfer.moment(0, transfer.linear_probe(encoder, task).model, task)

    def compute(width, placement, blocks, lr, seed, progress) -> Live:
        form, places = placement
        method = adapters.Method(
            form, width, places, blocks, "nothing" if form == "lora" else "norms"
        )
        return compute_live(encoder, task, probe(), method, lr, seed, progress)

    return panel(
        compute,
        draw_live,
        describe_live,
        run="button",
        label="Train",
        title="Train adapters: who drew it?",
        width=ipywidgets.IntSlider(8, 1, 64, description="Width or rank"),
        placement=ipywidgets.Dropdown(options=PLACEMENTS, description="Placement"),
        blocks=ipywidgets.Dropdown(options=BLOCKS, description="Blocks"),
        lr=ipywidgets.Dropdown(
            options=[0.0005, 0.002, 0.006, 0.02, 0.06], value=0.02, description="Learning rate"
        ),
        seed=ipywidgets.IntSlider(0, 0, 9, description="Seed"),
    )


# ------------------------------------------------ what tasks cost to keep


class Storage(NamedTuple):
    """Megabytes for a number of tasks, by method."""

    megabytes: dict[str, float]
    tasks: int
    where: tuple[storage.Backbone, int]  # the backbone and the width
    precision: int  # bytes for each number


def compute_storage(tasks: int, width: int, backbone: str, precision: int) -> Storage:
    where = storage.BACKBONES[backbone], width
    found = {m: storage.megabytes(m, *where, tasks, precision) for m in storage.METHODS}
    return Storage(found, tasks, where, precision)


def describe_storage(result: Storage) -> str:
    parts = [
        f"{plots.METHODS[method].name} {plots.size(megabytes)}"
        for method, megabytes in result.megabytes.items()
    ]
    backbone, width = result.where
    return (
        f"{result.tasks:,} tasks on one backbone ({backbone.name}), width or rank {width}, "
        f"{result.precision} bytes for each number, the backbone included: {', '.join(parts)}."
    )


def storage_calculator() -> Panel:
    """ "100 tasks cost ..." by method."""
    counts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    return panel(
        compute_storage,
        plots.draw_storage,
        describe_storage,
        size=(9, 4.2),
        title="What do many tasks cost to keep?",
        tasks=ipywidgets.SelectionSlider(
            options=[(f"{n:,}", n) for n in counts], value=100, description="Tasks"
        ),
        width=ipywidgets.IntSlider(8, 1, 64, description="Width or rank"),
        backbone=ipywidgets.Dropdown(options=list(storage.BACKBONES), description="Backbone"),
        precision=ipywidgets.Dropdown(
            options={"half (2 bytes)": 2, "single (4 bytes)": 4}, value=4, description="Precision"
        ),
    )
