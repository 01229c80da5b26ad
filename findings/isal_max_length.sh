#!/usr/bin/env bash
# isal_zlib: zlib's loop for bounded memory ends after the first piece; most of the data is missing.
#
# Guess:    isal_zlib is zlib, faster: decompress(data, n) gives n bytes at most and leaves the input
#           it did not need in unconsumed_tail, as its documentation also says; `while
#           d.unconsumed_tail` therefore gives the whole, and an empty tail means there is no more.
# Happens:  the tail is empty at once although 900 of 1000 bytes are still to come (with long data:
#           the last pieces are missing). Nothing raises; only .eof says False. Looping until .eof,
#           or flush(), gives all.
# Why:      ISA-L's inflate state takes input ahead into buffers of its own; what lies there is not
#           counted as unconsumed (python-isal, src/isal/isal_zlibmodule.c, decompress of Decompress). Its
#           issue 248 (2026) confirms that and notes that zlib, too, promises no such loop in words.
# Versions: isal 1.9.1, Python 3.11 (zlib for comparison); run on 2026-11-28.
# Seen:     zlib 1000 of 1000, eof True; isal 100 of 1000, eof False; long data: isal ends short, too
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check isal==1.9.1
env/bin/python - <<'PY'
import zlib
from isal import isal_zlib

def by_tail(library, packed):
    d = library.decompressobj()
    out = d.decompress(packed, 100)
    while d.unconsumed_tail:
        out += d.decompress(d.unconsumed_tail, 100)
    return out, d.eof

def by_eof(library, packed):
    d = library.decompressobj()
    out = d.decompress(packed, 100)
    while not d.eof:
        out += d.decompress(d.unconsumed_tail, 100)
    return out

for size in (1000, 300_000):
    data = bytes(i * i * 7 % 251 for i in range(size))
    packed = zlib.compress(data)
    assert by_tail(zlib, packed) == (data, True)
    out, eof = by_tail(isal_zlib, packed)
    print(f"isal: {len(out)} of {size}, eof {eof}")
    assert data.startswith(out) and 0 < len(out) < size and not eof
    assert size > 1000 or len(out) == 100
    assert by_eof(isal_zlib, packed) == data
    d = isal_zlib.decompressobj()
    assert d.decompress(packed, 100) + d.flush() == data
PY
