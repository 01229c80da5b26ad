"""Notebook 07: your own data, a folder of images or a table, from leaks to a paragraph of advice.

Read collection (what is read), duplicates (what is there twice), measure (grouped splits, cached
features, the learning curve), conclusions; then figures, report. `python -m labkit.capstone` does
all of it. example writes a folder to try it on.
"""

from labkit.capstone.collection import Collection, enough, read
from labkit.capstone.conclusions import (
    advice_of,
    calibration_of,
    curves_of,
    mistakes_of,
    situations_of,
)
from labkit.capstone.duplicates import joined, near_duplicates, unseen
from labkit.capstone.example import write_example
from labkit.capstone.measure import QUICK, Plan, cached_features, learning_curve, load_backbone
