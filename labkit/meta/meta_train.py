"""Meta-train the few-shot network on upstream concepts: `python -m labkit.meta.meta_train maml`.

Writes data/fewshot/<method>.safetensors and its learning curve beside it (.csv). Five-way one-shot
episodes of all styles; nothing of a downstream concept is trained on. Every so often, episodes of
validation concepts say how it is going. They chose nothing: MAML's inner rate and number of steps
are its paper's, and Adam's rate was not searched.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from labkit import data, encoders, meta
from labkit.files import make_folder, told, write_csv
from labkit.inputs import check_choice, whole
from labkit.meta import fewshot


@dataclass(frozen=True)
class Config:
    """All that decides the weights, stored with them."""

    method: str
    steps: int = 2000
    tasks: int = 8  # a batch
    ways: int = 5
    shots: int = 1
    queries: int = 2
    width: int = 24
    lr: float = 2e-3  # Adam's, decayed by a cosine
    inner_lr: float = 0.4  # MAML's for Omniglot (Finn et al. 2017, appendix A.1): one step of .4
    inner_steps: int = 1  # in training, as there; more when the weights are used
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "tasks", "ways", "shots", "queries", "width"):
            whole(name, getattr(self, name), 1)
        whole("seed", self.seed, 0)


METHODS = ("maml", "prototypes")
COLUMNS = ("step", "loss", "validation")


def algorithm(model: nn.Sequential, config: Config) -> meta.Algorithm:
    """The A that is meta-trained through."""
    if config.method == "prototypes":
        return meta.Prototypes(model.body)
    return meta.GradientDescent(model, config.inner_lr, config.inner_steps, F.cross_entropy)


def batches(config: Config) -> Iterator[meta.TaskBatch]:
    upstream = data.load(parts="upstream")
    generator = torch.Generator().manual_seed(config.seed)
    size = (config.tasks, config.ways, config.shots, config.queries)
    for _ in range(config.steps):
        yield fewshot.sample(upstream, *size, generator)


def run(config: Config, on_step: Callable[[nn.Module, int, float], None]) -> nn.Sequential:
    """Meta-train from random weights; the same config gives the same weights.

    `on_step(model, step, loss)` is called after each step. Raises ValueError for an unknown method.
    """
    check_choice("method", (config.method,), METHODS)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # torch's layers draw from the global generator only
        model = fewshot.network(config.width, config.ways)

    def loss(tasks: meta.TaskBatch) -> Tensor:
        return meta.objective(algorithm(model, config), tasks, F.cross_entropy)

    def report(step: int, value: float) -> None:
        on_step(model, step, value)

    meta.train(model, loss, batches(config), config.lr, report, decay_steps=config.steps)
    return model.eval()


def validation_episodes(config: Config, count: int = 100) -> meta.TaskBatch:
    """Fixed episodes of validation concepts, all styles."""
    emoji = data.load(parts="validation")
    size = (count, config.ways, config.shots, config.queries)
    return fewshot.sample(emoji, *size, torch.Generator().manual_seed(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--steps", type=int, default=Config.steps)
    parser.add_argument("--tasks", type=int, default=Config.tasks, help="in a batch")
    parser.add_argument("--out", type=Path, default=data.DATA / "fewshot")
    parser.add_argument("--every", type=int, default=200, help="steps between two validations")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    config = Config(arguments.method, arguments.steps, arguments.tasks)
    with told("--out"):
        meta_train(config, arguments.every, arguments.out)


def meta_train(config: Config, every: int, folder: Path) -> None:
    """Run, validate every so often, and write weights and curve at the end, not before.

    An interrupted run leaves what was there, begins anew, and ends in the same weights.
    """
    whole("every", every, 1)
    make_folder(folder)
    path = folder / f"{config.method}.safetensors"
    episodes, rows, losses = validation_episodes(config), [], []
    bar = tqdm(total=config.steps, desc=config.method)

    def on_step(model: nn.Module, step: int, loss: float) -> None:
        bar.update()
        losses.append(loss)
        if step % every == 0 or step == config.steps:
            right = fewshot.accuracies(algorithm(model, config), episodes).mean().item()
            recent = losses[-every:]
            rows.append((step, f"{sum(recent) / len(recent):.4f}", f"{right:.4f}"))
            bar.set_postfix(loss=rows[-1][1], validation=rows[-1][2])

    model = run(config, on_step)
    encoders.save(model, asdict(config), path)
    write_csv(path.with_suffix(".csv"), [COLUMNS, *rows])


if __name__ == "__main__":
    main()
