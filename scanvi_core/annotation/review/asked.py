"""Why a card is asked: what of its cluster stands against the first guess, counted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scanvi_core.annotation.uncertainty.novelty import NOVEL_FROM
from scanvi_core.config import LOW_CONFIDENCE

Floats = npt.NDArray[Any]

# Unlike every labeled cell; the model is not sure; it is sure, but the cells are so unlike labeled
# ones that this is not enough.
NOVEL, UNSURE, STRANGE = "novel", "unsure", "strange"


@dataclass(frozen=True, slots=True)
class Asked:
    """Why a card is asked, `NOVEL`, `UNSURE` or `STRANGE`, and for how many cells around it."""

    why: str
    n: int
    n_cells: int


def chance_right(probabilities: Floats, novelty: Floats) -> Floats:
    """Return the chance [n] that the likeliest type is right, and the cell of no new type."""
    likeliest = np.nan_to_num(probabilities).max(axis=1, initial=0.0)
    return np.asarray((1.0 - np.nan_to_num(novelty)) * likeliest)


def asked(confidence: Floats, novelty: Floats) -> Asked:
    """Return why cells of a cluster are asked about, of whom at least one is in doubt.

    Parameters
    ----------
    confidence, novelty
        Of the open cells of the cluster [m]; see `card_order.cards`.
    """
    n_cells = len(confidence)
    if novelty.mean() > NOVEL_FROM:
        return Asked(NOVEL, int(np.count_nonzero(novelty > NOVEL_FROM)), n_cells)
    n_unsure = int(np.count_nonzero(confidence < LOW_CONFIDENCE))
    n_doubtful = int(np.count_nonzero((1.0 - novelty) * confidence < LOW_CONFIDENCE))
    if 2 * n_unsure >= n_doubtful:
        return Asked(UNSURE, n_unsure, n_cells)
    return Asked(STRANGE, n_doubtful, n_cells)
