"""How good predictions are, and what a latent space keeps and mixes."""

from scanvi_core.metrics.classification import (
    GroupScore,
    Scores,
    TypeScore,
    confusion_matrix,
    score,
    score_groups,
)
from scanvi_core.metrics.confidence import (
    CoverageCurve,
    Kept,
    ReliabilityBin,
    calibration_error,
    chance_error,
    coverage_curve,
    keep_above,
    keep_surest,
    reliability,
)
from scanvi_core.metrics.integration import Conservation, Mixing, conservation, mixing
from scanvi_core.metrics.intervals import f1_interval, paired_difference, wilson_interval

__all__ = [
    "Conservation",
    "CoverageCurve",
    "GroupScore",
    "Kept",
    "Mixing",
    "ReliabilityBin",
    "Scores",
    "TypeScore",
    "calibration_error",
    "chance_error",
    "confusion_matrix",
    "conservation",
    "coverage_curve",
    "f1_interval",
    "keep_above",
    "keep_surest",
    "mixing",
    "paired_difference",
    "reliability",
    "score",
    "score_groups",
    "wilson_interval",
]
