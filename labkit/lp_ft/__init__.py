"""Notebook 06: why fine-tuning loses what pretraining knew, and what helps.

Read `theory` first: the two-layer linear model, trained three ways, and where fine-tuning begins to
win; `theory_bound` says why it must err (Theorem 3.1). `distortion` watches the same happen to real
features, and `sweep` measures it under five shifts. LP-FT itself is `labkit.transfer.lp_ft`.
"""

from labkit.lp_ft.theory import Simulation, Trajectory, final_losses, simulate
