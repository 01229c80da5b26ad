"""The panels: one named function per idea, one module per notebook.

Each panel is three pure functions (compute, draw, describe) and a line that wires them together.
"""

from labkit.explorers.distortion import DistortionExplorer, feature_distortion
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
from labkit.explorers.two_layer import (
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
