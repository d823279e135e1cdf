"""Data sets to try the models on: published, for shapes, and with labels to learn."""

from scanvi_core.datasets.cortex import CortexDataset
from scanvi_core.datasets.labeled_counts import LabeledCounts
from scanvi_core.datasets.simulation import simulate
from scanvi_core.datasets.synthetic import SyntheticDataset

__all__ = ["CortexDataset", "LabeledCounts", "SyntheticDataset", "simulate"]
