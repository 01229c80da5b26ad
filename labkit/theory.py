"""Index: the two-layer linear model of notebook 06, by its short name."""

from labkit.lp_ft.theory import Simulation, Trajectory, simulate  # noqa: F401
