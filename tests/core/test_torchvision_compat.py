"""torchvision works through its one door, with or without its compiled operators."""

import subprocess
import sys

import pytest
import torch

from labkit.torchvision_compat import import_torchvision

torchvision = import_torchvision()


def test_importing_again_gives_the_same_module():
    assert import_torchvision() is torchvision


def test_transforms_keep_their_promises():
    from torchvision.transforms import v2  # only importable once the door has been used

    image = torch.arange(3 * 8 * 8, dtype=torch.uint8).reshape(3, 8, 8)
    assert torch.equal(v2.functional.horizontal_flip(image), image.flip(-1))
    resized = v2.Compose([v2.Resize(4, antialias=True), v2.ToDtype(torch.float32, scale=True)])(
        image
    )
    assert resized.shape == (3, 4, 4)
    assert 0 <= resized.min() and resized.max() <= 1


def test_resnet18_runs_forward_and_backward():
    model = torchvision.models.resnet18(weights=None, num_classes=7)
    logits = model(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 7)
    logits.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_datasets_are_there():
    data = torchvision.datasets.FakeData(size=3, image_size=(3, 8, 8), num_classes=2)
    image, label = data[0]
    assert image.size == (8, 8) and label in (0, 1)
    assert callable(torchvision.datasets.CIFAR10) and callable(torchvision.datasets.STL10)


def test_a_compiled_operator_is_used_or_refuses_but_never_lies():
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    scores = torch.tensor([0.9, 0.8])
    if torchvision.extension._has_ops():
        assert torchvision.ops.nms(boxes, scores, 0.5).tolist() == [0]
    else:
        with pytest.raises(RuntimeError, match="custom C\\+\\+ ops"):
            torchvision.ops.nms(boxes, scores, 0.5)


def test_an_unrelated_import_error_is_not_hidden(monkeypatch):
    def broken(name):
        raise RuntimeError("libsomething is broken")

    monkeypatch.setattr("labkit.torchvision_compat.importlib.import_module", broken)
    with pytest.raises(RuntimeError, match="libsomething"):
        import_torchvision()


def test_the_door_loads_torch_only_when_it_is_used():
    code = "import sys, labkit.torchvision_compat; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
