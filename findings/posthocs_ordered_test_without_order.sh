#!/usr/bin/env bash
# scikit-posthocs: the test for "more unfrozen layers, better accuracy" is as sure when it gets worse.
#
# Guess:    test_osrt, "Hayter's one-sided studentised range test", "tests a hypothesis against an ordered
#           alternative": the groups' order is the hypothesis. Rising means give a small p-value, falling
#           ones a p-value near 1, as with test_jonckheere(alternative="greater"); of two groups it is
#           the one-sided t-test.
# Happens:  the order does not matter at all: rising, falling, and with the best in the middle have one and
#           the same statistic and p-value. It is Tukey's two-sided test of the largest difference: of two
#           groups exactly the two-sided t-test, so that even the right direction gets twice its p.
# Why:      scikit_posthocs/_omnibus.py, test_osrt: the differences later minus earlier are taken np.abs of,
#           and the p-value comes from studentized_range. Its notes say "P values are computed from the
#           Tukey distribution", which Hayter's paper replaces by one of its own; not that the order is lost.
# Versions: scikit-posthocs 0.17.1, SciPy 1.17.1, Python 3.11; run on 2026-11-29.
# Seen:     rising .0046, falling .0046, best between .0046 (Jonckheere .0029, .9971, .0842)
#           Hayter's test by its definition: rising .0023, falling .9999
#           two groups: rising .00395 (t-test .00197), falling .00395 (t-test .99803)
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    scikit-posthocs==0.17.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6
env/bin/python -W ignore - <<'PY'
import numpy as np
import scikit_posthocs as posthocs
from scipy import stats

noise = 0.01 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
low, middle, high = (list(mean + noise) for mean in (0.78, 0.80, 0.82))

print("groups              osrt p       jonckheere p, greater")
found = {}
for name, groups in {"rising": (low, middle, high), "falling": (high, middle, low),
                     "best between": (low, high, middle)}.items():
    found[name] = posthocs.test_osrt(list(groups))[0]
    other = posthocs.test_jonckheere(list(groups), alternative="greater")[0]
    print("%-18s %8.4f %12.4f" % (name, found[name], other))
    assert other < 0.01 if name == "rising" else other > 0.05
assert max(found.values()) - min(found.values()) < 1e-12 and found["rising"] < 0.05
tukey = stats.tukey_hsd(low, middle, high).pvalue.min()          # two-sided, for any order
assert abs(tukey - found["rising"]) < 1e-6

# Hayter's test by its definition: how large (later - earlier) / standard error gets at most, under no effect
z = np.random.default_rng(0).normal(size=(200_000, 3, 5))
mean, spread = z.mean(axis=2), np.sqrt(z.var(axis=2, ddof=1).mean(axis=1) / 5)
null = np.max([mean[:, 1] - mean[:, 0], mean[:, 2] - mean[:, 1], mean[:, 2] - mean[:, 0]], axis=0) / spread
for name, groups in {"rising": (low, middle, high), "falling": (high, middle, low)}.items():
    a, b, c = np.mean(groups, axis=1)
    exact = (null >= max(b - a, c - b, c - a) / np.sqrt(np.var(groups, axis=1, ddof=1).mean() / 5)).mean()
    print("by definition, %-8s %.4f" % (name, exact))
    assert exact < 0.75 * found["rising"] if name == "rising" else exact > 0.9

for name, groups in {"rising": (low, high), "falling": (high, low)}.items():
    p = posthocs.test_osrt(list(groups))[0]
    one, two = (stats.ttest_ind(groups[1], groups[0], alternative=side).pvalue
                for side in ("greater", "two-sided"))
    print("two groups, %-8s osrt %.5f, t-test one-sided %.5f, two-sided %.5f" % (name, p, one, two))
    assert abs(p - two) < 1e-6 and abs(one - (two / 2 if name == "rising" else 1 - two / 2)) < 1e-9
PY
