#!/usr/bin/env bash
# puncc: a conformal prediction set never holds more classes than there are images in the batch.
#
# Guess:    APS and RAPS give each image a set of classes that holds the true one with probability 0.9, at
#           alpha=0.1. It depends on this image's probabilities and on the calibration data; so predicting
#           1000 images at once, or one after another as they come in, gives the same sets.
# Happens:  all at once the sets cover. In batches of 5 each set is cut to 5 classes, one by one to a
#           single class, and the promised 90 % become the classifier's plain accuracy: 32 %. No warning.
#           LAC, the third method, is not touched.
# Why:      deel/puncc/api/prediction_sets.py, raps_set: the size L is np.minimum(..., pred_len), where
#           pred_len = len(Y_pred) is the number of rows. The comment above it ("in case the Y_pred logits
#           are not well normalized") wants the number of columns.
# Versions: puncc 0.8.0, NumPy 2.4.6, scikit-learn 1.9.1, Python 3.11; run on 2026-11-29.
# Seen:     coverage (mean size) in batches of 1000, 5, 2, 1: APS .96 (7.7), .80 (5.0), .52 (2.0), .32 (1.0);
#           randomized .91 (6.7), then the same; RAPS .95 (7.7), then the same; LAC .91 (6.6) four times
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    puncc==0.8.0 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import numpy as np
from deel.puncc.api.prediction import IdPredictor
from deel.puncc.classification import APS, LAC, RAPS

draw = np.random.default_rng(0)
p = np.exp(draw.normal(size=(2000, 10)))
p /= p.sum(axis=1, keepdims=True)
y = np.array([draw.choice(10, p=row) for row in p])                # so these are the true probabilities
calibration, test = slice(1000), slice(1000, 2000)
accuracy = np.mean(p[test].argmax(axis=1) == y[test])

def ask(kind, **options):
    """Coverage and size of the sets of 1000 images, by how many are predicted at once."""
    method = kind(IdPredictor(), train=False, **options)
    method.fit(X_calib=p[calibration], y_calib=y[calibration])
    found = {}
    for batch in (1000, 5, 2, 1):
        np.random.seed(0)
        sets = [one for start in range(0, 1000, batch)
                for one in method.predict(p[test][start:start + batch], alpha=0.1)[1]]
        found[batch] = np.mean([label in one for label, one in zip(y[test], sets)])
        print(f"{kind.__name__} {options}, {batch} at once: coverage {found[batch]:.2f},"
              f" size {np.mean([len(one) for one in sets]):.1f}, largest {max(map(len, sets))}")
        assert kind is LAC or max(map(len, sets)) <= batch
    return found

for found in (ask(APS, rand=False), ask(APS, rand=True), ask(RAPS, rand=False, lambd=0.01, k_reg=2)):
    assert found[1000] > 0.88 and found[2] < 0.6 and found[1] <= accuracy < 0.4
found = ask(LAC).values()
assert min(found) == max(found) > 0.88
PY
