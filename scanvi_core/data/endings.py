"""Names of the same cells that differ by an ending or a beginning: ``AAAC-1``, ``donor1_AAAC``."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from scanvi_core.data.names import BARCODE

ENDING = re.compile(r"([-_.:]\w{1,3})+$")  # -1, _2, .1, -1_3: of samples put together


def match_but_for_endings(names: pd.Index, cells: pd.Index) -> tuple[np.ndarray, str]:
    """Match names that differ from those of the cells by an ending or a beginning only.

    Returns
    -------
    tuple
        Per name the row of its cell, -1 where there is none; and an example of the difference.
        Nothing is matched where the barcodes alone are not one to one.
    """
    nobody = np.full(len(names), -1, dtype=np.intp)
    for strip in (_without_ending, _core):
        here, there = pd.Index(map(strip, cells)), pd.Index(map(strip, names))
        if not here.is_unique or not there.is_unique:
            continue
        place = here.get_indexer(there)
        found = np.flatnonzero(place >= 0)
        if found.size * 2 > min(len(names), len(cells)):
            example = found[0]
            return place, f"{names[example]} is {cells[place[example]]} here"
    return nobody, ""


def hold_barcodes(names: Iterable[object]) -> bool:
    """Tell whether most names hold the barcode of a cell."""
    found = [BARCODE.search(str(name)) is not None for name in names]
    return 2 * sum(found) > len(found)


def _without_ending(name: str) -> str:
    return ENDING.sub("", str(name).strip())


def _core(name: str) -> str:
    """Return the barcode inside a name; the name without its ending where there is none."""
    found = BARCODE.findall(str(name))
    return found[-1] if found else _without_ending(name)
