"""Every figure of the lab: one style, and `draw_*(ax, result)` functions that only draw."""

from labkit.plots.curves import (
    describe_history,
    describe_shots,
    draw_guesses,
    draw_history,
    draw_shots,
    draw_worth,
)
from labkit.plots.images import (
    draw_images,
    draw_neighbours,
    frame_first,
    label_grid,
    side_by_side,
)
from labkit.plots.style import (
    INK,
    METHODS,
    RC,
    Look,
    Picture,
    draw_chance,
    figure,
    label_end,
    percent_axis,
    shorten,
    spread,
    style,
)
