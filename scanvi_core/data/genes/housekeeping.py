"""Ribosomal and mitochondrial genes: their levels follow a cell's state and its quality.

They differ between nearly all groups of cells, so that they tell no type of cell.
"""

import re

import numpy as np

from scanvi_core.data.qc.metrics import is_mitochondrial

# Proteins of the cytosolic ribosome, RPL3, RPS4X, RPLP0, RPSA, Rpl13a, with a genome in front
# (GRCh38_RPL3) and their pseudogenes (RPL13AP5, Rps24-ps3). RPS6KA1 is a kinase and none of them.
_RIBOSOMAL = re.compile(
    r"(?:[a-z0-9.]+_+)?(?:RP[LS]\d+(?:A|X|Y\d?|A?L\d?)?|RPLP[012]|RPSA\d?)(?:P\d+|-PS\d*)?",
    re.IGNORECASE,
)


def is_housekeeping(names: np.ndarray) -> np.ndarray:
    """Return which genes, by their symbols, are ribosomal or mitochondrial, bool [genes]."""
    ribosomal = [bool(_RIBOSOMAL.fullmatch(str(name).strip())) for name in names]
    return np.asarray(np.array(ribosomal, dtype=bool) | is_mitochondrial(names))
