"""Make the shipped weights: pretraining on upstream concepts only, contrastive or by labels.

    python -m labkit.contrastive.pretrain clip --architecture conv
    torchrun --nproc-per-node 2 -m labkit.contrastive.pretrain clip  # the same batches

Every step draws its batch and its augmentations from a generator seeded by (seed, step). A run that
was interrupted and resumed from its checkpoint therefore ends in the same weights, and processes
under torchrun agree on the batch without talking about it. Each process normalises by the BatchNorm
statistics of its own share, so with the convolutional encoder two processes train a little
differently from one; the transformer's LayerNorm looks at one image only, and its losses are equal.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torch.distributed.nn.functional import all_gather
from tqdm import tqdm

from labkit import augment, data
from labkit.contrastive.losses import clip_loss, nt_xent
from labkit.encoders import ARCHITECTURES, Clip, Supervised, build, save
from labkit.files import make_folder, told, write_csv
from labkit.inputs import above_0, at_least_0, check_choice, real, whole
from labkit.text import make_vocabulary
from labkit.weights import parse_tensors, write_tensors

PRETRAININGS = ("clip", "simclr", "supervised")


@dataclass(frozen=True)
class Config:
    """What a run is made of; stored in the weights file."""

    method: str = "clip"
    architecture: str = "conv"
    options: dict = field(default_factory=dict)  # of the architecture, e.g. {"width": 48}
    steps: int = 4000
    batch: int = 256  # distinct concepts, so that no negative is the same concept in another style
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05  # share of the steps
    temperature: float = 0.2  # SimCLR's; CLIP learns its own
    seed: int = 0
    augmentation: dict = field(default_factory=dict)  # changes to the preset, e.g. {"flip": 0}

    def __post_init__(self) -> None:
        check_choice("method", (self.method,), PRETRAININGS)
        check_choice("architecture", (self.architecture,), tuple(ARCHITECTURES))
        whole("steps", self.steps, 1)
        whole("batch", self.batch, 2)
        above_0("lr", self.lr)
        above_0("temperature", self.temperature)
        at_least_0("weight_decay", self.weight_decay)
        real("warmup", self.warmup, 1)
        unknown = sorted(set(self.augmentation) - {f.name for f in fields(augment.Augmentation)})
        if unknown:
            raise ValueError(f"augmentation: got {unknown}, accepted: fields of Augmentation")
        self.make_augmentation()  # refuses a value out of range

    def make_augmentation(self) -> augment.Augmentation:
        """The method's preset with this run's changes: what the encoder learns to ignore."""
        preset = augment.SIMCLR if self.method == "simclr" else augment.CLIP
        return replace(preset, **self.augmentation)


class Batches:
    """Draws a batch of distinct upstream concepts, each in one of its styles."""

    def __init__(self, emoji: data.Emoji) -> None:
        self.emoji = emoji
        order = emoji.concept.argsort(stable=True)
        self.positions, counts = emoji.concept.unique(return_counts=True)
        self.rows = order.split(counts.tolist())  # concept -> the rows that show it

    def draw(self, size: int, generator: Generator) -> data.Emoji:
        if size > len(self.rows):
            raise ValueError(f"batch: got {size}, accepted: at most {len(self.rows)}, the concepts")
        chosen = torch.randperm(len(self.rows), generator=generator)[:size]
        which = torch.rand(len(chosen), generator=generator)
        rows = [
            self.rows[i][int(u * len(self.rows[i]))]
            for i, u in zip(chosen.tolist(), which.tolist(), strict=True)
        ]
        return self.emoji[torch.stack(rows)]


def draw_caption(concept: data.Concept, generator: Generator) -> str:
    """The name, some of the keywords, or both: people look for things with either."""
    u = torch.rand(1 + len(concept.keywords), generator=generator).tolist()
    some = [word for word, chance in zip(concept.keywords, u[1:], strict=True) if chance < 0.3]
    if u[0] < 0.2 and some:
        return " ".join(some)
    return " ".join([concept.name, *some])


def batch_loss(model: nn.Module, batch: data.Emoji, config: Config, step: int) -> Tensor:
    """The loss of one batch; under torchrun each process embeds its share, and all compare all."""
    generator, augmentation = step_generator(config.seed + 1, step), config.make_augmentation()
    if isinstance(model, Supervised):
        own = [model.labels.index(data.concepts()[i].subgroup) for i in batch.concept.tolist()]
        images = augmentation(batch.images, generator)
        return F.cross_entropy(gather(model(share(images))), torch.tensor(own))
    if isinstance(model, Clip):
        captions = [draw_caption(data.concepts()[i], generator) for i in batch.concept.tolist()]
        images = augmentation(batch.images, generator)
        image = gather(model.embed_images(share(images)))  # (n, dim)
        text = gather(model.embed_captions(share(captions)))
        return clip_loss(image, text, model.logit_scale)
    views = [augmentation(batch.images, generator) for _ in range(2)]
    one, two = (gather(model.embed_images(share(view))) for view in views)
    return nt_xent(one, two, config.temperature)


def share(batch):
    """This process's slice of a batch (all of it outside torchrun)."""
    size = share_size(len(batch))
    rank = dist.get_rank() if dist.is_initialized() else 0
    return batch[rank * size : (rank + 1) * size]


