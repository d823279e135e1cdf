"""The files of a trained model: two of safetensors and one of JSON, no pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from scanvi_core.errors import ProjectError
from scanvi_core.runtime import replacing

WEIGHTS, LINEAR_MODELS, RECORD = "model.safetensors", "companions.safetensors", "annotator.json"
FORMAT = 1
DAMAGE = (SafetensorError, OSError, ValueError, TypeError, KeyError, RuntimeError)


def write(
    folder: Path,
    record: dict[str, Any],
    weights: dict[str, np.ndarray],
    linear_models: dict[str, np.ndarray],
) -> None:
    """Write a model; the record comes last, so that a folder that has it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, arrays in ((WEIGHTS, weights), (LINEAR_MODELS, linear_models)):
        with replacing(folder / name) as path:
            save_file({k: np.ascontiguousarray(v) for k, v in arrays.items()}, path)
    text = json.dumps({"format": FORMAT, **record}, indent=1, ensure_ascii=False)
    with replacing(folder / RECORD) as path:
        path.write_text(text, encoding="utf-8")


def read(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return record, weights and linear models that `write` wrote.

    Raises
    ------
    ProjectError
        If `folder` holds no complete model of this format.
    """
    if not (folder / RECORD).exists():
        raise ProjectError(f"No model in {folder}.", "Train one first.")
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    if record["format"] != FORMAT:
        raise ProjectError(
            f"The model in {folder} has format {record['format']}.",
            "Open it with the version of the program that wrote it, or train again.",
        )
    return record, load_file(folder / WEIGHTS), load_file(folder / LINEAR_MODELS)
