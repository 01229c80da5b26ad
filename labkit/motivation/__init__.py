"""Notebook 01: how many labels prior knowledge is worth.

Read sweep (the experiment), figures (its curves, read horizontally), panels (neighbours before and
after pretraining; a task of one's own).
"""
