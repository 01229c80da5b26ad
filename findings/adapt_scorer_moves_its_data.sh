#!/usr/bin/env bash
# adapt: a scorer of make_uda_scorer gives the same model another score each time it is asked.
#
# Guess:    the score function "will apply func on a transformation of Xs and Xt given to make_uda_scorer": it
#           moves the source by the fitted model and measures how far it is from the target then. So
#           GridSearchCV, the use that its documentation describes, compares all models on the same data.
# Happens:  each call transforms what the call before has left. CORAL's distance of the covariances, 1.2, is
#           4.6 the second time, then 35, then 198. Of five strengths of its regularization 0 is the best, with a
#           distance of 0. A grid search from 0 to 100 says 1189 of it, and more of the others; one from
#           100 to 0 finds 10 to be best and 0 to be worst. A model that changes the number of columns fails
#           at its second call.
# Why:      adapt/metrics.py, make_uda_scorer: scorer declares Xs and Xt nonlocal and stores the transformed arrays
#           in them.
# Versions: adapt 0.4.5, TensorFlow 2.21.0, NumPy 2.4.6, scikit-learn 1.9.1, Python 3.11; run on 2026-11-29.
# Seen:     one model, by hand -1.2, asked four times -1.2 -4.6 -35.1 -198.3
#           strengths 0, .1, 1, 10, 100, a new scorer for each: -.0 -.2 -1.2 -2.2 -2.4; best by the grid search
#           upwards 0 (-1189), downwards 10 (-1.35); 0 downwards -9e10
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    adapt==0.4.5 tensorflow==2.21.0 numpy==2.4.6 scikit-learn==1.9.1
TF_CPP_MIN_LOG_LEVEL=3 env/bin/python -W ignore - <<'PY' 2> log || { cat log; exit 1; }
import numpy as np
from adapt.feature_based import CORAL, SA
from adapt.metrics import cov_distance, make_uda_scorer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

draw = np.random.default_rng(0)
source, target = draw.normal(size=(200, 2)), draw.normal(size=(200, 2)) * [3, 0.3]
label = (source[:, 0] > 0).astype(int)

def model(strength):
    return CORAL(LogisticRegression(), Xt=target, lambda_=strength, verbose=0).fit(source, label)

def scorer():
    return make_uda_scorer(cov_distance, source, target)

one, ask = model(1.0), scorer()
right = -cov_distance(one.transform(source, domain="src"), one.transform(target, domain="tgt"))
four = [float(ask(one, source)) for _ in range(4)]
print("by hand %.1f; asked four times %.1f %.1f %.1f %.1f" % (right, *four))
assert np.isclose(four[0], right) and four[3] < 100 * right

strengths = (0.0, 0.1, 1.0, 10.0, 100.0)
fresh = [float(scorer()(model(strength), source)) for strength in strengths]
print("a new scorer for each of", strengths, [round(score, 1) for score in fresh])
assert fresh == sorted(fresh, reverse=True) and abs(fresh[0]) < 1e-6

def search(strengths):
    search = GridSearchCV(CORAL(LogisticRegression(), Xt=target, verbose=0), {"lambda_": strengths}, cv=2,
                          scoring=scorer(), return_train_score=True, refit=False).fit(source, label)
    scores = dict(zip(strengths, search.cv_results_["mean_train_score"].tolist()))
    print("grid search:", {strength: f"{score:.4g}" for strength, score in scores.items()})
    return max(scores, key=scores.get), min(scores, key=scores.get), scores[0.0]
upwards, downwards = search(list(strengths)), search(list(strengths[::-1]))
assert upwards[0] == 0 and upwards[2] < -100 and downwards[:2] == (10.0, 0.0)

ask, narrow = scorer(), SA(LogisticRegression(), Xt=target, n_components=1, verbose=0).fit(source, label)
ask(narrow, source)
try:
    ask(narrow, source)
except ValueError as error:
    print("one column, second call:", error)
else:
    raise SystemExit("the second call works")
PY
