"""Files worked out from the counts: used while they are sound; a damaged one is made anew."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from scanvi_core.arrays import Kind, open_array
from scanvi_core.errors import DataDamaged, is_of_the_machine
from scanvi_core.typed import taken

logger = logging.getLogger(__name__)


def array(path: Path, kind: Kind) -> NDArray[Any] | None:
    """Return an array; None where there is none, or no sound one."""
    return _sound(path, lambda: open_array(path, kind))


def record(path: Path, kind: Any) -> Any:
    """Return what a JSON file holds; None where there is none, or no sound one."""
    return _sound(path, lambda: taken(json.loads(path.read_text(encoding="utf-8")), kind))


def table(path: Path) -> pd.DataFrame | None:
    """Return a table; None where there is none, or no sound one."""
    return _sound(path, lambda: pd.read_parquet(path, page_checksum_verification=True))


def write_table(path: Path, made: pd.DataFrame) -> None:
    """Write a table, so that damage to it is noticed."""
    made.to_parquet(path, index=False, write_page_checksum=True)


def _sound(path: Path, read: Callable[[], Any]) -> Any:
    if not path.is_file():
        return None
    try:
        return read()
    except (DataDamaged, ValueError, OSError, LookupError, RecursionError) as error:
        if is_of_the_machine(error):
            raise
        logger.warning("%s is put aside", path, exc_info=error)
        path.replace(path.with_name(f"{path.name}.damaged"))
        return None
