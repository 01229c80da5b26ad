#!/usr/bin/env bash
# optax: to make Adam's learning rate adjustable turns a bfloat16 network into NaN in one step.
#
# Guess:    inject_hyperparams(adam)(learning_rate=0.01) is adam(learning_rate=0.01) with numbers one can
#           read and change on the way ("injects stateful hyperparameters"); the steps are the same.
# Happens:  for float32 parameters they are. For bfloat16 ones plain adam makes the right first step, the
#           rate against the gradient's sign, and the injected one NaN in every weight. Its "b2" reads
#           1.0. With amsgrad, adamw and nadam it is the same.
# Why:      optax/schedules/_inject.py, init_fn casts EVERY number of the optimizer, its unnamed defaults
#           too, to the parameters' type. 0.999 lies between 0.996 and 1 there, and becomes 1: the second
#           moment stays 0 and is divided by 1 - b2**t = 0. The documentation names hyperparam_dtype as
#           an "optional datatype override", not what it overrides. With float32 there all is well.
# Versions: optax 0.2.8, jax 0.10.2, Python 3.11, CPU; run on 2026-11-29.
# Seen:     bfloat16: plain [-0.0117 0.0078 -0.0117], injected [nan nan nan], b2 1
#           float32: plain and injected [-0.01 0.01 -0.01]
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    optax==0.2.8 jax==0.10.2 jaxlib==0.10.2
env/bin/python -W ignore - <<'PY'
import jax.numpy as jnp
import optax

def step(transform, kind):
    weights, gradient = jnp.ones(3, kind), jnp.array([0.5, -0.25, 2.0], kind)
    state = transform.init(weights)
    update, state = transform.update(gradient, state, weights)
    return (optax.apply_updates(weights, update) - 1).astype(jnp.float32), state

inject = optax.inject_hyperparams
right = jnp.array([-0.01, 0.01, -0.01])                  # Adam's first step: the rate, against the sign
for kind in (jnp.float32, jnp.bfloat16):
    plain, _ = step(optax.adam(0.01), kind)
    injected, state = step(inject(optax.adam)(learning_rate=0.01), kind)
    print(kind.__name__, "plain", plain, "injected", injected, "b2", state.hyperparams["b2"])
    assert jnp.abs(plain - right).max() < 0.003          # 0.003: bfloat16's rounding next to 1
    if kind is jnp.float32:
        assert (injected == plain).all() or jnp.abs(injected - plain).max() < 1e-6
    else:
        assert jnp.isnan(injected).all() and state.hyperparams["b2"] == 1

for other in (optax.adamw, optax.nadam, optax.amsgrad):
    assert jnp.isnan(step(inject(other)(learning_rate=0.01), jnp.bfloat16)[0]).all()
wide, _ = step(inject(optax.adam, hyperparam_dtype=jnp.float32)(learning_rate=0.01), jnp.bfloat16)
print("bfloat16 injected with hyperparam_dtype=float32", wide)
assert jnp.abs(wide - right).max() < 0.003
PY
