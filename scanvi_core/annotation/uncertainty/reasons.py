"""One reason per cell why its prediction may be doubted: technical, novel or ambiguous."""

import numpy as np

OK, AMBIGUOUS, NOVEL, TECHNICAL = range(4)
NAMES = ("ok", "ambiguous", "novel", "technical")  # by code


def reasons(
    confidence: np.ndarray, novel: np.ndarray, technical: np.ndarray, threshold: float
) -> np.ndarray:
    """Return the reason for doubt of each cell, int8 [n]; `NAMES` holds their names.

    Technical goes before novel, which goes before ambiguous: two cells in one droplet look new,
    and new cells look ambiguous, so the first explains the others.

    Parameters
    ----------
    confidence
        Calibrated probability of the likeliest type [n]; NaN (cells without counts) is technical.
    novel
        Cells unlike every labelled one [n].
    technical
        Cells with few counts, dying cells, doublets [n].
    threshold
        Less confidence than this is ambiguous.
    """
    empty = np.isnan(confidence)
    return np.select(
        [technical | empty, novel, confidence < threshold], [TECHNICAL, NOVEL, AMBIGUOUS], OK
    ).astype(np.int8)
