#!/usr/bin/env bash
# latex2mathml takes a whole number where TeX takes one digit, except after \frac, ^ and _.
#
# Guess:    an argument without braces is one token: \sqrt23 is the root of 2, then 3; \binom12 is
#           "1 choose 2". \frac12 and x^12 are converted so, and hence the other commands will be.
# Happens:  \sqrt23 is the root of 23, \hat12 has one hat over 12, and \binom12 yields a fraction
#           with ONE child, which is not MathML (mfrac needs two). No error, no warning.
# Why:      latex2mathml/tokenizer.py, PATTERN: "number" takes all digits; only subsup_operator and
#           frac_cmd split them, and only if the digit follows at once (\frac{a}12 goes wrong, too).
# Versions: latex2mathml 3.81.1, Python 3.11; run on 2026-11-28.
# Seen:     \frac12: 1 | 2    x^12: x^1 2    \sqrt23: sqrt(23)    \hat12: hat(12)
#           \binom12: mfrac with the one child 12    \frac{a}12: a | 12
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check latex2mathml==3.81.1
env/bin/python - <<'PY'
from xml.etree import ElementTree
from latex2mathml.converter import convert

def children(latex, tag):
    tree = ElementTree.fromstring(convert(latex))
    found = next(node for node in tree.iter() if node.tag.endswith("}" + tag))
    texts = ["".join(child.itertext()) for child in found]
    print(f"{latex:12} {tag}: {texts}")
    return texts

assert children(r"\frac12", "mfrac") == ["1", "2"]              # as in TeX
assert children(r"\frac123", "mfrac") == ["1", "2"]
assert children(r"x^12", "msup") == ["x", "1"]
assert children(r"\sqrt{2}3", "msqrt") == ["2"]

assert children(r"\sqrt23", "msqrt") == ["23"]                  # TeX: 2
assert children(r"\hat12", "mover")[0] == "12"                  # TeX: 1
assert children(r"\frac{a}12", "mfrac") == ["a", "12"]          # TeX: a, 1
assert children(r"\binom12", "mfrac") == ["12"]                 # TeX: 1, 2
PY
