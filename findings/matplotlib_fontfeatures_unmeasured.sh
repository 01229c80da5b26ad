#!/usr/bin/env bash
# matplotlib: `fontfeatures` change how a text is drawn, but not how wide it is taken to be.
#
# Guess:    a text whose features make it wider or narrower (no kerning, other figures, ligatures) ends
#           where it was aligned to, and its extent, its box and the layout know its width.
# Happens:  the extent is that of the text without its features. Right-aligned and centred texts end
#           somewhere else, a box or an annotation's background is too narrow, and a constrained layout
#           leaves too little room: here the last letter hangs 20 pixels out over the right edge it was
#           aligned to.
# Why:      matplotlib/backends/backend_agg.py (new in 3.11): draw_text passes mtext.get_fontfeatures() to
#           the layout; get_text_width_height_descent gets only the string and the font's properties, and
#           its cached result has no features in its key either. Not documented.
# Versions: matplotlib 3.11.2, Python 3.11; run on 2026-11-30.
# Seen:     right edge asked for: 300. Ink ends at 298 with the font's kerning, at 320 with "-kern"; extent of
#           both: 60.4 to 300.0
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check matplotlib==3.11.2
env/bin/python - <<'PY'
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

def right_aligned(features):
    """The last column with ink, and the extent, of a text that should end at column 300."""
    canvas = FigureCanvasAgg(Figure((4, 1), dpi=100))
    text = canvas.figure.text(0.75, 0.3, "AVAVAVAVA", ha="right", fontsize=30, fontfeatures=features)
    canvas.draw()
    ink = np.asarray(canvas.buffer_rgba())[..., 0] < 128
    return int(np.flatnonzero(ink.any(0))[-1]), text.get_window_extent().extents[::2].round(1).tolist()

kerned, spaced = right_aligned(None), right_aligned(("-kern",))
print("kerned:", kerned, "without kerning:", spaced)
assert kerned[1] == spaced[1] and abs(kerned[0] - 300) <= 2 and spaced[0] > 310
PY
