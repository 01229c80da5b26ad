#!/usr/bin/env bash
# pandas: a smoothed curve passes over infinity as if nothing had happened there.
#
# Guess:    rolling(2, min_periods=1).mean(), the usual way to smooth a training curve from its first
#           step on, shows a loss that became infinite; expanding().max() is cummax(), and
#           expanding().sum() is cumsum(). Without min_periods a window with inf in it is inf.
# Happens:  rolling, expanding and ewm take inf as missing: the mean, the largest value and the sum go
#           on over the others, 1.0 throughout. cummax() and cumsum() of the same Series say inf.
#           Without min_periods the place is NaN, "not enough values", like a gap in the data.
# Why:      pandas/core/window/rolling.py, _prep_values: "Convert inf to nan for C funcs". Neither
#           the window guide nor the methods' pages mention it.
# Versions: pandas 3.1.1, Python 3.11; run on 2026-11-28.
# Seen:     loss 1 1 inf 1 1: smoothed 1 1 1 1 1, ewm 1 1 1 1 1, expanding max 1, cummax inf
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1
env/bin/python -W error - <<'PY'
from math import inf, isnan
import pandas as pd

loss = pd.Series([1.0, 1.0, inf, 1.0, 1.0])
smooth = loss.rolling(2, min_periods=1)
found = {
    "smoothed": smooth.mean(), "its max": smooth.max(), "ewm": loss.ewm(alpha=0.5).mean(),
    "expanding max": loss.expanding().max(), "cummax": loss.cummax(), "cumsum": loss.cumsum(),
    "expanding sum": loss.expanding().sum(), "no min_periods": loss.rolling(2).mean(),
}
print(pd.DataFrame({"loss": loss} | found).T)
for name in ("smoothed", "its max", "ewm", "expanding max"):
    assert (found[name] == 1).all(), name
assert found["expanding sum"].tolist() == [1, 2, 2, 3, 4]
assert found["cummax"].tolist() == [1, 1, inf, inf, inf] and found["cumsum"].iloc[-1] == inf
assert [isnan(x) for x in found["no min_periods"]] == [True, False, True, True, False]
assert smooth.apply(max).tolist()[:3] == [1, 1, 1], "a function of one's own never sees it, too"
PY
