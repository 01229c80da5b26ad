#!/usr/bin/env bash
# MAPIE: shuffling the test set brings the calibration error of a bad classifier down to nearly 0.
#
# Guess:    expected_calibration_error groups samples of like scores into num_bins bins, and does not depend on
#           their order. split_strategy "array split" makes bins of equal numbers, as NumPy's array_split of
#           the sorted scores would; "uniform" with num_bins=2 parts at one half.
# Happens:  "array split" cuts the scores as they come, unsorted, and takes each piece's largest as a
#           bin's end. In a shuffled set all those lie just below 1, so that the first bin holds almost
#           everything and over- and underconfidence cancel: .008 instead of .121. Sorted first, the same data
#           give the right value. "uniform" has one bin less than asked for: 2 bins are one, which
#           finds no error where it is .2, and num_bins=1, "above 0" as documented, gives NaN.
# Why:      mapie/metrics/calibration.py, _get_binning_groups: np.array_split(y_score, num_bins) without a sort;
#           np.linspace(0, 1, num_bins) has num_bins ends, hence num_bins - 1 bins. top_label_ece is made of it.
# Versions: mapie 1.6.0, scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     array split: by definition .121, rows sorted .121, as they come .008, shuffled again .008
#           top_label_ece: sorted .121, as they come .008
#           uniform, by definition / found: 1 bin .00 nan, 2 bins .20 .00, 4 bins .20 .20
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    mapie==1.6.0 scikit-learn==1.9.1 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import numpy as np
from mapie.metrics.calibration import expected_calibration_error, top_label_ece

draw = np.random.default_rng(0)
score = draw.uniform(size=5000)                                   # says s where .5 + (s - .5) / 2 is right
hit = (draw.uniform(size=5000) < 0.25 + score / 2).astype(int)

def ece(hit, score, bins):
    """By definition, with bins of equal numbers."""
    parts = np.array_split(np.argsort(score), bins)
    return sum(len(part) * abs(hit[part].mean() - score[part].mean()) for part in parts) / len(score)

right, order = ece(hit, score, 10), np.argsort(score)
found = [expected_calibration_error(hit[rows], score[rows], num_bins=10, split_strategy="array split")
         for rows in (order, np.arange(5000), draw.permutation(5000))]
print("array split: by definition %.3f, rows sorted %.3f, as they come %.3f, shuffled again %.3f"
      % (right, *found))
assert abs(right - 0.125) < 0.02 and abs(found[0] - right) < 0.01
assert max(found[1:]) < 0.05
one_label = [top_label_ece(hit[rows], score[rows], y_score_arg=np.ones(5000, int), num_bins=10,
                           split_strategy="array split") for rows in (order, np.arange(5000))]
print("top_label_ece: rows sorted %.3f, as they come %.3f" % tuple(one_label))
assert np.allclose(one_label, found[:2])

score = np.repeat([0.2, 0.8], 10)                                 # right 4 times in 10, and 6 times in 10
hit = np.r_[[1] * 4, [0] * 6, [1] * 6, [0] * 4]
for bins, exact in ((1, 0.0), (2, 0.2), (4, 0.2)):
    found = expected_calibration_error(hit, score, num_bins=bins, split_strategy="uniform")
    print("uniform, num_bins %d: by definition %.2f, found %.2f" % (bins, exact, found))
    assert np.isclose(found, {1: np.nan, 2: 0.0, 4: 0.2}[bins], equal_nan=True)
PY
