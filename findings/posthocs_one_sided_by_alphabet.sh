#!/usr/bin/env bash
# scikit-posthocs: whether "greater" means that A beats B or that B beats A is settled by the alphabet.
#
# Guess:    posthoc_mannwhitney(data, "accuracy", "model", alternative="greater") gives a table with, in row
#           "tuned" and column "frozen", the p-value of tuned > frozen, and the other question's, frozen >
#           tuned, across the diagonal: of a one-sided test one of the two is small and one near 1.
# Happens:  both places hold one number, the p-value of the alphabetically first over the second. tuned beats
#           frozen on all eight seeds and the table says 1.00, in the row "tuned" as well; rename
#           "frozen" to "unadapted", and it says 0.00008. With sort=False the first row of the data
#           decides. posthoc_dunnett and posthoc_steel, whose matrix is the default, mirror it too: the
#           control's row claims for the control what was tested for the treatment.
# Why:      scikit_posthocs/_posthocs.py, posthoc_mannwhitney tests the pairs above the diagonal only and copies
#           them below, as is right for two-sided tests. "alternative" is documented as SciPy's
#           ("Refer to scipy.stats.mannwhitneyu"), with no word on which group is which.
# Versions: scikit-posthocs 0.17.1, SciPy 1.17.1, pandas 3.1.1, Python 3.11; run on 2026-11-29.
# Seen:     SciPy: tuned > other 0.00008, other > tuned 1.00000
#           row "tuned" and across: other is frozen 1.00000 1.00000; other is unadapted 0.00008 0.00008;
#           frozen, sort=False 0.00008 0.00008, and with frozen's rows first 1.00000 1.00000
#           posthoc_steel, control frozen: 0.00008 0.00008; posthoc_dunnett: the same twice as well
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check \
    scikit-posthocs==0.17.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6
env/bin/python - <<'PY'
import numpy as np
import pandas as pd
import scikit_posthocs as posthocs
from scipy import stats

good, poor = 0.80 + 0.01 * np.arange(8), 0.70 + 0.01 * np.arange(8)       # each of the good beats each poor one
right = stats.mannwhitneyu(good, poor, alternative="greater").pvalue
wrong = stats.mannwhitneyu(poor, good, alternative="greater").pvalue
print("SciPy: tuned > other %.5f, other > tuned %.5f" % (right, wrong))
assert right < 1e-4 and wrong > 0.999 and abs(right - 1 / 12870) < 1e-9    # 1 of 16! / (8! 8!) orders

def ask(other, test=posthocs.posthoc_mannwhitney, first="tuned", **options):
    """What the table says in row "tuned", and across the diagonal."""
    groups = {"tuned": good, other: poor}
    data = pd.concat([pd.DataFrame({"model": name, "accuracy": groups[name]})
                      for name in sorted(groups, key=lambda name: name != first)])
    table = test(data, "accuracy", "model", alternative="greater", **options)
    found = table.loc["tuned", other], table.loc[other, "tuned"]
    print(test.__name__, "other is", other, options, "row tuned %.5f, row other %.5f" % found)
    return np.round(found, 5).tolist()

right, wrong = round(right, 5), round(wrong, 5)
assert ask("frozen") == [wrong, wrong] and ask("unadapted") == [right, right]
assert ask("frozen", sort=False) == [right, right]
assert ask("frozen", sort=False, first="frozen") == [wrong, wrong]
assert ask("frozen", posthocs.posthoc_steel, control="frozen") == [right, right]
treated = stats.dunnett(good, control=poor, alternative="greater").pvalue[0]
assert ask("frozen", posthocs.posthoc_dunnett, control="frozen") == [round(treated, 5)] * 2
PY
