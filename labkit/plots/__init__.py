"""Every figure of the lab: one style, and `draw_*(ax, result)` functions that only draw."""

from labkit.plots.adapters import (
    TUNED,
    describe_forgetting,
    describe_frontier,
    describe_movement,
    describe_pruning,
    draw_forgetting,
    draw_frontier,
    draw_movement,
    draw_pruning,
    name_of,
)
from labkit.plots.contrastive import (
    describe_styles,
    draw_geometry,
    draw_information,
    draw_matrix,
    draw_push,
    draw_styles,
    draw_training,
    draw_views,
)
from labkit.plots.curves import (
    describe_history,
    describe_shots,
    draw_guesses,
    draw_history,
    draw_shots,
    draw_worth,
)
from labkit.plots.failure import (
    describe_drift,
    describe_estimates,
    describe_reliability,
    draw_damage,
    draw_drift,
    draw_estimates,
    draw_line,
    draw_reliability,
    kind_of,
)
from labkit.plots.images import (
    draw_framed,
    draw_images,
    draw_neighbours,
    frame_first,
    label_grid,
    tiles,
)
from labkit.plots.invariance import (
    describe_grid,
    describe_traps,
    draw_grid,
    draw_seen,
    draw_traps,
    label_encoders,
)
from labkit.plots.labels import (
    describe_chart,
    describe_contest,
    draw_chart,
    draw_contest,
    draw_labels,
    intervals_of,
)
from labkit.plots.meta_learning import (
    FEW_SHOT,
    describe_steps,
    describe_table,
    draw_episode,
    draw_errors,
    draw_few_shot_guesses,
    draw_functions,
    draw_landscape,
    draw_steps,
    draw_table,
    label_functions,
    look_of,
)
from labkit.plots.playground import draw_search, draw_zero_shot
from labkit.plots.shifts import (
    describe_layers,
    describe_rates,
    describe_shifts,
    draw_layers,
    draw_rates,
    draw_shifts,
    points,
)
from labkit.plots.style import (
    INK,
    METHODS,
    RC,
    Look,
    Picture,
    figure,
    label_end,
    percent_axis,
    place_ticks,
    shorten,
    spread,
    style,
)
from labkit.plots.theory import draw_crossover, draw_losses
from labkit.plots.transformer import PARTS, draw_block, draw_storage, size
