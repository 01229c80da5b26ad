"""Forward and backward of the contrastive losses: ours and the peers', time and peak memory.

Batches of 128, 512 and 2048 features of 128 numbers, float32, one thread; CPU time, since a busy
machine stretches the wall clock. Rounds alternate between all. Not part of the default run:
`pip install -r tests/benchmarks/requirements.txt`, then `pytest tests/benchmarks`.

Ours are the readable losses, and there is no second, fused path: of a pretraining step (batch 256,
`ConvEncoder(width=32)`) the loss is half a percent, so that a loss five times as fast would
save less than one part in 200. `test_share_of_a_pretraining_step` measures it anew.
"""

import math
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

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


def once(loss: Loss, features: list[torch.Tensor]) -> float:
    """CPU seconds of one forward and backward."""
    for x in features:
        x.grad = None
    begun = time.process_time()
    loss(*features).backward()
    return time.process_time() - begun


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", CONTESTANTS)
def test_time(kind: str, n: int, capsys) -> None:
    """Ours is at least as fast as plain cross-entropy, up to noise; the peers are reported."""
    losses, absent = {}, []
    for name in CONTESTANTS[kind]:
        if n >= SLOWEST.get(name, math.inf):
            absent.append(f"{name}: left out, needs over 10 GB")
            continue
        try:
            losses[name] = make(kind, name)
        except pytest.skip.Exception as reason:
            absent.append(str(reason))
    features = inputs(n)
    values = {name: loss(*features).item() for name, loss in losses.items()}
    assert all(v == pytest.approx(values["ours"], rel=1e-4) for v in values.values()), values
    rounds = 5 if n > 1000 else 15
    seconds = {name: [] for name in losses}
    for _ in range(rounds + 1):
        for name, loss in losses.items():
            seconds[name].append(once(loss, features))
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    with capsys.disabled():
        for name, value in medians.items():
            print(f"\n{kind:10}{n:6}  {name:26}{1000 * value:9.2f} ms", end="")
        print("".join(f"\n{kind:10}{n:6}  {reason}" for reason in absent), end="")
    checks = 0.0003  # seconds: ours look at their input first, which shows at batch 128 only
    assert medians["ours"] <= 1.1 * medians["plain cross_entropy"] + checks


PEAK = """
import sys
sys.path.insert(0, {folder!r})
import {module} as module
module.peak({kind!r}, {name!r}, {n})
"""


def peak(kind: str, name: str, n: int) -> None:
    """Print how much memory (kB) one forward and backward adds to this process, on Linux."""
    loss = CONTESTANTS[kind][name]()
    once(loss, inputs(8))
    features = inputs(n)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    before = memory("VmRSS")
    once(loss, features)
    print("PEAK", memory("VmHWM") - before)


def memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, all in CONTESTANTS.items() for name in all]
)
def test_peak_memory(kind: str, name: str, capsys) -> None:
    """Each in a process of its own, since a peak never falls."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("peak memory is read from /proc, which only Linux has")
    n = 128 if name in SLOWEST else 2048
    make(kind, name)  # skips when it is not there
    folder, module = __file__.rsplit("/", 1)
    code = PEAK.format(folder=folder, module=module[:-3], kind=kind, name=name, n=n)
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kilobytes = int(done.stdout.split("PEAK")[1])
    with capsys.disabled():
        print(f"\n{kind:10}{n:6}  {name:26}{kilobytes / 1024:9.1f} MB", end="")
    if name == "ours":
        candidates = (2 * n if kind == "nt_xent" else n) ** 2
        assert (
            4 * candidates < kilobytes * 1024 < 8 * 4 * candidates
        )  # a handful of logits matrices


def test_share_of_a_pretraining_step(capsys) -> None:
    """Why no fused path: what the loss takes of a step of the shipped SimCLR."""
    config = pretrain.Config("simclr", options={"width": 32})
    model, _ = pretrain.make_model(config)
    seen = upstream.Upstream(data.load("noto", parts="upstream"))
    batch = seen.draw(config.batch, torch.Generator().manual_seed(0))
    features = inputs(config.batch)
    steps, losses = [], []
    for step in range(3):
        begun = time.process_time()
        pretrain.batch_loss(model, *batch, config, step).backward()
        steps.append(time.process_time() - begun)
        losses += [once(lambda a, b: contrastive.nt_xent(a, b, 0.2), features) for _ in range(5)]
    share = statistics.median(losses) / statistics.median(steps)
    with capsys.disabled():
        print(
            f"\nThe loss is {share:.2%} of a step of {statistics.median(steps):.2f} CPU-s", end=""
        )
    assert share < 0.03
