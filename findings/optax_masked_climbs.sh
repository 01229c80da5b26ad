#!/usr/bin/env bash
# optax.masked does not freeze what it masks out: it lets it climb the loss, with a rate of 1.
#
# Guess:    optax.masked(optax.sgd(0.1), {"encoder": False, "head": True}) trains the head and leaves the
#           encoder alone: "Mask updates so only some are transformed".
# Happens:  "the rest are passed through": what passes through is the gradient itself, and
#           optax.apply_updates ADDS it. The encoder takes a full step uphill each time; the loss
#           grows. With adam the frozen part moves while the head's steps are small, so it looks
#           like a learning rate that is too high. Freezing needs optax.set_to_zero() for the rest.
#           adamw's own mask= is a masked() too, but only for its weight decay: it freezes nothing.
# Why:      optax/transforms/_masking.py, masked: the mask hides leaves from the inner transformation
#           and puts them back unchanged. One that does nothing is the identity, not zero.
# Versions: optax 0.2.8, jax 0.10.2, Python 3.11; run on 2026-11-28.
# Seen:     two steps by masked: encoder 1 -> 6.84, loss 1 -> 19.2; with set_to_zero: encoder 1, loss .41
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check optax==0.2.8 jax==0.10.2 jaxlib==0.10.2
JAX_PLATFORMS=cpu env/bin/python -W ignore - <<'PY'
import jax
import jax.numpy as jnp
import optax

trains = {"encoder": False, "head": True}
frozen = {"encoder": True, "head": False}

def loss(weights):
    return (weights["encoder"] * weights["head"]).sum() ** 2

def train(optimizer):
    weights = {"encoder": jnp.ones(1), "head": jnp.ones(1)}
    state = optimizer.init(weights)
    for _ in range(2):
        updates, state = optimizer.update(jax.grad(loss)(weights), state, weights)
        weights = optax.apply_updates(weights, updates)
    found = round(weights["encoder"].item(), 2), round(loss(weights).item(), 2)
    print("encoder, loss:", *found)
    return found

masked = optax.masked(optax.sgd(0.1), trains)
encoder, after = train(masked)
assert encoder > 5 and after > 15                            # both were 1
assert train(optax.masked(optax.adam(0.01), trains))[1] > 1
right = optax.chain(masked, optax.masked(optax.set_to_zero(), frozen))
assert train(right) == (1.0, 0.41)
PY
