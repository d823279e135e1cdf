"""What a decision says about each of its cells: evidence, not truth.

A person who names a group looks at it as a whole, and calls it by a type of which most of its
cells are. Trained on as if every cell of it were certain, the wrong ones teach errors; so each
cell of a group learns from a *soft label*, which the earlier model shapes:

    T_i(c) = sigmoid(logit q_i(c) + shift),   mean_i T_i(c) = max(purity, mean_i q_i(c))

for a group named c, where q_i are the earlier model's probabilities on the types of now; the other
types share the rest of T_i in the proportions of q_i. That is a shift of the prior odds inside the
group (label shift: Saerens, Latinne and Decaestecker 2002, 10.1162/089976602753284446), with the
share of c given by how pure groups are that people name: .9 of the cells of cards were what the
card was called in simulated reviews; .95 where no model has learned the name yet. With .8 for all,
.780 were right after 12 decisions on three data sets, not .787, and of new types .63, not .69.
Cells named one by one keep their label.
A label that was brought keeps it but for the probability that it is wrong
(:mod:`scanvi_core.annotation.uncertainty.label_errors`), which the other types share in the
proportions of q_i.

Where groups were named by their majority and never split, training on 12 of them made .905 of the
cells that nobody had named right, .874 with their labels taken as certain and .902 without any
update; .883, .846 and .769 where a type was new: ``python -m benchmarks.speed.refit FOLDER``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from scanvi_core.annotation.decisions.refit import (
    FLOOR,
    Known,
    codes_now,
    corrected,
    of_model,
    within,
)

Floats = npt.NDArray[Any]
Codes = npt.NDArray[np.int64]

PURITY = 0.9  # of a named group: so many cells of the cards are what the card is called
NEW_PURITY = 0.95  # of a name that the model has never learned: else it learns too little of it
MAX_SHIFT = 40.0
HALVINGS = 50


def soft_labels(
    z1: Floats,
    probabilities: Floats,
    before: Known,
    now: Known,
    decision: Codes,
    wrong: Floats | None = None,
) -> npt.NDArray[np.float32]:
    """Return what each cell is to be learned as [n, K now], float32.

    Parameters
    ----------
    z1, probabilities
        Latent means [n, L] and probabilities [n, K before] of the earlier model.
    before, now
        The labels it was trained on, and those of now.
    decision
        Which decision named each cell [n], negative for cells that were named one by one, by
        labels that were brought, or not at all.
    wrong
        Probability that the label is wrong [n]; 0 or NaN where it is certain, or one of a group.

    Returns
    -------
    Rows that sum to 1; NaN for cells without counts. Labeled cells have their soft labels, the
    others the probabilities of the quick refit.
    """
    free = corrected(z1, probabilities, before, now)
    shares, q = within(free, now), _before_the_names(probabilities, free, before, now)
    n_types = len(now.names)
    named = (decision >= 0) & (now.y >= 0) & (now.y < n_types) & np.isfinite(q).all(axis=1)
    known = set(codes_now(before, now).tolist())
    for code, rows in _groups(decision, now.y, named):
        shares[rows] = soften(q[rows], code, PURITY if code in known else NEW_PURITY)
    if wrong is not None:
        doubted = (decision < 0) & (now.y >= 0) & (now.y < n_types) & (np.nan_to_num(wrong) > 0)
        rows = np.flatnonzero(doubted & np.isfinite(q).all(axis=1))
        shares[rows] = doubt(q[rows], now.y[rows], wrong[rows])
    return shares


def soften(q: Floats, code: int, purity: float = PURITY) -> npt.NDArray[np.float64]:
    """Return the soft labels [m, K] of a group of cells that was named as type `code`.

    Parameters
    ----------
    q
        Probabilities [m, K] of the types before the group was named.
    purity
        Share of the group's cells that is of the type at least.
    """
    q = np.maximum(np.asarray(q, dtype=np.float64), FLOOR)
    q /= q.sum(axis=1, keepdims=True)
    own = np.clip(q[:, code], FLOOR, 1 - FLOOR)
    odds, wanted = logit(own), max(purity, float(own.mean()))
    low, high = 0.0, MAX_SHIFT
    for _ in range(HALVINGS):
        shift = (low + high) / 2
        low, high = (shift, high) if expit(odds + shift).mean() < wanted else (low, shift)
    share = expit(odds + high)
    rest = (1.0 - share) / np.maximum(1.0 - own, FLOOR)
    soft = q * rest[:, None]
    soft[:, code] = share
    return np.asarray(soft / soft.sum(axis=1, keepdims=True))


def doubt(q: Floats, codes: Codes, wrong: Floats) -> npt.NDArray[np.float64]:
    """Return the soft labels [m, K] of cells whose labels `codes` [m] may be wrong.

    Parameters
    ----------
    q
        Probabilities [m, K] of the types.
    wrong
        Probability that each label is wrong [m].
    """
    cells = np.arange(len(codes))
    others = np.maximum(np.asarray(q, dtype=np.float64), FLOOR)
    others[cells, codes] = 0.0
    soft = others * (wrong / others.sum(axis=1))[:, None]
    soft[cells, codes] = 1.0 - wrong
    return np.asarray(soft)


def _before_the_names(
    probabilities: Floats, free: Floats, before: Known, now: Known
) -> npt.NDArray[np.float64]:
    """Return the earlier model's word on the types of now; that on new ones is the refit's."""
    lookup = codes_now(before, now)
    q = of_model(probabilities, lookup, len(now.names))
    new = np.setdiff1d(np.arange(len(now.names)), lookup)
    share = free[:, new]
    q *= 1.0 - share.sum(axis=1, keepdims=True)
    q[:, new] = share
    return q / q.sum(axis=1, keepdims=True)


def _groups(decision: Codes, y: Codes, named: npt.NDArray[np.bool_]) -> list[tuple[int, Codes]]:
    """Return the type and the rows of each decision; one that gave several types is several."""
    rows = np.flatnonzero(named)
    if not rows.size:
        return []
    keys = np.stack([decision[rows], y[rows]], axis=1)
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    cuts = np.flatnonzero((np.diff(keys[order], axis=0) != 0).any(axis=1)) + 1
    return [(int(y[part[0]]), part) for part in np.split(rows[order], cuts)]
