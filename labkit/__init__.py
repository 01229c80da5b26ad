"""Helpers for the Transfer Learning Lab. Importing the package loads nothing heavy."""

__version__ = "0.1.0"
