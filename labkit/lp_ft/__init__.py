"""Notebook 06: why fine-tuning loses what pretraining knew, and what helps."""
