"""Few-shot emoji: episodes as batches of tasks, a four-layer network, and its shipped weights."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from labkit import data, meta, tasks
from labkit.inputs import check_choice, refused, whole
from labkit.weights import parse_tensors

# In which styles a concept is shown, and in which it is asked about. A style draws it once, so
# "within" means within the family of flat colour drawings.
SETTINGS = {
    "within": (data.COLOUR_STYLES, data.COLOUR_STYLES),
    "across": (data.COLOUR_STYLES, data.MONO_STYLES),
}
META_TRAINED = ("maml", "prototypes")  # files in data/fewshot

INNER_LR, STEPS = 0.4, 3  # the rate of meta-training; its one step and two more, as in the paper


def network(width: int = 32, ways: int = 5) -> nn.Sequential:
    """The papers' four-layer network for 32 pixels: `.body` gives features, `.head` logits.

    Stride-2 convolutions instead of max-pooling and GroupNorm instead of BatchNorm, so that each
    task can have its own weights. The first layer takes each picture's mean and scale away.
    """
    groups = 4
    if whole("width", width, 1) % groups:
        raise refused("width", width, f"a multiple of {groups}")
    whole("ways", ways, 1)
    layers: list[nn.Module] = [nn.GroupNorm(3, 3, affine=False)]
    for channels in (3, width, width, width):
        convolution = nn.Conv2d(channels, width, 3, stride=2, padding=1)
        layers += [convolution, nn.GroupNorm(groups, width), nn.ReLU()]
    body = nn.Sequential(*layers, nn.Flatten())  # (n, 3, 32, 32) -> (n, 4 * width)
    return nn.Sequential(OrderedDict(body=body, head=nn.Linear(4 * width, ways)))


def stack(episodes: Sequence[tasks.Episode]) -> meta.TaskBatch:
    """Episodes of one size as tensors: images (tasks, n, 3, size, size) in [0, 1], labels.

    Where features (n, dim) stand in for images, they are stacked as they are.
    """
    parts = zip(*((*e.support, *e.query) for e in episodes), strict=True)
    stacked = (torch.stack(part) for part in parts)
    return meta.TaskBatch(*(x.float() / 255 if x.dtype == torch.uint8 else x for x in stacked))


def sample(
    emoji: data.Emoji,
    count: int,
    ways: int,
    shots: int,
    queries: int,
    generator: Generator,
    styles: tuple[Sequence[str], Sequence[str]] = (data.STYLES, data.STYLES),
) -> meta.TaskBatch:
    """Draw `count` episodes (`labkit.tasks.sample_episode`) and stack them."""
    size = (ways, shots, queries, generator)
    count = whole("count", count, 1)
    return stack([tasks.sample_episode(emoji, *size, *styles) for _ in range(count)])


def maml(model: nn.Module, steps: int = STEPS) -> meta.GradientDescent:
    """The A that uses a meta-trained network: no second order, for nobody differentiates it."""
    return meta.GradientDescent(model, INNER_LR, steps, F.cross_entropy, first_order=True)


def accuracies(algorithm: meta.Algorithm, episodes: meta.TaskBatch) -> Tensor:
    """The share of right answers in each episode, (tasks,), after A has seen its support set."""
    meta.check_tasks(episodes)
    f = algorithm(episodes.support_x, episodes.support_y)
    logits = f(episodes.query_x)  # (tasks, m, classes)
    meta.check_labels(logits, episodes.query_y, "query_y")
    return (logits.argmax(dim=2) == episodes.query_y).float().mean(dim=1)


def load(name: str) -> nn.Sequential:
    """A meta-trained `network`: "maml" or "prototypes", in evaluation mode.

    Raises ValueError for an unknown name, DataError for a missing or damaged file.
    """
    check_choice("name", (name,), META_TRAINED)
    config, tensors = parse_tensors(data.read_bytes(f"fewshot/{name}.safetensors"))
    with torch.random.fork_rng(devices=[]):  # what layers draw is overwritten
        model = network(config["width"], config["ways"]).float()
    model.load_state_dict(tensors)
    return model.eval()
