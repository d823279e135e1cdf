"""What to train, and the lane in which it runs."""

from dataclasses import dataclass, field

from scanvi_core import runtime
from scanvi_core.config import ModelConfig, TrainConfig

TRAIN = "train"
PACE = "pace"  # a short run that tells how long a training takes
AWAITED = "awaited"  # in the settings of a project: the run that other processes train


@dataclass(frozen=True)
class TrainRequest:
    """What to train: the two groups of settings, and whether to go on from the current model."""

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    warm: bool = False


def lane(device: str) -> str:
    """Return the lane of a training: one at a time per device."""
    return f"train:{runtime.choose_device(device)}"
