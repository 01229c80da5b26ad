#!/usr/bin/env bash
# matplotlib: an animation shown once keeps its first speed, frames and size, whatever is asked later.
#
# Guess:    to_jshtml(fps=..., default_mode=...) returns a page made with these arguments, and the
#           figure as it is now.
# Happens:  the first call's page comes back for good. fps=30 after fps=1 is still 1 a second, "loop" is
#           still "once", and what was drawn into the figure since is missing. Where
#           rcParams["animation.html"] is "jshtml", merely displaying the animation in a notebook is such a
#           first call. to_html5_video keeps its first answer in the same way. save() does not.
# Why:      matplotlib/animation.py, Animation.to_jshtml: `if not hasattr(self,
#           "_html_representation")`; the arguments are no part of that. Not documented.
# Versions: matplotlib 3.11.2, Python 3.11; run on 2026-11-28.
# Seen:     asked for 1000 ms once, then 33 ms loop: both pages say 1000 ms, once; a new animation: 33 ms
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv env
env/bin/pip install --quiet --no-compile --disable-pip-version-check matplotlib==3.11.2
MPLBACKEND=agg env/bin/python -W ignore - <<'PY'
import re
import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation

fig, ax = plt.subplots(figsize=(1, 1))
(line,) = ax.plot([0, 1])

def animation():
    return FuncAnimation(fig, lambda i: line.set_ydata([i, 1]), frames=3)

def says(page):
    (pause,) = re.findall(r"new Animation\(frames, \w+, \w+, (\d+),", page)
    (mode,) = re.findall(r'value="(\w+)"[^>]*\s+checked', page)
    return int(pause), mode

shown = animation()
first = shown.to_jshtml(fps=1, default_mode="once")
line.set_color("red")
second = shown.to_jshtml(fps=30, default_mode="loop")
fresh = animation().to_jshtml(fps=30, default_mode="loop")
print(says(first), says(second), says(fresh))
assert second == first and says(first) == (1000, "once") and says(fresh) == (33, "loop")
PY
