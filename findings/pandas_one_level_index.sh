#!/usr/bin/env bash
# pandas: the keys of groupby(["task"]) make an index that finds every label and aligns with none.
#
# Guess:    collect a number for each group of groupby(["task"]) in a dict, make a Series of it, add
#           it to a Series by task: the labels are the same ("a" in index, series["a"]), so they meet.
# Happens:  iterating a list of one key gives 1-tuples, and a dict of 1-tuples becomes a MultiIndex
#           of one level. Membership and [] take "a" and ("a",) alike, but reindex, join and + match
#           nothing: all NaN, twice the rows. .groups and .agg of the very same groupby have "a".
# Why:      pandas/core/groupby/groupby.py, __iter__ makes the tuples; MultiIndex.get_loc
#           (indexes/multi.py) takes a part of a key, Index.get_indexer (indexes/base.py) whole tuples.
# Versions: pandas 3.1.1, Python 3.11; run on 2026-11-28.
# Seen:     "a" in index True, series["a"] 1.5; by_task + series: 4 rows, all NaN;
#           reindex(["a", "b"]) all NaN; agg's index plain: the sum has 2 rows and no NaN
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pandas==3.1.1
env/bin/python -W ignore - <<'PY'
import pandas as pd

runs = pd.DataFrame({"task": ["a", "a", "b"], "accuracy": [1.0, 2.0, 4.0]})
groups = runs.groupby(["task"])
series = pd.Series({key: group["accuracy"].mean() for key, group in groups})
by_task = pd.Series({"a": 10.0, "b": 20.0})

print(series.index)
assert isinstance(series.index, pd.MultiIndex) and series.index.nlevels == 1
assert "a" in series.index and series["a"] == series[("a",)] == 1.5

total = by_task + series
print(total)
assert len(total) == 4 and total.isna().all()
assert series.reindex(["a", "b"]).isna().all()
joined = by_task.to_frame("base").join(series.rename("mean"))
assert joined["mean"].isna().all()

plain = groups["accuracy"].mean()
assert list(groups.groups) == list(plain.index) == ["a", "b"]
assert (by_task + plain).tolist() == [11.5, 24.0]
print((by_task + plain).tolist())
PY
