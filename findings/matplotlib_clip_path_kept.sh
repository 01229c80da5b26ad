#!/usr/bin/env bash
# matplotlib: a clip path whose vertices are edited in place clips as it did at first, for good.
#
# Guess:    vertices may be edited in place (the gallery's animated histogram and path editor do so), and
#           what a path clips follows them, as the drawn path itself does; at the latest after another
#           set_clip_path.
# Happens:  with Agg, the canvas of notebooks and of every window, an image clipped by a path keeps its
#           first outline in all later frames of the canvas, while the same path drawn as a patch moves on.
#           Calling set_clip_path again changes nothing. savefig to another resolution is right, so that a
#           saved figure shows what the screen did not.
# Why:      src/_backend_agg.cpp, RendererAgg::render_clippath, draws a mask only if the path's id (the address
#           of its vertices) or its transform differs from the last one's. The address stays. A new Path
#           for each frame helps, as long as it does not get the address of the one before.
# Versions: matplotlib 3.11.2, Python 3.11; run on 2026-11-30.
# Seen:     dark pixels at radius .1 to .4, clipped, one canvas: 302 302 302 302; drawn as a patch, one
#           canvas: 302 1224 2750 4902; clipped, a canvas for each: 302 1224 2750 4902
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check matplotlib==3.11.2
env/bin/python - <<'PY'
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

RADII = (0.1, 0.2, 0.3, 0.4)

def ring(radius):
    angle = np.linspace(0, 2 * np.pi, 20)
    return 0.5 + radius * np.c_[np.cos(angle), np.sin(angle)]

def new(clips):
    """A canvas with a black disc: a black image clipped by a path, or the path itself."""
    canvas = FigureCanvasAgg(Figure((1, 1), dpi=100))
    ax = canvas.figure.add_axes([0, 0, 1, 1])
    ax.axis("off")
    disc = PathPatch(Path(ring(0.1)), color="black", linewidth=0, transform=ax.transData)
    if not clips:
        ax.add_patch(disc)
        return canvas, disc.get_path(), lambda: None
    image = ax.imshow(np.zeros((2, 2, 3)), extent=(0, 1, 0, 1))
    return canvas, disc.get_path(), lambda: image.set_clip_path(disc)

def dark(made, radius):
    canvas, path, clip = made
    path.vertices[:] = ring(radius)
    clip()
    canvas.draw()
    return int((np.asarray(canvas.buffer_rgba())[..., 0] < 100).sum())

kept, patch = new(clips=True), new(clips=False)
one = [dark(kept, r) for r in RADII]
drawn = [dark(patch, r) for r in RADII]
each = [dark(new(clips=True), r) for r in RADII]
print("clipped, one canvas:", one, "drawn:", drawn, "clipped, a canvas for each:", each)
assert len(set(one)) == 1 and each == sorted(set(each)) and drawn == sorted(set(drawn))
PY
