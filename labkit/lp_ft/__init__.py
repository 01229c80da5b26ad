"""Notebook 06: why fine-tuning loses what pretraining knew, and what helps.

Read `theory` first: the two-layer linear model, trained three ways; `theory_bound` says why it must
err (section 3), and `proof` draws it. `distortion` records the same on real features, `scene` and
`explorer` show it, and `sweep` measures it under seven shifts. LP-FT itself is
`labkit.transfer.lp_ft`.
"""

from labkit.lp_ft.theory import Simulation, Trajectory, simulate
