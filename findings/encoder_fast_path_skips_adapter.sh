#!/usr/bin/env bash
# nn.TransformerEncoderLayer goes round an adapter in evaluation, and round its gradient as well.
#
# Guess:    a layer replaced by a wrapper that offers .weight and .bias and adds its own correction
#           (LoRA's usual form) is called wherever the layer was. The fast path's documented
#           conditions speak of autograd, masks and LayerNorm; they say nothing of replaced layers.
# Happens:  training mode calls the wrapper, eval() with no_grad reads its .weight and skips its
#           forward: the adapter has no effect at test time. With the base frozen, eval() is enough,
#           gradients on or off: the output does not require grad and the adapter cannot be trained.
#           An idle forward hook anywhere inside the layer brings the adapter back.
# Why:      torch/nn/modules/transformer.py, TransformerEncoderLayer.forward: it passes the weights
#           to torch._transformer_encoder_layer_fwd and looks for hooks, but not at the layers' types;
#           whether autograd is wanted it asks only of the input and these weights.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     calls in train / eval+no_grad / eval+frozen / the same with a hook: 1 0 0 1
#           output needs grad in eval+frozen: False; with a hook: True
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn

class Adapter(nn.Module):
    def __init__(self, base):
        super().__init__()
        self.base, self.calls = base, 0
        self.delta = nn.Parameter(torch.tensor([3.0, 0.0, 0.0, 0.0]))
    weight = property(lambda self: self.base.weight)
    bias = property(lambda self: self.base.bias)
    def forward(self, x):
        self.calls += 1
        return self.base(x) + self.delta

torch.manual_seed(0)
layer, x = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), torch.randn(1, 3, 4)
layer.linear2 = adapter = Adapter(layer.linear2)

def run(grad):
    adapter.calls = 0
    with torch.set_grad_enabled(grad):
        out = layer(x)
    return adapter.calls, out

calls_train, wanted = run(grad=True)
layer.eval()
calls_eval, got = run(grad=False)
layer.requires_grad_(False)
adapter.delta.requires_grad_()
calls_frozen, frozen = run(grad=True)
layer.norm1.register_forward_hook(lambda *_: None)
calls_hook, hooked = run(grad=True)
print("calls:", calls_train, calls_eval, calls_frozen, calls_hook)
print("needs grad, frozen and hooked:", frozen.requires_grad, hooked.requires_grad)
assert (calls_train, calls_eval, calls_frozen, calls_hook) == (1, 0, 0, 1)
assert (wanted - got).abs().max() > 0.5 and torch.allclose(hooked, wanted, atol=1e-5)
assert torch.allclose(frozen, got) and not frozen.requires_grad and hooked.requires_grad
PY
