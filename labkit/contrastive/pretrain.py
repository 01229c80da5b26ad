"""Make the shipped weights: pretraining on upstream concepts only, contrastive or by labels.

    python -m labkit.contrastive.pretrain clip --architecture conv
    torchrun --nproc-per-node 2 -m labkit.contrastive.pretrain clip  # the same batches

A quarter of a batch are icons, the rest emoji, each of another caption, so that no negative is the
same thing drawn otherwise (two captions may still mean one thing: "car" and "sports car").

Every step draws its batch and its augmentations from a generator seeded by (seed, step). A run that
was interrupted and resumed from its checkpoint therefore ends in the same weights, and processes
under torchrun agree on the batch without talking about it. Each process normalises by the BatchNorm
statistics of its own share, so with the convolutional encoder two processes train a little
differently from one; the transformer's LayerNorm looks at one image only, and its losses are equal.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from inspect import signature
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from sklearn.preprocessing import MultiLabelBinarizer
from torch import Generator, Tensor, nn
from torch.distributed.nn.functional import all_gather
from tqdm import tqdm

from labkit import augment, data, optimizers
from labkit.contrastive.losses import clip_loss, nt_xent
from labkit.contrastive.upstream import Entry, Upstream, draw_caption, load_upstream
from labkit.encoders import ARCHITECTURES, Clip, Supervised, build, save
from labkit.files import a_path, make_place, told, write_csv
from labkit.inputs import above_0, at_least_0, check_choice, real, refused, whole
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
    batch: int = 256  # pictures, each of another caption
    icons: float = 0.25  # share of the batch; the rest are emoji
    text: str = "words"  # CLIP's text encoder: "words" from a table, or "letters" learned here
    lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05  # share of the steps
    temperature: float = 0.2  # SimCLR's; CLIP learns its own
    seed: int = 0
    augmentation: dict = field(default_factory=dict)  # changes to the preset, e.g. {"flip": 0}

    def __post_init__(self) -> None:
        check_choice("method", (self.method,), PRETRAININGS)
        check_choice("architecture", (self.architecture,), tuple(ARCHITECTURES))
        check_choice("text", (self.text,), ("words", "letters"))
        whole("steps", self.steps, 1)
        whole("batch", self.batch, 2)
        real("icons", self.icons, 1)
        above_0("lr", self.lr)
        above_0("temperature", self.temperature)
        at_least_0("weight_decay", self.weight_decay)
        real("warmup", self.warmup, 1)
        whole("seed", self.seed, 0, 10**12)  # times the steps' 1,000,003 it is still one of torch's
        for name in ("options", "augmentation"):
            if not isinstance(getattr(self, name), dict):
                raise refused(name, getattr(self, name), "a dictionary", TypeError)
        self.try_options()
        unknown = sorted(set(self.augmentation) - {f.name for f in fields(augment.Augmentation)})
        if unknown:
            raise refused("augmentation", unknown, "fields of Augmentation")
        self.make_augmentation()  # refuses a value out of range

    def try_options(self) -> None:
        """Raise ValueError for options that make no network, or one for other pictures."""
        make = ARCHITECTURES[self.architecture]
        try:
            for name, value in self.options.items():
                whole(name, value, 1)
            with torch.random.fork_rng(), torch.no_grad():
                make(**self.options).eval()(torch.zeros(1, 3, 32, 32))
        except (TypeError, ValueError, RuntimeError) as error:
            known = ", ".join(signature(make).parameters)
            accepted = f"whole numbers for {known}, that fit 32 x 32 pictures\n({error})"
            raise refused("options", self.options, accepted) from None

    def make_augmentation(self) -> augment.Augmentation:
        """The method's preset with this run's changes: what the encoder learns to ignore.

        Most icons are black: half of them are drawn in a colour.
        """
        preset = augment.SIMCLR if self.method == "simclr" else augment.CLIP
        return replace(preset, **{"tint": 0.5 if self.icons else 0.0, **self.augmentation})


def batch_loss(
    model: nn.Module, images: Tensor, entries: list[Entry], config: Config, step: int
) -> Tensor:
    """The loss of one batch; under torchrun each process embeds its share, and all compare all."""
    generator, augmentation = step_generator(config.seed + 1, step), config.make_augmentation()
    if isinstance(model, Supervised):
        logits = gather(model(share(augmentation(images, generator))))
        return F.cross_entropy(logits, label_shares(entries, model.labels))
    if isinstance(model, Clip):
        captions = [draw_caption(entry, generator) for entry in entries]
        image = gather(model.embed_images(share(augmentation(images, generator))))  # (n, dim)
        text = gather(model.embed_captions(share(captions)))
        return clip_loss(image, text, model.logit_scale)
    views = [augmentation(images, generator) for _ in range(2)]
    one, two = (gather(model.embed_images(share(view))) for view in views)
    return nt_xent(one, two, config.temperature)


def label_shares(entries: list[Entry], labels: tuple[str, ...]) -> Tensor:
    """Each picture's labels, with equal shares of 1; all zeros for one without. (n, labels)"""
    binarizer = MultiLabelBinarizer(classes=labels)
    has = torch.from_numpy(binarizer.fit_transform([entry.labels for entry in entries]))
    return has / has.sum(dim=1, keepdim=True).clamp(min=1)