def share_size(batch: int) -> int:
    """Each process's part of a batch; ValueError when some images would belong to nobody."""
    processes = dist.get_world_size() if dist.is_initialized() else 1
    if batch % processes:
        raise ValueError(f"batch: got {batch}, accepted: a multiple of the {processes} processes")
    return batch // processes


def gather(features: Tensor) -> Tensor:
    """The features of all processes, in order, with gradients (unchanged outside torchrun)."""
    return torch.cat(all_gather(features)) if dist.is_initialized() else features


def average_gradients(model: nn.Module) -> None:
    """Mean over processes: each has the whole loss, and `gather` adds up the gradients of all."""
    if dist.is_initialized():
        for parameter in model.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= dist.get_world_size()


def step_generator(seed: int, step: int) -> Generator:
    return Generator().manual_seed(seed * 1_000_003 + step)


def learning_rate(config: Config, step: int) -> float:
    """Linear warm-up, then half a cosine down to zero at config.steps."""
    real("step", step, config.steps)
    warmup = max(1, round(config.warmup * config.steps))
    if step < warmup:
        return config.lr * (step + 1) / warmup
    return config.lr * (1 + math.cos(math.pi * (step - warmup) / max(1, config.steps - warmup))) / 2


def make_model(config: Config) -> tuple[nn.Module, dict]:
    """The untrained network and what to store beside its weights."""
    stored = asdict(config)
    upstream = [concept for concept in data.concepts() if concept.part == "upstream"]
    if config.method == "clip":
        captions = [" ".join([concept.name, *concept.keywords]) for concept in upstream]
        stored["vocabulary"] = make_vocabulary(captions)
    if config.method == "supervised":
        stored["labels"] = sorted({concept.subgroup for concept in upstream})
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # torch initialises layers from its global generator only
        return build(stored), stored


def make_optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """AdamW; matrices and kernels decay, vectors and scalars (norms, biases, the scale) do not."""
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": rest}]
    return torch.optim.AdamW(groups, lr=config.lr, weight_decay=0)


def take_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, batches: Batches, config: Config, step: int
) -> float:
    """Step number `step` of a run; its loss. Raises FloatingPointError when that is not finite."""
    batch = batches.draw(config.batch, step_generator(config.seed, step))
    loss = batch_loss(model, batch, config, step)
    if not torch.isfinite(loss):
        raise FloatingPointError(f"the loss became {loss.item()} at step {step}: lower --lr")
    optimizer.zero_grad()
    loss.backward()
    average_gradients(model)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(config, step)
    optimizer.step()
    return loss.item()


