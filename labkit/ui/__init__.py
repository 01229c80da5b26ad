"""Panels, and how they look: nothing here knows a method or the data."""
