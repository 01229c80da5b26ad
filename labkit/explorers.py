"""The panels: one named function per idea, one module per notebook.

Each panel is three pure functions (compute, draw, describe) and a line that wires them together;
notebook 06's two pictures draw themselves in the browser.
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
    partners_found,
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
from labkit.failure.invariance import gain_without, trap_chance, trap_scores
from labkit.failure.panels import (
    RIDGES,
    Damage,
    Labels,
    Seen,
    compute_damage,
    compute_labels,
    compute_seen,
    damage,
    damage_all,
    describe_damage,
    describe_labels,
    describe_seen,
    embed_label_task,
    invariances,
    label_counts,
    label_curve,
    labels,
    make_trap_gallery,
)
from labkit.lp_ft.explorer import DistortionExplorer, feature_distortion
from labkit.lp_ft.proof import theory
from labkit.meta.figures import draw_sinusoids
from labkit.meta.landscape import Landscape as Objective
from labkit.meta.panels import (
    Adapted,
    Episode,
    compute_episode,
    compute_landscape,
    compute_sinusoids,
    describe_episode,
    describe_landscape,
    describe_sinusoids,
    episode_models,
    episode_viewer,
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
