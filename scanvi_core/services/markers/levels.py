"""How high the markers of an offered type are in some cells: what an offer rests on."""

import numpy as np
import pandas as pd

from scanvi_core.data.markers import json_table
from scanvi_core.data.markers.marker_sets import MarkerSet
from scanvi_core.errors import FileRefused
from scanvi_core.project.opinions import Opinion
from scanvi_core.runtime import log_cause
from scanvi_core.services.markers import scoring, tables
from scanvi_core.services.opinions.kept import kept
from scanvi_core.services.workspace import Workspace

MOST = 8  # genes
THESE, OTHERS = "these cells", "all others"


def of_type(opened: Workspace, rows: np.ndarray, name: str) -> pd.DataFrame:
    """Return the markers of a type, by the marker genes in use, with mean levels.

    Columns ``gene``, ``these cells`` and ``all others``: log1p of counts per 10,000. Genes that
    the type does not show bear a minus. Empty where no marker genes speak of the type.
    """
    own = _markers_of(opened, name)
    if own is None:
        return pd.DataFrame(columns=["gene", THESE, OTHERS])
    found = tables.match(opened, (own,)).types[0]
    signs = [(place, "") for place in found.positive] + [(p, " \u2212") for p in found.negative]
    return pd.DataFrame([_level(opened, rows, place, sign) for place, sign in signs[:MOST]])


def _level(opened: Workspace, rows: np.ndarray, place: int, sign: str) -> dict[str, str | float]:
    values = opened.dataset.gene_at(place)
    inside, n = float(values[rows].sum()), values.size - rows.size
    others = (float(values.sum(dtype=np.float64)) - inside) / max(1, n)
    symbol = str(opened.dataset.symbols[place])
    return {"gene": f"{symbol}{sign}", THESE: inside / max(1, rows.size), OTHERS: others}


def _markers_of(opened: Workspace, name: str) -> MarkerSet | None:
    """Return the markers of the last opinion that speaks of a type."""
    for opinion in reversed(kept(opened)):
        own = next((own for own, meant in opinion.names.items() if meant == name), None)
        if own is None or opinion.source != scoring.MARKERS:
            continue
        return next((one for one in _types(opinion) if one.name == own), None)
    return None


def _types(opinion: Opinion) -> tuple[MarkerSet, ...]:
    """Return the markers an opinion was made by; none where the record is not what was written."""
    try:
        found = json_table.parsed(opinion.name, opinion.about.get(scoring.GENES, "{}"))
    except FileRefused as error:
        log_cause(error)
        return ()
    return tuple(one for way in json_table.readings(found) for one in way.types)
