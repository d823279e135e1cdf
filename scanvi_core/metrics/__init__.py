"""How good predictions are."""

from scanvi_core.metrics.classification import (
    ReliabilityBin,
    Scores,
    TypeScore,
    calibration_error,
    confusion_matrix,
    reliability,
    score,
    wilson_interval,
)

__all__ = [
    "ReliabilityBin",
    "Scores",
    "TypeScore",
    "calibration_error",
    "confusion_matrix",
    "reliability",
    "score",
    "wilson_interval",
]
