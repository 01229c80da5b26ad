"""torchvision works through its one door, with or without its compiled operators."""

import pytest
import torch

from labkit.torchvision_compat import import_torchvision

torchvision = import_torchvision()


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
