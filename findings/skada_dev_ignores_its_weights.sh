#!/usr/bin/env bash
# skada: DeepEmbeddedValidation estimates the loss on the source, not on the target: its weights cancel out.
#
# Guess:    DEV (You et al., 2019) estimates a model's loss on an unlabelled target: each validation sample of the source
#           gets a weight, how much more likely it is in the target, and the score is mean(w loss) + eta mean(w) - eta,
#           with eta = -Cov(w loss, w) / Var(w) to make it less noisy. Of a model good where the target lies and one
#           good elsewhere, it takes the first.
# Happens:  the score is mean(w) times mean(loss), so that no loss is weighted, minus (mean(w) - 1) times the
#           PRODUCT of the losses of the first two validation samples. A model of loss .55 on the target gets about 3,
#           one of loss 6.6 about the same, and which is preferred changes with the seed of the split. With a
#           loss_func that returns a column instead of a row of losses, all is right.
# Why:      skada/metrics.py, DeepEmbeddedValidation._score: weights has shape (n, 1), the default loss (n,), so that
#           weights * error is a table (n, n) of each weight times each loss; np.cov(...)[0, 1] is of its first columns.
# Versions: skada 0.6.0, scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     loss on the target .55: DEV of six splits 3.00 to 8.68, with a column .49 to .57; loss 6.56: 3.10 to 4.53,
#           with a column 5.80 to 7.11; the better one is preferred 4 of 6 times, with a column 6
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    skada==0.6.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import numpy as np
from skada import make_da_pipeline
from skada.metrics import DeepEmbeddedValidation
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

draw, count = np.random.default_rng(0), 2000
source, target = draw.normal(size=(count, 2)), draw.normal(size=(count, 2)) + [1.5, 0]
y, y_target = [(x[:, 0] * x[:, 1] > 0).astype(int) for x in (source, target)]
both, labels, domain = np.vstack([source, target]), np.r_[y, np.full(count, -1)], np.repeat([1, -2], count)

def losses(y, probabilities):
    return -np.log(np.clip(probabilities[np.arange(len(y)), y], 1e-15, 1))

def by_hand(model, seed):
    """DEV on the same split as its own, and what is computed in its place."""
    train, x, _, label = train_test_split(source, y, test_size=0.33, random_state=check_random_state(seed))
    judge = LogisticRegression().fit(np.vstack([train, target]), np.repeat([1, 0], [len(train), count]))
    p = judge.predict_proba(x)
    w = len(train) / count * p[:, 0] / p[:, 1]
    loss = losses(label, model.predict_proba(x, sample_domain=np.ones(len(x), int), allow_source=True))
    eta = -np.cov(w * loss, w)[0, 1] / np.var(w, ddof=1)
    return (w * loss).mean() + eta * w.mean() - eta, w.mean() * loss.mean() - (w.mean() - 1) * loss[0] * loss[1]

def scores(half):
    """A model fitted on the source samples of one half: its loss on the target, and DEV by three ways."""
    model = make_da_pipeline(LogisticRegression()).fit(source[half], y[half], sample_domain=np.ones(half.sum(), int))
    loss = losses(y_target, model.predict_proba(target, sample_domain=np.full(count, -2))).mean()
    table = []
    for seed in range(6):
        default = -DeepEmbeddedValidation(random_state=seed)(model, both, labels, sample_domain=domain)
        column = DeepEmbeddedValidation(random_state=seed, loss_func=lambda y, p: losses(y, p)[:, None])
        right, wrong = by_hand(model, seed)
        table.append((default, -column(model, both, labels, sample_domain=domain)))
        assert np.isclose(default, wrong) and np.isclose(table[-1][1], right)
    default, column = np.array(table).T
    print(f"loss on the target {loss:.2f}; DEV, six splits: {default.round(2)}, with a column {column.round(2)}")
    return loss, default, column

right, left = scores(source[:, 0] > 0), scores(source[:, 0] < 0)
assert right[0] < 1 and left[0] > 5
print("the better model is preferred:", int((right[1] < left[1]).sum()), "of 6 times, with a column",
      int((right[2] < left[2]).sum()))
assert right[1].min() > 2.5 and (right[2] < left[2]).all() and not (right[1] < left[1]).all()
assert abs(right[2].mean() - right[0]) < 0.3
PY
