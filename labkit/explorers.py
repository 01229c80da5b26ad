"""The panels: one named function per idea, one module per notebook.

Each panel is three pure functions (compute, draw, describe) and a line that wires them together.
"""

from labkit.adapters.panels import (
    Block,
    Live,
    Storage,
    compute_block,
    compute_live,
    compute_storage,
    describe_block,
    describe_live,
    describe_storage,
    draw_live,
    storage_calculator,
    train_adapters,
    transformer_block,
)
from labkit.contrastive.panels import (
    VIEW_SETS,
    Crowd,
    Push,
    Snapshot,
    Views,
    augmentations,
    compute_push,
    compute_views,
    describe_push,
    describe_views,
    make_crowd,
    make_view_gallery,
    temperature,
    train_simclr,
    view_similarity,
    watch_simclr,
)
from labkit.contrastive.playground import (
    Search,
    ZeroShot,
    compute_search,
    compute_zero_shot,
    describe_search,
    describe_zero_shot,
    playground,
    zero_shot,
)
from labkit.contrastive.projections import TEMPERATURES, at_temperature, geometry_of
from labkit.failure.invariance_panels import (
    Seen,
    compute_seen,
    describe_seen,
    gain_without,
    invariances,
    make_trap_gallery,
    trap_chance,
    trap_scores,
)
from labkit.failure.panels import (
    RIDGES,
    Damage,
    Labels,
    compute_damage,
    compute_labels,
    damage,
    damage_all,
    describe_damage,
    describe_labels,
    embed_label_task,
    label_counts,
    label_curve,
    labels,
)
from labkit.lp_ft.explorer import DistortionExplorer, feature_distortion
from labkit.lp_ft.panels import (
    FEATURE_ERRORS,
    Distortion,
    compute_theory,
    crossover,
    describe_theory,
    draw_theory,
    final_errors,
    sweep_errors,
    theory,
)
from labkit.meta.episodes import (
    Episode,
    compute_episode,
    describe_episode,
    episode_models,
    episode_viewer,
)
from labkit.meta.panels import (
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
from labkit.motivation.panels import (
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
