"""SCANVI models of scvi-tools, from the folder that the project's converter writes.

scvi-tools saves pickles, which run code when they are read. They are therefore read where
scvi-tools is installed, by ``benchmarks/reference/convert_scvi_tools.py``, and only its
two files come here: ``model.safetensors`` (the weights) and ``model.json`` (the settings, and the
names of genes, labels and batches in the order of their codes).
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load_file

from scanvi_core.errors import FileRefused
from scanvi_core.module.scanvi import SCANVI

WEIGHTS, RECORD = "model.safetensors", "model.json"
FORMAT = 1
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
        If the folder is not one the converter wrote, or its weights do not fit its settings.
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
    return module.eval()


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
