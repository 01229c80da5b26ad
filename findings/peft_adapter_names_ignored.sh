#!/usr/bin/env bash
# PEFT: a batch that says which adapter each sample is for gets the same adapter for all, by method.
#
# Guess:    model(x, adapter_names=["cats", "dogs", "__base__"]) uses the named adapter for each sample: "it is
#           possible to mix different LoRA adapters in the same batch", and RoAd's page points there. A
#           method that cannot do that refuses, as LoRA does wherever it cannot: on a misspelled name, in
#           training mode, with DoRA, on an nn.MultiheadAttention.
# Happens:  LoRA and RoAd answer as asked. LoHa, LoKr, IA3, OFT, HRA, VeRA and MiSS take the argument and
#           drop it: every sample gets the active adapter, the one for "__base__" too. Misspelled names,
#           a list of the wrong length and training mode pass. The network itself never sees the
#           argument, so that it cannot complain either. A comparison of adapters over one mixed batch
#           finds them all equal.
# Why:      peft/peft_model.py, PeftModel.forward deletes special_peft_forward_args from the arguments in any
#           case; _enable_peft_forward_hooks, which would act on them, runs "without any changes" if the
#           method's model has none. Only LoRA, X-LoRA, GLoRA and RoAd define one.
# Versions: peft 0.21.2, transformers 5.24.0, torch 2.13.0, Python 3.11, CPU; run on 2026-11-29.
# Seen:     Lora, Road: as asked True, and each of the three wrong calls refused
#           LoHa, LoKr, OFT, HRA, Vera, Miss, IA3: as asked False, all by the active one True; accepts a
#           misspelled name, one name for three samples and training mode
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    torch==2.13.0 peft==0.21.2 transformers==5.24.0
env/bin/python - <<'PY'
import copy
import warnings
import torch
from torch import nn
import peft

torch.manual_seed(0)
net, x = nn.Sequential(nn.Linear(8, 8)).eval(), torch.randn(3, 8)
asked = ["cats", "dogs", "__base__"]

def accepts(model, names):
    try:
        model(x, adapter_names=names)
        return True
    except ValueError:
        return False

def ask(method, **options):
    config = getattr(peft, method + "Config")
    config = lambda kind=config: kind(target_modules=["0"], **options)
    model = peft.get_peft_model(copy.deepcopy(net), config(), adapter_name="cats")
    model.add_adapter("dogs", config())
    model.eval()
    alone = {"__base__": net(x)}
    for name in ("dogs", "cats"):                                  # "cats" stays active
        model.set_adapter(name)
        alone[name] = model(x)
    assert all((alone[a] - alone[b]).abs().max() > 0.01 for a, b in zip(asked, asked[1:] + asked[:1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model(x, adapter_names=asked)
    right = torch.stack([alone[name][row] for row, name in enumerate(asked)])
    as_asked, one = torch.allclose(found, right, atol=1e-5), torch.equal(found, alone["cats"])
    misspelled, short = accepts(model, ["cats", "dosg", "__base__"]), accepts(model, ["dogs"])
    training = accepts(model.train(), asked)
    print("%-5s as asked %-5s, all by the active one %-5s; accepts a misspelled name %s, one name for three %s,"
          " training mode %s" % (method, as_asked, one, misspelled, short, training))
    return as_asked, one, misspelled, short, training

for method, options in (("Lora", {"r": 2, "init_lora_weights": False}),
                        ("Road", {"group_size": 4, "init_weights": False})):
    assert ask(method, **options) == (True, False, False, False, False)
for method, options in (("LoHa", {"r": 2}), ("LoKr", {"r": 2}), ("OFT", {"oft_block_size": 4}),
                        ("HRA", {"r": 2}), ("Vera", {"r": 2}), ("Miss", {"r": 2})):
    assert ask(method, init_weights=False, **options) == (False, True, True, True, True)
assert ask("IA3", feedforward_modules=[], init_ia3_weights=False) == (False, True, True, True, True)
PY
