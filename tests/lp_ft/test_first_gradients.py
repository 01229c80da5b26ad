"""How hard the probe's head pulls at the encoder in LP-FT's first step, beside a random head."""

import torch
import torch.nn.functional as F
from torch import Generator

from labkit import data, encoders, tasks, transfer


def pull(encoder, head, images, labels) -> float:
    """The length of the gradient of the encoder's weights, BatchNorm's statistics frozen."""
    loss = F.cross_entropy(head(encoder(images)), labels)
    gradients = torch.autograd.grad(loss, list(encoder.parameters()))
    return torch.cat([x.flatten() for x in gradients]).norm().item()


def first_step(encoder, task: tasks.Task) -> tuple[float, float]:
    """Share of labels that the probe fits, and its pull relative to a random head's.

    The pull is the mean over two batches of 32, as in training, of which the share is, too.
    """
    draw = Generator().manual_seed(0)
    random = transfer.new_classifier(encoder, len(task.classes), draw)
    probe = transfer.linear_probe(encoder, task).model
    order = torch.randperm(len(task.train.labels), generator=draw)[:64]
    some = tasks.Examples(task.train.images[order], task.train.labels[order])
    batches = list(zip(some.images.split(32), some.labels.split(32), strict=True))
    ours, theirs = (
        sum(pull(encoder, model.head, *batch) for batch in batches) for model in (probe, random)
    )
    return transfer.accuracy(probe, some), ours / theirs


def test_only_a_head_that_fits_nearly_all_labels_spares_the_features() -> None:
    """What notebook 06 says of its remedy; on its own task the probe's head pulls harder."""
    encoder = encoders.load("clip-conv").image
    one = tasks.style_shift(("twemoji",), ("fluent-mono",))
    few = tasks.few_shot(one, 20, Generator().manual_seed(0))
    six = tasks.style_shift(data.COLOUR_STYLES, data.SHADED_STYLES + data.MONO_STYLES)
    fits, pulls = zip(*(first_step(encoder, task) for task in (one, few, six)), strict=True)
    assert fits[0] > 0.98 and pulls[0] < 0.6, "all labels of one style are fitted"
    assert fits[1] < 0.9 and pulls[1] > 1.1, "20 labels per class: held short, it does not fit"
    assert fits[2] < 0.9 and pulls[2] > 1.5, "six styles, the notebook's: nor here"
