#!/usr/bin/env bash
# Asking nn.MultiheadAttention for its attention weights turns its output, and all gradients, into NaN.
#
# Guess:    need_weights decides what is returned beside the output: "If specified, returns
#           attn_output_weights in addition to attn_outputs. Set need_weights=False ... for the best
#           performance". The output is the same.
# Happens:  a sample of which every key is masked (an empty caption in a padded batch) gets a finite
#           output without weights and NaN with them, in training and evaluation. Left out of the loss,
#           it still makes the gradient of the projection NaN, so that one step spoils the
#           whole layer. To look at attention is enough to break a training that works.
# Why:      torch/nn/functional.py, multi_head_attention_forward: with need_weights it takes softmax of
#           a row of -inf; without, scaled_dot_product_attention, which gives such rows zeros.
# Versions: torch 2.13.0, Python 3.11, CPU; run on 2026-11-28.
# Seen:     need_weights False: finite, gradient finite; True: nan, gradient nan (both modes)
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check torch==2.13.0
env/bin/python -W ignore - <<'PY'
import torch
from torch import nn

torch.manual_seed(0)
attention = nn.MultiheadAttention(4, 2, batch_first=True)
x = torch.randn(2, 3, 4)
padding = torch.tensor([[False, False, True], [True, True, True]])      # the second is empty
for training in (True, False):
    for weights in (False, True):
        attention.train(training).zero_grad()
        out, _ = attention(x, x, x, key_padding_mask=padding, need_weights=weights)
        out[0].square().sum().backward()                                # the first sample only
        finite = out[1].isfinite().all().item()
        gradient = attention.in_proj_weight.grad.isfinite().all().item()
        print("training" if training else "evaluation", "need_weights", weights,
              "empty sample finite", finite, "gradient of the other finite", gradient)
        assert out[0].isfinite().all() and finite == gradient == (not weights)
PY