def pretrain(config: Config, out: Path, checkpoint_every: int = 200) -> nn.Module:
    """Train, write `out` (weights) and its .csv (learning curve); resume from `out`'s checkpoint.

    Raises ValueError when the checkpoint is damaged or was made with another configuration, or when
    the batch cannot be divided among the processes; OSError, before any work, for a folder that
    cannot be written to.
    """
    share_size(config.batch)  # before any work
    make_folder(out.parent)
    model, stored = make_model(config)
    optimizer = make_optimizer(model, config)
    batches = Batches(data.load(parts="upstream"))
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    curve = restore(checkpoint, model, optimizer, config) if checkpoint.exists() else []
    agree(checkpoint, curve)
    is_first = not dist.is_initialized() or dist.get_rank() == 0
    model.train()
    begun = time.monotonic()
    bar = tqdm(total=config.steps, initial=len(curve), disable=not is_first)
    for step in range(len(curve), config.steps):
        curve.append(take_step(model, optimizer, batches, config, step))
        bar.update()
        bar.set_postfix(loss=f"{curve[-1]:.3f}", refresh=False)
        if is_first and (step + 1) % checkpoint_every == 0:
            remember(checkpoint, model, optimizer, config, curve)
    bar.close()
    if is_first:
        write_curve(out.with_suffix(".csv"), curve)
        save(model, {**stored, "minutes": round((time.monotonic() - begun) / 60, 1)}, out)
        checkpoint.unlink(missing_ok=True)
    return model.eval()


def remember(path: Path, model: nn.Module, optimizer, config: Config, curve: list[float]) -> None:
    """Write everything the next step depends on, without pickle; all of it or nothing."""
    tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{i}/{name}": value for name, value in state.items()}
    tensors["curve"] = torch.tensor(curve, dtype=torch.float64)
    write_tensors(tensors, asdict(config), path)


def restore(path: Path, model: nn.Module, optimizer, config: Config) -> list[float]:
    """Undo `remember`; return the losses so far."""
    try:
        found, tensors = parse_tensors(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}). Delete it to start afresh.") from error
    if found != asdict(config):
        raise ValueError(f"{path} belongs to another run: {found}. Delete it to start afresh.")
    model.load_state_dict(
        {name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")}
    )
    saved = optimizer.state_dict()
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, i, key = name.split("/")
            saved["state"].setdefault(int(i), {})[key] = value
    optimizer.load_state_dict(saved)
    return tensors["curve"].tolist()


def agree(checkpoint: Path, curve: list[float]) -> None:
    """Raise ValueError, in all of torchrun's processes, unless they go on from the same step."""
    if dist.is_initialized():
        found: list = [None] * dist.get_world_size()
        dist.all_gather_object(found, curve)
        if any(other != curve for other in found):
            raise ValueError(
                f"{checkpoint}: the processes found {[len(other) for other in found]} steps in it, "
                "accepted: the same. Copy one file to every machine, or delete it everywhere."
            )


def write_curve(path: Path, curve: list[float], every: int = 50) -> None:
    """The mean loss of every 50 steps (fewer at the end), as a small table."""
    parts = [(begin, curve[begin : begin + every]) for begin in range(0, len(curve), every)]
    rows = [(begin + len(part), f"{sum(part) / len(part):.4f}") for begin, part in parts]
    write_csv(path, [("step", "loss"), *rows])


def parse_arguments() -> tuple[Config, Path]:
    """The run and its file: an option for each field of `Config`, dicts as JSON."""
    shown = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=shown)
    parser.add_argument("method", help=", ".join(PRETRAININGS))
    for name, default in list(asdict(Config()).items())[1:]:
        kind = json.loads if isinstance(default, dict) else type(default)
        text = "JSON" if kind is json.loads else kind.__name__
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=text)
    parser.add_argument("--out", type=Path, help="else data/weights/METHOD-ARCHITECTURE")
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    try:
        config = Config(**arguments)
    except ValueError as error:
        parser.error(str(error))
    return config, out or data.DATA / f"weights/{config.method}-{config.architecture}.safetensors"


def main() -> None:
    config, out = parse_arguments()
    if "RANK" in os.environ:  # started by torchrun
        dist.init_process_group("gloo")
    with told("--out"):
        pretrain(config, out)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
