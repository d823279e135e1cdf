"""One reason per cell why its prediction may be doubted: technical, novel or ambiguous."""

from enum import IntEnum

import numpy as np


class Reason(IntEnum):
    """Why a prediction may be doubted; the values are the codes in arrays and on disk."""

    OK = 0
    AMBIGUOUS = 1
    NOVEL = 2
    TECHNICAL = 3

    @property
    def label(self) -> str:
        """Its name on pages and in files, such as ``novel``."""
        return self.name.lower()


REASON_NAMES = tuple(reason.label for reason in Reason)  # by code


def weigh_reasons(
    confidence: np.ndarray, novel: np.ndarray, technical: np.ndarray, threshold: float
) -> np.ndarray:
    """Return the `Reason` for doubt of each cell, int8 [n].

    Technical goes before novel, which goes before ambiguous: two cells in one droplet look new,
    and new cells look ambiguous, so the first explains the others.

    Parameters
    ----------
    confidence
        Calibrated probability of the likeliest type [n]; NaN (cells without counts) is technical.
    novel
        Cells unlike every labeled one [n].
    technical
        Cells with few counts, dying cells, doublets [n].
    threshold
        Less confidence than this is ambiguous.
    """
    cells = [technical | np.isnan(confidence), novel, confidence < threshold]
    codes = [Reason.TECHNICAL, Reason.NOVEL, Reason.AMBIGUOUS]
    return np.select(cells, codes, Reason.OK).astype(np.int8)
