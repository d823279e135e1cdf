"""SCANVI models of scvi-tools, from the folder that the project's converter writes.

scvi-tools saves pickles, which run code when they are read. They are therefore read where
scvi-tools is installed, by ``benchmarks/reference/convert_scvi_tools.py``, and only its
three files come here: ``model.safetensors`` (the weights), ``model.json`` (the settings, and the
names of genes, labels and batches in the order of their codes) and ``check.safetensors`` (a few
cells, and what scvi-tools said of them).
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from scanvi_core.errors import FileRefused
from scanvi_core.module.generation import normalized_expression
from scanvi_core.module.scanvi import SCANVI

WEIGHTS, RECORD, CHECK = "model.safetensors", "model.json", "check.safetensors"
FORMAT = 2
TOLERANCE = 1e-4  # of values of about 1; rounding differs by 1e-6
ADVICE = "Convert the saved model again with benchmarks/reference/convert_scvi_tools.py."


class ImportedNames(NamedTuple):
    """ImportedNames in the order the imported model has them."""

    genes: tuple[str, ...]
    labels: tuple[str, ...]
    batches: tuple[str, ...]


def load_scvi_tools(folder: Path) -> SCANVI:
    """Return a converted SCANVI of scvi-tools in eval mode, with the very formulas it was made by.

    Raises
    ------
    FileRefused
        If the folder is not one the converter wrote, its weights do not fit its settings, or the
        model says something else than it said in scvi-tools.
    SettingInvalid
        If a setting has a value that cannot work.
    """
    settings = _record(folder).get("settings")
    if not isinstance(settings, dict):
        raise FileRefused(f"{folder} does not tell the settings of its model.", ADVICE)
    try:
        module = SCANVI(**settings, parity=True)
        state = load_file(Path(folder) / WEIGHTS)
        module.load_state_dict(state)
    except (TypeError, RuntimeError, SafetensorError, OSError) as error:
        raise FileRefused(
            f"{folder} holds no complete model: {_first_line(error)}", ADVICE
        ) from error
    _check(folder, module.eval())
    return module


def _check(folder: Path, module: SCANVI) -> None:
    """Refuse a model that says something else of the stored cells than scvi-tools said."""
    try:
        stored = load_file(Path(folder) / CHECK)
        x, batch = stored["x"].float(), stored["batch"].long()
        with torch.no_grad():
            said = {"probabilities": module.classify(x), "latent": module.get_latents(x)[0]}
        said["expression"] = normalized_expression(module, x, batch)
        off = {name: _difference(value, stored[name]) for name, value in said.items()}
    except (KeyError, ValueError, RuntimeError, IndexError, SafetensorError, OSError) as error:
        raise FileRefused(
            f"{folder} does not tell what its model said in scvi-tools: {_first_line(error)}",
            ADVICE,
        ) from error
    wrong = [name for name in off if not off[name] <= TOLERANCE]  # NaN is, too
    if wrong:
        raise FileRefused(
            f"The model in {folder} says something else here than in scvi-tools: its "
            f"{', '.join(f'{name} (by up to {off[name]:.2g})' for name in wrong)}.",
            "It has a part that the converter does not know. Do not use it here.",
        )


def _difference(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference, of values above 1 as a share; NaN where one is."""
    if ours.shape != theirs.shape:
        raise ValueError(f"{tuple(theirs.shape)} numbers in place of {tuple(ours.shape)}")
    return float(((ours - theirs).abs() / theirs.abs().clamp(min=1.0)).max())


def imported_names(folder: Path) -> ImportedNames:
    """Return the names of genes, labels and batches of a converted model.

    Raises
    ------
    FileRefused
        If the folder is not one the converter wrote.
    """
    record = _record(folder)
    try:
        return ImportedNames(*(tuple(map(str, record[name])) for name in ImportedNames._fields))
    except (KeyError, TypeError) as error:
        raise FileRefused(f"{folder} does not name its genes and labels.", ADVICE) from error


def _record(folder: Path) -> dict[str, Any]:
    path = Path(folder) / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileRefused(f"{path} cannot be read: {_first_line(error)}", ADVICE) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise FileRefused(f"{path} is not a converted model of format {FORMAT}.", ADVICE)
    return record


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
