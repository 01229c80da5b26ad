"""Notebook 04: what trains in a block, adapters trained live, and what a hundred tasks cost."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple

import ipywidgets
import numpy as np
import torch
from torch import nn

from labkit import encoders, tasks, transfer
from labkit.adapters import storage_cost as storage
from labkit.adapters.comparison import TUNED
from labkit.adapters.figures import draw_block, draw_storage, size
from labkit.adapters.layers import Adapted, Wrapper
from labkit.adapters.methods import METHODS, Method, count, insert, remove
from labkit.adapters.parts import HALVES, Parts, parts_of
from labkit.figures import describe_history, draw_history
from labkit.ui.controls import Dice, menu
from labkit.ui.panel import Panel, panel
from labkit.ui.steps import Step, finish

CLASSES = 12


def width_slider() -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(8, 1, 64, description="Width or rank")


# ------------------------------------------------ what trains


class Block(NamedTuple):
    """What one method inserts and trains."""

    method: str
    trains: dict[str, int]  # part of figures.PARTS -> numbers that train in it, in one block
    once: tuple[str, ...]  # of these parts, those that are not in every block
    beside: tuple[str, ...]  # adapters that stand beside their layer
    count: int
    total: int
    depth: int

    @property
    def absent(self) -> tuple[str, ...]:
        """What this method does not insert."""
        new = ("tokens", *(f"after_{half}" for half in HALVES))
        return tuple(part for part in new if not self.trains[part])


def compute_block(encoder: nn.Module, method: str, width: int) -> Block:
    """Insert the method, count what trains, and take it out again."""
    chosen, parts = METHODS[method].with_width(width), parts_of(encoder)
    insert(encoder, chosen, torch.Generator().manual_seed(0))
    blocks = parts.blocks_of(encoder)
    try:
        trains, beside = count_block(blocks[0], parts)
        trains["norm"] = count(encoder.get_submodule(parts.norm))
        trains["patches"] = count(encoder) - count(blocks) - trains["norm"]  # and their positions
        trained, total = count(encoder), sum(p.numel() for p in encoder.parameters())
    finally:
        remove(encoder)
    head = trains["head"] = (parts.dim_of(encoder) + 1) * CLASSES
    once = ("patches", "norm", "head", *(("tokens",) if chosen.blocks else ()))
    return Block(method, trains, once, beside, trained + head, total + head, len(blocks))


def count_block(block: nn.Module, parts: Parts) -> tuple[dict[str, int], tuple[str, ...]]:
    """What trains in one block, part by part, and which adapters stand beside their layer."""
    inner = block.original if isinstance(block, Wrapper) else block
    found, beside = {"tokens": count(block) - count(inner)}, []
    for name in ("norm1", "norm2", *HALVES):
        layer = inner.get_submodule(getattr(parts, name))
        if isinstance(layer, Adapted):
            found[f"after_{name}"] = count(layer.adapter)
            beside += [f"after_{name}"] if layer.parallel else []
            layer = layer.layer
        found[name] = count(layer)
    return {f"after_{half}": 0 for half in HALVES} | found, tuple(beside)


def describe_block(result: Block) -> str:
    parts = {name: count for name, count in result.trains.items() if count}
    said = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in parts.items())
    return (
        f"With {TUNED[result.method].name}, what is coloured trains and the rest stays. That is "
        f"{result.count:,} of {result.total:,} numbers ({result.count / result.total:.1%}). "
        f"In one of {result.depth} blocks, and around: {said}."
    )


def transformer_block() -> Panel:
    """Which parts of the transformer train, by method and width."""
    return panel(
        partial(compute_block, encoders.load("clip-vit").image),
        draw_block,
        describe_block,
        size=(9, 3.2),
        title="What trains? A block of the transformer, and what stands around it",
        method=menu("Method", {look.name: m for m, look in TUNED.items()}, "adapters"),
        width=width_slider(),
    )


# ------------------------------------------------ adapters, trained live

LIVE_STEPS, LIVE_TEST = 60, 160  # images of each test on the way; all of them at the end


class Live(NamedTuple):
    """One training run, and at its end the probe that it is to be compared with."""

    histories: dict[str, tuple[transfer.Moment, ...]]  # of the probe, and by `name`
    method: Method
    lr: float
    count: int
    chance: float
    task: str
    name: str  # of the method, a key of METHODS


def training(
    encoder: nn.Module, task: tasks.Task, probe: Callable[[], transfer.Moment], method: Method,
    lr: float, seed: int, name: str = "adapters",
) -> Iterator[Step]:  # fmt: skip
    """Train what `method` inserts on the task; then measure it beside a probe of the encoder."""
    generator = torch.Generator().manual_seed(seed)
    model = transfer.new_classifier(encoder, len(task.classes), generator)
    insert(model.encoder, method, generator)
    schedule = transfer.Schedule(LIVE_STEPS, optimizer="adam", record_every=LIVE_STEPS // 12 or 1)
    result = Live({}, method, lr, count(model), task.chance, task.name, name)
    for step, history in transfer.follow(model, glance(task), lr, generator, schedule):
        if history != result.histories.get(name):
            result = result._replace(histories={name: history})
        yield Step(step / LIVE_STEPS, f"step {step} of {LIVE_STEPS}", result)
    end = transfer.moment(LIVE_STEPS, model, task)
    histories = {"probe": (probe(),), name: (*history[:-1], end)}
    yield Step(1.0, "the end", result._replace(histories=histories))


def glance(task: tasks.Task) -> tasks.Task:
    """The task with LIVE_TEST images of each test, which are quick to look at."""

    def some(x: tasks.Examples) -> tasks.Examples:
        order = torch.randperm(len(x.labels), generator=torch.Generator().manual_seed(0))
        return x.at(order[:LIVE_TEST])

    return replace(task, test=some(task.test), ood={name: some(x) for name, x in task.ood.items()})


def compute_live(
    encoder: nn.Module, task: tasks.Task, probe: transfer.Moment, *args, progress=None, **kwargs
) -> Live:
    """The end of `training`, of the same arguments."""
    return finish(training(encoder, task, lambda: probe, *args, **kwargs), progress)


def draw_live(ax, result: Live) -> None:
    right = result.histories[result.name][-1].id
    said = f"{right:.0%} right"
    if "probe" in result.histories:
        said = f"{100 * (right - result.histories['probe'][-1].id):+.0f} points against the probe"
    title = f"{result.count:,} numbers trained: {said}"
    draw_history(ax, result.histories, result.chance, title, TUNED, steps=LIVE_STEPS)


def describe_live(result: Live) -> str:
    blocks = ", ".join(map(str, result.method.blocks or ())) or "all"
    return (
        f"{describe_history(result.histories, TUNED)} "
        f"{result.task}: {TUNED[result.name].name} of width {result.method.width} in blocks "
        f"{blocks}, learning rate {result.lr:g}: {result.count:,} numbers trained. "
        f"Always guessing the largest class gives {result.chance:.0%}."
    )


def block_menu(depth: int) -> dict[str, tuple[int, ...]]:
    """Name -> blocks to insert something into, each choice once."""
    half, blocks = depth // 2, tuple(range(depth))
    menu = {f"all {depth}": blocks, "the first": blocks[:1], "the last": blocks[-1:]}
    if half > 1:
        menu |= {f"first {half}": blocks[:half], f"last {half}": blocks[-half:]}
    return menu if depth > 1 else {"the only one": blocks}


def train_adapters(encoder: nn.Module, task: tasks.Task) -> Panel:
    """Choose method, width, blocks and learning rate; train in seconds."""
    blocks = block_menu(len(parts_of(encoder).blocks_of(encoder)))
    methods = {look.name: m for m, look in TUNED.items() if METHODS[m].width}

    @cache
    def probe() -> transfer.Moment:
        return transfer.moment(0, transfer.linear_probe(encoder, task).model, task)

    def compute(width, method, blocks, lr, seed) -> Iterator[Step]:
        chosen = METHODS[method].with_width(width)
        chosen = replace(chosen, blocks=chosen.blocks or blocks)
        return training(encoder, task, probe, chosen, lr, seed, method)

    return panel(
        compute,
        draw_live,
        describe_live,
        button="Train",
        title=f"Train adapters: {task.name}",
        width=width_slider(),
        method=menu("Method", methods, "adapters"),
        blocks=menu("Blocks", blocks),
        lr=menu("Learning rate", [0.0005, 0.002, 0.006, 0.02, 0.06], 0.02),
        seed=Dice(max=9, description="Another seed"),
    )


# ------------------------------------------------ what tasks cost to keep

COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]  # of tasks, on the slider
CURVE = np.unique(np.geomspace(1, 1000, 31).round().astype(int)).tolist()


class Storage(NamedTuple):
    """Megabytes by method, for some number of tasks and for all from 1 to 1,000."""

    megabytes: dict[str, float]
    curves: dict[str, np.ndarray]  # (points, 2): tasks, megabytes
    tasks: int
    where: tuple[storage.Backbone, int]  # the backbone and the width
    precision: int  # bytes for each number


def compute_storage(tasks: int, width: int, backbone: str, precision: int) -> Storage:
    where = storage.BACKBONES[backbone], width

    def cost(method: str, n: int) -> float:
        return storage.megabytes(method, *where, n, precision)

    found = {method: cost(method, tasks) for method in storage.COMPARED}
    curves = {m: np.array([(n, cost(m, n)) for n in CURVE]) for m in found}
    return Storage(found, curves, tasks, where, precision)


def describe_storage(result: Storage) -> str:
    parts = [f"{TUNED[method].name} {size(cost)}" for method, cost in result.megabytes.items()]
    backbone, width = result.where
    return (
        f"{result.tasks:,} tasks share one backbone, {backbone.name}. At width or rank {width} and "
        f"{result.precision} bytes for each number they take, with it: {', '.join(parts)}."
    )


def storage_calculator() -> Panel:
    """ "100 tasks cost ..." by method."""
    return panel(
        compute_storage,
        draw_storage,
        describe_storage,
        size=(9, 4.2),
        title="What do many tasks cost to keep?",
        tasks=ipywidgets.SelectionSlider(
            options=[(f"{n:,}", n) for n in COUNTS], value=100, description="Tasks"
        ),
        width=width_slider(),
        backbone=menu("Backbone", list(storage.BACKBONES)),
        precision=menu("Precision", {"half (2 bytes)": 2, "single (4 bytes)": 4}, 4),
    )
