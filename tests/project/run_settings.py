"""Settings of a run, for tests that need a run and not its training."""

from typing import Any

from scanvi_core.config import ModelConfig, TrainConfig
from scanvi_core.project.run_settings import RunSettings


def settings(**changes: Any) -> RunSettings:
    """Return settings of a run of two types, some of them chosen."""
    plain: dict[str, Any] = {
        "model": ModelConfig(),
        "train": TrainConfig(device="cpu"),
        "seed": 0,
        "threads": 1,
        "device": "cpu",
        "counts_sha256": "ab" * 32,
        "labels_seq": 1,
        "label_names": ("B", "T"),
        "code_names": ("B", "T", "B", "T"),
        "batch_names": ("all cells",),
        "genes": ("CD19", "CD3E"),
    }
    return RunSettings(**plain | changes)
