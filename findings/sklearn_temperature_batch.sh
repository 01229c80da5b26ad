#!/usr/bin/env bash
# A temperature-calibrated classifier answers one sample differently alone than in a batch.
#
# Guess:    predict_proba of a fitted CalibratedClassifierCV(method="temperature") treats each row by
#           itself: predict_proba(X)[i] is predict_proba(X[i:i+1]).
# Happens:  scikit-learn asks of every batch anew whether its numbers look like probabilities (all
#           in [0, 1], every row adding up to 1 within 1e-5). If so it takes their logarithm, if not
#           it takes them as logits. A network that answers in half precision gives rows that add up
#           to 1 only within 4e-4: a batch is logits as soon as one row is off, a single row that
#           happens to add up is probabilities. One in eight samples changes, by up to 31 points.
#           In double and in single precision nothing changes.
# Why:      sklearn/calibration.py, _convert_to_logits, is called by fit and again by each predict;
#           nothing of what fit has decided is kept.
# Versions: scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-28.
# Seen:     float64 changed 0.000, float32 changed 0.000
#           float16 changed 0.125, largest 0.31: [0.568 0.221 0.211] in a batch, [0.877 0.067 0.056] alone
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check scikit-learn==1.9.1 numpy==2.4.6
env/bin/python - <<'PY'
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

class Served(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities come in a precision of its own."""
    def __init__(self, precision="float64"):
        self.precision = precision
    def fit(self, X, y):
        self.inner_ = LogisticRegression(C=1e4).fit(X, y)
        self.classes_ = self.inner_.classes_
        return self
    def predict(self, X):
        return self.inner_.predict(X)
    def predict_proba(self, X):
        return self.inner_.predict_proba(X).astype(self.precision)

draw = np.random.default_rng(0)
y = draw.integers(0, 3, 600)
X = draw.normal(size=(600, 3)) + 1.5 * np.eye(3)[y]
changed = {}
for precision in ("float64", "float32", "float16"):
    known = Served(precision).fit(X[:300], y[:300])
    calibrated = CalibratedClassifierCV(FrozenEstimator(known), method="temperature")
    calibrated.fit(X[300:], y[300:])
    batch = calibrated.predict_proba(X)
    alone = np.concatenate([calibrated.predict_proba(x[None]) for x in X])
    apart = np.abs(batch - alone).max(axis=1)
    changed[precision] = (apart > 0.01).mean()
    worst = apart.argmax()
    print(precision, "changed %.3f" % changed[precision], "largest %.2f" % apart.max())
    print("  in a batch", batch[worst].round(3), "alone", alone[worst].round(3))
assert changed["float64"] == changed["float32"] == 0
assert changed["float16"] > 0.05 and apart.max() > 0.2
PY
