#!/usr/bin/env bash
# Lightning: a BatchNorm frozen by BaseFinetuning.freeze(train_bn=False) still normalizes by each batch.
#
# Guess:    "train_bn: If True, leave the BatchNorm layers in training mode"; so with False a frozen
#           backbone uses its pretrained statistics, and the head trains on what it gets in evaluation.
# Happens:  the layers stay in training mode. Each batch is normalized by its own mean and variance: new
#           data far from the old looks centred to the head in training, and not in evaluation. The head
#           scores 1.0 in training and 0.5, chance, when validated on the very same batch.
# Why:      lightning/pytorch/callbacks/finetuning.py, freeze_module sets track_running_stats = False. In
#           torch that stops the running statistics, and in training mode also puts the batch's in their
#           place (torch/nn/modules/batchnorm.py, forward). BackboneFinetuning(train_bn=False) does not
#           even get there: freeze_before_training calls freeze() without train_bn.
# Versions: lightning 2.6.6, torch 2.13.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     accuracy in training 1.0, in evaluation 0.5; with backbone.eval() too: 1.0 and 1.0
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0 lightning==2.6.6
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import BaseFinetuning

x = torch.tensor([[3.0], [5.0]]).repeat(32, 1)          # two classes, both on one side of the old data
y = torch.tensor([0.0, 1.0]).repeat(32)[:, None]

class Transfer(LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.backbone, self.head = nn.BatchNorm1d(1), nn.Linear(1, 1)    # pretrained: mean 0, variance 1
    def training_step(self, batch, _):
        out = self.head(self.backbone(x))
        self.accuracy = ((out > 0) == (y > 0)).float().mean().item()
        return nn.functional.binary_cross_entropy_with_logits(out, y)
    def train_dataloader(self):
        return [0] * 200
    def configure_optimizers(self):
        return torch.optim.SGD(self.head.parameters(), lr=1.0)

class Frozen(BaseFinetuning):
    def freeze_before_training(self, module):
        self.freeze(module.backbone, train_bn=False)
    def finetune_function(self, *_):
        pass

class InEvaluation(Frozen):
    def on_train_epoch_start(self, trainer, module):
        module.backbone.eval()

for callback in (Frozen(), InEvaluation()):
    net = Transfer()
    Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, callbacks=[callback]).fit(net)
    trained = net.accuracy
    net.eval().training_step(None, None)                    # the same batch and the same weights
    print(type(callback).__name__, "accuracy in training", trained, "in evaluation", net.accuracy)
    assert not any(p.requires_grad for p in net.backbone.parameters()) and net.backbone.running_mean == 0
    assert trained == 1 and net.accuracy == (1 if type(callback) is InEvaluation else 0.5)
PY
