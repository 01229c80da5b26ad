"""Every figure of the lab: one style, and `draw_*(ax, result)` functions that only draw."""

from labkit.adapters.block_figures import PARTS, draw_block, draw_storage, size
from labkit.adapters.comparison import TUNED
from labkit.adapters.figures import (
    describe_pruning,
    describe_settings,
    draw_forgetting,
    draw_frontier,
    draw_movement,
    draw_pruning,
    show,
)
from labkit.contrastive.figures import (
    describe_geometry,
    describe_information,
    draw_geometry,
    draw_information,
    draw_matrix,
    draw_push,
    draw_search,
    draw_styles,
    draw_training,
    draw_views,
    draw_zero_shot,
)
from labkit.failure.figures import (
    ENCODERS,
    KINDS,
    describe_drift,
    describe_estimates,
    describe_reliability,
    draw_damage,
    draw_drift,
    draw_estimates,
    draw_labels,
    draw_line,
    draw_reliability,
    draw_seen,
    draw_traps,
    kind_of,
    show_advice,
)
from labkit.figures import (
    describe_curves,
    describe_dots,
    describe_history,
    draw_curves,
    draw_dots,
    draw_history,
    in_points,
    name_methods,
    styled,
)
from labkit.looks import LOOKS, Look
from labkit.lp_ft.figures import (
    describe_layers,
    describe_rates,
    describe_shifts,
    draw_layers,
    draw_rates,
    draw_shifts,
)
from labkit.meta.figures import (
    FEW_SHOT,
    SINUSOIDS,
    describe_few_shot,
    describe_steps,
    draw_episode,
    draw_few_shot,
    draw_functions,
    draw_landscape,
    draw_sinusoids,
    draw_steps,
)
from labkit.motivation.figures import (
    describe_shots,
    draw_guesses,
    draw_neighbours,
    draw_shots,
    draw_worth,
    shots_curves,
)
from labkit.ui.images import (
    draw_framed,
    draw_images,
    frame_first,
    label_grid,
    tiles,
)
from labkit.ui.style import (
    INK,
    RC,
    Picture,
    figure,
    label_end,
    percent_axis,
    place_ticks,
    shorten,
    spread,
    style,
)