def share(batch):
    """This process's slice of a batch (all of it outside torchrun)."""
    size = share_size(len(batch))
    rank = dist.get_rank() if dist.is_initialized() else 0
    return batch[rank * size : (rank + 1) * size]


def share_size(batch: int) -> int:
    """Each process's part of a batch; ValueError when some images would belong to nobody."""
    processes = dist.get_world_size() if dist.is_initialized() else 1
    if batch % processes:
        raise refused("batch", batch, f"a multiple of the {processes} processes")
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
    warmup = max(1, round(config.warmup * config.steps))
    if step < warmup:
        return config.lr * (step + 1) / warmup
    return config.lr * (1 + math.cos(math.pi * (step - warmup) / max(1, config.steps - warmup))) / 2


def make_model(config: Config, entries: Sequence[Entry] = ()) -> tuple[nn.Module, dict]:
    """The untrained network for these entries and what to store beside its weights."""
    stored = asdict(config)
    if config.method == "clip" and config.text == "letters":
        captions = [" ".join([entry.name, *entry.keywords]) for entry in entries]
        stored["vocabulary"] = make_vocabulary(captions)
    if config.method == "supervised":
        stored["labels"] = sorted({label for entry in entries for label in entry.labels})
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # torch initialises layers from its global generator only
        return build(stored), stored


def make_optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """AdamW; matrices and kernels decay, vectors and scalars (norms, biases, the scale) do not."""
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": rest}]
    return optimizers.AdamW(groups, lr=config.lr, weight_decay=0)


def take_step(model: nn.Module, optimizer, upstream: Upstream, config: Config, step: int) -> float:
    """Step number `step` of a run; its loss. Raises FloatingPointError when that is not finite."""
    images, entries = upstream.draw(config.batch, step_generator(config.seed, step), config.icons)
    loss = batch_loss(model, images, entries, config, step)
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

    Raises ValueError when the checkpoint is damaged or was made with another configuration, when
    the batch cannot be divided among the processes or is larger than the captions, and for an `out`
    that is a .csv; OSError, before any work, for a folder that cannot be written to.
    """
    share_size(config.batch)  # before any work
    if out.suffix == ".csv":
        raise refused("out", out, "another name than the learning curve's, which ends in .csv")
    make_place(out)
    upstream = load_upstream(icons=config.icons > 0)
    model, stored = make_model(config, upstream.emoji + upstream.icons)
    optimizer = make_optimizer(model, config)
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    curve = restore(checkpoint, model, optimizer, config) if checkpoint.exists() else []
    agree(checkpoint, curve)
    is_first = not dist.is_initialized() or dist.get_rank() == 0
    model.train()
    begun = time.monotonic()
    with tqdm(total=config.steps, initial=len(curve), disable=not is_first) as bar:
        for step in range(len(curve), config.steps):
            curve.append(take_step(model, optimizer, upstream, config, step))
            bar.update()
            bar.set_postfix(loss=f"{curve[-1]:.3f}", refresh=False)
            if is_first and (step + 1) % checkpoint_every == 0:
                remember(checkpoint, model, optimizer, config, curve)
    if is_first:
        save(model, {**stored, "minutes": round((time.monotonic() - begun) / 60, 1)}, out)
        write_curve(out.with_suffix(".csv"), curve)
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
    parser.add_argument("--out", type=a_path, help="else data/weights/METHOD-ARCHITECTURE")
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    try:
        config = Config(**arguments)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    return config, out or data.DATA / f"weights/{config.method}-{config.architecture}.safetensors"


def main() -> None:
    config, out = parse_arguments()
    if "RANK" in os.environ:  # started by torchrun
        dist.init_process_group("gloo")
    with told("--out", ValueError, FloatingPointError):
        pretrain(config, out)
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
