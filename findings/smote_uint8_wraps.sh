#!/usr/bin/env bash
# SMOTE makes samples from 8-bit images that lie nowhere between those they were made from.
#
# Guess:    SMOTE puts a new sample on the line between a sample and a neighbour of its class. Of grey
#           patches of brightness 100 to 110 it makes patches of 100 to 110, whether the images are held
#           as uint8, as datasets give them, or as floats.
# Happens:  as uint8 the new patches are anything from 2 to 254. Of load_digits stretched to 0..255,
#           almost every fourth pixel of a new digit 0 is off by more than 1 (an integer's rounding),
#           and up to 255: black for white, or white for black. ADASYN does the same. No warning;
#           as int16 or float64, all is well.
# Why:      imblearn/over_sampling/_smote/base.py, _generate_samples: neighbour - sample is taken in the
#           type of X, where 100 - 110 is 246, and multiplied by the step afterwards (_adasyn.py: same).
#           The documentation shows the formula and says nothing of types.
# Versions: imbalanced-learn 0.14.2, scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     patches as uint8 from 2 to 254, as int16 from 100 to 109, as float64 from 100.04 to 109.90
#           pixels off by more than 1: SMOTE 0.233, ADASYN 0.100; at most 255
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    imbalanced-learn==0.14.2 scikit-learn==1.9.1 numpy==2.4.6
env/bin/python - <<'PY'
import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE
from sklearn.datasets import load_digits

patches = np.r_[np.arange(100, 111), np.arange(0, 250)].repeat(4).reshape(-1, 4)
rare = np.r_[np.ones(11, int), np.zeros(250, int)]
for kind in (np.uint8, np.int16, np.float64):
    new = SMOTE(random_state=0).fit_resample(patches.astype(kind), rare)[0][261:]
    print("patches as", kind.__name__, "from", new.min(), "to", new.max())
    assert (new.min() >= 100 and new.max() <= 110) == (kind is not np.uint8)

digits, label = load_digits(return_X_y=True)
digits, zero = np.rint(digits * 255 / 16), (label == 0).astype(int)
for sampler in (SMOTE, ADASYN):
    right, wide, narrow = (sampler(random_state=0).fit_resample(digits.astype(kind), zero)[0][len(zero):]
                           .astype(float) for kind in (np.float64, np.int16, np.uint8))
    off = np.abs(narrow - right)
    print(sampler.__name__, "pixels off by more than 1: %.3f, by %.0f" % ((off > 1).mean(), off.max()))
    assert np.abs(wide - right).max() <= 1 and (off > 1).mean() > 0.09 and off.max() > 200
PY
