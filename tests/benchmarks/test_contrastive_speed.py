"""Forward and backward of the contrastive losses: ours and the peers', CPU time.

Batches of 128, 512 and 2048 features of 128 numbers, float32.

Ours are the readable losses, and there is no second, fused path: of a pretraining step (batch 256,
`ConvEncoder(width=32)`) the loss is half a percent, so that a loss five times as fast would
save less than one part in 200. `test_share_of_a_pretraining_step` measures it anew.
"""

import contextlib
import math
import warnings
from collections.abc import Callable
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from labkit import contrastive, data
from labkit.contrastive import pretrain, upstream
from labkit.torchvision_compat import import_torchvision

pytestmark = pytest.mark.usefixtures("one_thread")
SIZES, DIM, TEMPERATURE = (128, 512, 2048), 128, 0.1
SLOWEST = {"pytorch-metric-learning": 512}  # 17 GB at 512: it lists all triplets; left out there
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def plain_nt_xent(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """The usual dozen lines: drop the diagonal by a boolean mask, then cross-entropy."""
    z = F.normalize(torch.cat([one, two]), dim=1)
    n, similarity = len(one), z @ z.T / TEMPERATURE
    itself = torch.eye(2 * n, dtype=torch.bool)
    logits = similarity[~itself].view(2 * n, -1)  # (2n, 2n - 1)
    rows = torch.arange(n)
    return F.cross_entropy(logits, torch.cat([rows + n - 1, rows]))


def plain_clip(image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """CLIP's pseudo-code, as published."""
    logits = F.normalize(image, dim=1) @ F.normalize(text, dim=1).T / TEMPERATURE
    labels = torch.arange(len(image))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def lightly_nt_xent() -> Loss:
    import_torchvision()
    return pytest.importorskip("lightly.loss").NTXentLoss(temperature=TEMPERATURE)


def metric_learning_nt_xent() -> Loss:
    loss = pytest.importorskip("pytorch_metric_learning.losses").NTXentLoss(TEMPERATURE)

    def run(one, two):
        return loss(torch.cat([one, two]), torch.arange(len(one)).repeat(2))

    return run


def open_clip_loss() -> Loss:
    import_torchvision()
    loss = pytest.importorskip("open_clip").ClipLoss()
    scale = torch.tensor(1 / TEMPERATURE)
    return lambda i, t: loss(F.normalize(i, dim=1), F.normalize(t, dim=1), scale)


CONTESTANTS: dict[str, dict[str, Callable[[], Loss]]] = {
    "nt_xent": {
        "ours": lambda: lambda a, b: contrastive.nt_xent(a, b, TEMPERATURE),
        "plain cross_entropy": lambda: plain_nt_xent,
        "lightly": lightly_nt_xent,
        "pytorch-metric-learning": metric_learning_nt_xent,
    },
    "clip_loss": {
        "ours": lambda: lambda a, b: contrastive.clip_loss(a, b, 1 / TEMPERATURE),
        "plain cross_entropy": lambda: plain_clip,
        "open_clip": open_clip_loss,
    },
}


def make(kind: str, name: str) -> Loss:
    """A contestant; skips, with the reason, when its package is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peers' own, at import
        return CONTESTANTS[kind][name]()


def inputs(n: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, DIM, generator=generator).requires_grad_() for _ in range(2)]


def once(loss: Loss, features: list[torch.Tensor]) -> None:
    """One forward and backward."""
    for x in features:
        x.grad = None
    loss(*features).backward()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", CONTESTANTS)
def test_time(kind: str, n: int, medians) -> None:
    """Ours is at least as fast as plain cross-entropy, up to noise; the peers are reported."""
    losses, features = {}, inputs(n)
    for name in CONTESTANTS[kind]:
        if n < SLOWEST.get(name, math.inf):
            with contextlib.suppress(pytest.skip.Exception):  # it is not installed
                losses[name] = make(kind, name)
    values = {name: loss(*features).item() for name, loss in losses.items()}
    assert all(v == pytest.approx(values["ours"], rel=1e-4) for v in values.values()), values
    runs = {f"{name}, {n}": partial(once, loss, features) for name, loss in losses.items()}
    seconds = medians(runs, 5 if n > 1000 else 15)
    checks = 0.0003  # seconds: ours look at their input first, which shows at batch 128 only
    assert seconds[f"ours, {n}"] <= 1.1 * seconds[f"plain cross_entropy, {n}"] + checks


def test_share_of_a_pretraining_step(medians) -> None:
    """Why no fused path: what the loss takes of a step of the shipped SimCLR."""
    config = pretrain.Config("simclr", options={"width": 32})
    model, _ = pretrain.make_model(config)
    seen = upstream.Upstream(data.load("noto", parts="upstream"))
    batch = seen.draw(config.batch, torch.Generator().manual_seed(0))
    features = inputs(config.batch)
    seconds = medians({
        "a step": lambda: pretrain.batch_loss(model, *batch, config, 0).backward(),
        "its loss": lambda: once(lambda a, b: contrastive.nt_xent(a, b, 0.2), features),
    }, 3)  # fmt: skip
    assert seconds["its loss"] < 0.03 * seconds["a step"]
