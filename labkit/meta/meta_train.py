"""Meta-train the few-shot network on upstream concepts: `python -m labkit.meta.meta_train maml`.

Writes data/fewshot/<method>.safetensors and its learning curve (.csv). Five-way one-shot episodes
of all styles. Validation concepts say how it is going and chose nothing: MAML's inner rate and
number of steps are its paper's, and Adam's rate was not searched.
"""

import argparse
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from labkit import data, encoders, meta
from labkit.files import a_path, make_folder, told, write_csv
from labkit.inputs import check_choice, whole
from labkit.meta import fewshot
from labkit.meta.fewshot import META_TRAINED


@dataclass(frozen=True)
class MetaTraining:
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
        check_choice("method", (self.method,), META_TRAINED)
        for name in ("steps", "ways", "shots", "queries", "width"):
            whole(name, getattr(self, name), 1)
        whole("tasks", self.tasks, 1, 1000)  # all of them at once in memory
        whole("seed", self.seed, 0)

    def sample(self, emoji: data.Emoji, count: int, generator: torch.Generator) -> meta.TaskBatch:
        size = (self.ways, self.shots, self.queries)
        return fewshot.sample(emoji, count, *size, generator)

    def algorithm(self, model: nn.Sequential) -> meta.Algorithm:
        """The A that is meta-trained through."""
        if self.method == "prototypes":
            return meta.Prototypes(model.body)
        return meta.GradientDescent(model, self.inner_lr, self.inner_steps, F.cross_entropy)


def meta_train(config: MetaTraining, every: int, folder: Path) -> list[float]:
    """Meta-train from random weights, validate every so often, then write weights and curve.

    The same config gives the same weights. An interrupted run leaves what was there, and begins
    anew. Returns the losses.
    """
    whole("every", every, 1)
    make_folder(folder)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)  # torch's layers draw from the global generator only
        model = fewshot.network(config.width, config.ways)
    upstream, validation = (data.load(parts=part) for part in ("upstream", "validation"))
    generator, algorithm = torch.Generator().manual_seed(config.seed), config.algorithm(model)
    batches = (config.sample(upstream, config.tasks, generator) for _ in range(config.steps))
    fixed = config.sample(validation, 100, torch.Generator().manual_seed(1))
    rows, recent = [("step", "loss", "validation")], deque(maxlen=every)
    bar = tqdm(total=config.steps, desc=config.method)

    def on_step(step: int, loss: float) -> None:
        bar.update()
        recent.append(loss)
        if step % every == 0 or step == config.steps:
            right = fewshot.accuracies(algorithm, fixed).mean().item()
            rows.append((step, f"{sum(recent) / len(recent):.4f}", f"{right:.4f}"))
            bar.set_postfix(loss=rows[-1][1], validation=rows[-1][2])

    losses = meta.train(
        model, lambda tasks: meta.objective(algorithm, tasks, F.cross_entropy), batches, config.lr,
        on_step, decay_steps=config.steps,
    )  # fmt: skip
    path = folder / f"{config.method}.safetensors"
    encoders.save(model, asdict(config), path)
    write_csv(path.with_suffix(".csv"), rows)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("method", choices=META_TRAINED)
    parser.add_argument("--steps", type=int, default=MetaTraining.steps)
    parser.add_argument("--tasks", type=int, default=MetaTraining.tasks, help="in a batch")
    parser.add_argument("--out", type=a_path, default=data.DATA / "fewshot")
    parser.add_argument("--every", type=int, default=200, help="steps between two validations")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        config = MetaTraining(arguments.method, arguments.steps, arguments.tasks)
        whole("every", arguments.every, 1)
    except ValueError as error:
        parser.error(str(error))
    with told("--out", ValueError, FloatingPointError):
        meta_train(config, arguments.every, arguments.out)


if __name__ == "__main__":
    main()
