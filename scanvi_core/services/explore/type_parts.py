"""The parts that the cells of a type fall into, with the genes that are high in each."""

from typing import NamedTuple

import numpy as np

from scanvi_core.errors import LabelsUnusable
from scanvi_core.services.explore import telling_genes
from scanvi_core.services.formatting import count
from scanvi_core.services.workspace import Workspace

MARKERS = 6
MOST_PARTS = 8


class Part(NamedTuple):
    """Cells of a type that are alike, and genes that are higher in them than in its others."""

    rows: np.ndarray
    markers: tuple[str, ...]


def parts(opened: Workspace, label: str, n_parts: int) -> tuple[Part, ...]:
    """Return the parts of a type, the largest first.

    Raises
    ------
    LabelsUnusable
        If it has too few cells with counts.
    """
    key = ("parts of a type", label, opened.labels().seq, n_parts)
    return opened.cache.get(key, lambda: _parts(opened, _rows(opened, label), n_parts))


def _rows(opened: Workspace, label: str) -> np.ndarray:
    from scanvi_core.annotation.layout.parts import MIN_CELLS

    state = opened.labels()
    code = dict(zip(state.active, state.active_codes, strict=True)).get(label, -2)
    rows = np.flatnonzero((state.codes == code) & (opened.dataset.totals > 0))
    if len(rows) < MIN_CELLS:
        raise LabelsUnusable(
            f"{label} has {count(len(rows), 'cell')} with counts.",
            f"Parts are looked for among {MIN_CELLS} or more.",
        )
    return rows


def _parts(opened: Workspace, rows: np.ndarray, n_parts: int) -> tuple[Part, ...]:
    from scanvi_core.annotation.layout.parts import parts_of
    from scanvi_core.data.blocks.rows import take_rows
    from scanvi_core.data.normalization import log_normalized

    logs = log_normalized(take_rows(opened.dataset.counts, rows), opened.dataset.totals[rows])
    codes = parts_of(logs, n_parts)
    own = [rows[codes == part] for part in range(n_parts)]
    return tuple(Part(part, _markers(opened, part, rows)) for part in own if len(part))


def _markers(opened: Workspace, part: np.ndarray, rows: np.ndarray) -> tuple[str, ...]:
    rest = np.setdiff1d(rows, part, assume_unique=True)
    return telling_genes.high_in(opened, part, rest, MARKERS) if len(rest) else ()
