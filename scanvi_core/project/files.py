"""Small JSON files, written whole or not at all."""

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scanvi_core.errors import DataDamaged, ProjectError, reason_of
from scanvi_core.hints import FREE_SPACE
from scanvi_core.keys import as_now
from scanvi_core.runtime import replacing
from scanvi_core.typed import Mistyped, taken


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises
    ------
    ProjectError
        If the file is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = reason_of(error) if isinstance(error, OSError) else "it is no JSON"
        raise ProjectError(
            f"{path.name} of the project cannot be read: {why}.",
            "Restore the project folder from a backup.",
        ) from error


def read_record(path: Path, kind: Any) -> dict[str, Any]:
    """Return the record that a JSON file holds; what `kind` does not know is in it, too.

    Raises
    ------
    DataDamaged
        If a value is of another kind.
    ProjectError
        If the file is missing or damaged.
    """
    record = read_json(path)
    try:
        taken(record, kind)
    except Mistyped as error:
        raise DataDamaged(
            f"{path.name} of the project is damaged: {error}.",
            "Restore the project folder from a backup.",
        ) from error
    return as_now(record)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file.

    Raises
    ------
    ProjectError
        If the disk refuses.
    """
    text = to_json(value, indent=1)
    try:
        with replacing(path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise not_written(path, error) from error


def to_json(value: Any, indent: int | None = None) -> str:
    """Return JSON text; numpy values, paths, tuples and dataclasses become plain."""
    return json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)


def not_written(path: Path, error: OSError) -> ProjectError:
    """Return the error for a file that could not be written."""
    return ProjectError(
        f"{path.name} could not be written: {reason_of(error)}.",
        FREE_SPACE,
    )


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return dict(value)  # read-only mappings
