"""Notebook 01: how many labels prior knowledge is worth."""
