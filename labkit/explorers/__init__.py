"""The panels: one named function per idea, one module per notebook.

Each panel is three pure functions (compute, draw, describe) and a line that wires them together.
"""

from labkit.explorers.episodes import (
    Episode,
    compute_episode,
    describe_episode,
    episode_models,
    episode_viewer,
)
from labkit.explorers.meta_learning import (
    Adapted,
    Objective,
    compute_landscape,
    compute_sinusoids,
    describe_landscape,
    describe_sinusoids,
    draw_sinusoids,
    objective_landscape,
    sinusoid_panel,
)
from labkit.explorers.motivation import (
    NEIGHBOURS,
    Gallery,
    Learned,
    Neighbours,
    compute_learned,
    compute_neighbours,
    describe_learned,
    describe_neighbours,
    draw_learned,
    make_gallery,
    neighbours,
    own_task,
)
