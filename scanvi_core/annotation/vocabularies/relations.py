"""Which names of different sources mean the same cells, and which a part of others'."""

from typing import NamedTuple

import numpy as np

SAME, PART = "same", "part"
BOTH_WAYS = 0.6  # of the cells of either name, from which two names are the same
MOSTLY = 0.6  # of the cells of a name, from which it is part of another
BACK = 0.1  # of the cells of the broader name, that are called by the narrower one
COVERED = 0.7  # of the cells of the broader name, that are called by all its parts


class Relation(NamedTuple):
    """How the name of code `one` relates to that of code `other`: `SAME`, or a `PART` of it."""

    one: int
    other: int
    how: str


def relations(shares: np.ndarray, apart: np.ndarray) -> tuple[Relation, ...]:
    """Return what the predictions speak for; of a pair they leave open, nothing.

    Several names are parts of another where the cells of each are mostly called so, and its own
    cells are called by them in turn. Two names that are no such parts are the same where each is
    what the other's cells are mostly called. A type that the others do not have is called by a
    wrong name there, but none of theirs is called by it: so both ways are asked.

    Parameters
    ----------
    shares, apart
        Of `cross_predictions.cross_predictions` and `cross_predictions.apart`.
    """
    p = np.where(apart, np.nan_to_num(shares), 0.0)
    parts = {whole: own for whole in range(len(p)) if (own := _parts(p, whole)).size}
    found = [
        Relation(int(part), whole, PART)
        for whole, own in parts.items()
        if not parts.keys() & set(own.tolist())  # else none is plainly the broader one
        for part in own
    ]
    settled = {code for pair in found for code in pair[:2]}
    best = p.argmax(axis=1)
    for one, other in enumerate(map(int, best)):
        both = min(p[one, other], p[other, one])
        if one < other and best[other] == one and both >= BOTH_WAYS and not {one, other} & settled:
            found.append(Relation(one, other, SAME))
    return tuple(found)


def _parts(p: np.ndarray, whole: int) -> np.ndarray:
    """Return the names that are parts of one; none where they are fewer than two."""
    own = np.flatnonzero((p[:, whole] >= MOSTLY) & (p[whole] >= BACK))
    return own if own.size > 1 and p[whole, own].sum() >= COVERED else own[:0]
