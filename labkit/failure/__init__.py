"""Notebook 05: when transfer fails, and how one would notice."""
