#!/usr/bin/env bash
# venn-abers: of a decision tree, its regression interval has the lower end above the upper one.
#
# Guess:    Venn-Abers regression gives an interval: fit an isotonic regression to the calibration set and the new point,
#           once with the lowest label for it and once with the highest, and read both at the point. More for
#           the label cannot give less at the point, so lower <= upper. Calibration points with equal predictions
#           are one group, in any order.
# Happens:  where predictions are equal, as those of a tree always are, the lower end is computed as if the group
#           were its first member alone, whichever this is, while all are counted. Of two points predicted 1 and two
#           predicted 2 it is 10 where 1.3 is right, above the upper end, 8, and 5 if the last two change places.
#           VennAbersRegressor of a tree gives such intervals; its point estimate, weighted by both ends, is wrong too.
#           Without ties, and for classification, all is right.
# Why:      venn_abers/venn_abers.py, calc_p0p1, setting='regression': k_label_sort[ia][i-1] takes from the cumulative
#           sum the label at the group's first row (ia), not the sum of the group's labels.
# Versions: venn-abers 1.5.4, scikit-learn 1.9.1, NumPy 2.4.6, Python 3.11; run on 2026-11-29.
# Seen:     lower and upper end at 1, by definition 1.33 8: 10 8, last two labels exchanged 5 8; largest error of the lower
#           end with ties .54, without 0; tree of eight leaves: first leaf -.47 to -.72, by definition -.73 to -.72;
#           lower above upper for 64 % of the points
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    venn-abers==1.5.4 numpy==2.4.6 scikit-learn==1.9.1
env/bin/python -W ignore - <<'PY'
import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.tree import DecisionTreeRegressor
from venn_abers import VennAbers, VennAbersRegressor

def right(predicted, y, points, lowest, highest):
    """By definition: one isotonic regression with the point added, for either label."""
    def at(point, label):
        line = IsotonicRegression().fit(np.append(predicted, point), np.append(y, label))
        return line.predict([point])[0]
    return np.array([[at(point, lowest), at(point, highest)] for point in points])

def theirs(predicted, y, points):
    return VennAbers("regression").fit(predicted, y).predict_proba(points)[1]

predicted, point = np.array([1.0, 1.0, 2.0, 2.0]), np.array([1.0])
for y, wrong in (([0.0, 4.0, 10.0, 20.0], 10), ([0.0, 4.0, 20.0, 10.0], 5)):
    found, expected = theirs(predicted, np.array(y), point)[0], right(predicted, y, point, 0, 20)[0]
    print("labels", y, "interval at 1:", found.round(2), "by definition", expected.round(2))
    assert np.allclose(expected, [4 / 3, 8]) and np.allclose(found, [wrong, 8])

draw = np.random.default_rng(0)
def worst(ties, classes):
    """The largest error of the lower and the upper end over 20 small samples."""
    errors = []
    for _ in range(20):
        predicted = draw.uniform(size=40)
        predicted = predicted.round(1) if ties else predicted
        y = predicted + 0.3 * draw.normal(size=40)
        if classes:
            y = (draw.uniform(size=40) < predicted).astype(int)
            pairs = np.column_stack([1 - predicted, predicted])
            found = VennAbers().fit(pairs, y).predict_proba(pairs)[1]
        else:
            found = theirs(predicted, y, predicted)
        errors.append(np.abs(found - right(predicted, y, predicted, *((0, 1) if classes else (y.min(), y.max())))).max(0))
    print("ties" if ties else "no ties", "classes" if classes else "regression", np.max(errors, axis=0).round(3))
    return np.max(errors, axis=0)

assert worst(ties=False, classes=False).max() < 1e-6 and worst(ties=True, classes=True).max() < 1e-6
lower, upper = worst(ties=True, classes=False)
assert lower > 0.2 and upper < 1e-6

x = draw.uniform(-2, 2, (2000, 1))
y = np.sin(2 * x[:, 0]) + 0.3 * draw.normal(size=2000)
fitted = VennAbersRegressor(DecisionTreeRegressor(max_depth=3), inductive=True, cal_size=0.5, shuffle=False).fit(x, y)
middle, interval = fitted.predict(x)
low, high = interval.reshape(len(x), 2).T
tree = fitted.va_calibrator_.estimators_[1]
predicted, labels, ordered = tree.predict(x[1000:]), y[1000:], np.sort(y[1000:])
leaves = np.unique(predicted)                                        # the extreme labels are cut, as in the package
right_low = right(predicted, labels.clip(ordered[0], ordered[-2]), leaves, ordered[0], 0)[:, 0]
right_high = right(predicted, labels.clip(ordered[1], ordered[-1]), leaves, 0, ordered[-1])[:, 1]
assert (right_low <= right_high).all()
for leaf, *ends in zip(leaves, right_low, right_high):
    rows = tree.predict(x) == leaf
    assert np.allclose(high[rows], ends[1])
    print(f"leaf {leaf:.2f}: {low[rows][0]:.2f} to {high[rows][0]:.2f}, by definition {ends[0]:.2f} to {ends[1]:.2f}")
print(f"tree: lower end above upper end for {100 * (low > high).mean():.0f} % of the points")
assert (low > high + 0.1).mean() > 0.3
PY
