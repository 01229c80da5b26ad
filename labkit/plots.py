"""The figures that notebooks draw: one style, and `draw_*(ax, result)` functions that only draw."""

from labkit.adapters.comparison import TUNED
from labkit.adapters.figures import (
    PARTS,
    describe_pruning,
    describe_settings,
    draw_block,
    draw_forgetting,
    draw_frontier,
    draw_movement,
    draw_pruning,
    show,
)
from labkit.contrastive.figures import (
    describe_geometry,
    describe_information,
    draw_clip,
    draw_geometry,
    draw_information,
    draw_simclr,
    draw_styles,
)
from labkit.failure.figures import (
    ENCODERS,
    KINDS,
    describe_drift,
    describe_estimates,
    draw_drift,
    draw_estimates,
    draw_line,
    draw_traps,
    kind_of,
)
from labkit.figures import (
    describe_curves,
    describe_dots,
    describe_history,
    describe_reliability,
    draw_curves,
    draw_dots,
    draw_history,
    draw_reliability,
    in_points,
    name_methods,
    show_advice,
    styled,
)
from labkit.looks import LOOKS
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
    draw_errors,
    draw_few_shot,
    draw_functions,
    draw_sinusoids,
    draw_task,
)
from labkit.motivation.figures import (
    describe_shots,
    draw_guesses,
    draw_shots,
    draw_worth,
    shots_curves,
)
from labkit.ui import memory
from labkit.ui.images import draw_images, label_grid, tiles
from labkit.ui.style import Picture, figure, shorten

memory.give_back_after_each_cell()
