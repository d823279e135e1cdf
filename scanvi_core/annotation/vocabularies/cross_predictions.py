"""What the labels of some sources call the cells that other sources have named.

A source is a batch or a file. Where two sources share a type under two names, a model of the one
calls the other's cells by its own name, and the other way round; that is how vocabularies are
matched without a dictionary.
"""

import numpy as np
from scipy import sparse

from scanvi_core.annotation.model.linear_models import components_of, ensemble, fit_linear_models
from scanvi_core.data.blocks.rows import take_rows

MOST_CELLS = 400  # of a name, drawn evenly
LEAST_CELLS = 10  # of a name with fewer nothing is said
MOST_MODELS = 12  # each of other sources


def uses(y: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Return which sources use each name, bool [names, sources].

    Parameters
    ----------
    y
        Codes of the names [n]; below 0 where a cell has none.
    source
        Codes of the sources [n].
    """
    found = np.zeros((int(y.max(initial=-1)) + 1, int(source.max(initial=-1)) + 1), dtype=bool)
    found[y[y >= 0], source[y >= 0]] = True
    return found


def apart(used: np.ndarray) -> np.ndarray:
    """Return which pairs of names no source uses both of, bool [names, names]."""
    together = used.astype(np.int64) @ used.T.astype(np.int64) > 0
    there = used.any(axis=1)
    return np.asarray(~together & np.outer(there, there))


def drawn(y: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return cells to look at, in order: of each name an even draw of 150 at most."""
    named = (np.flatnonzero(y == name) for name in range(int(y.max(initial=-1)) + 1))
    return np.sort(np.concatenate([random.permutation(rows)[:MOST_CELLS] for rows in named]))


def cross_predictions(
    counts: sparse.csr_array, y: np.ndarray, source: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Return of the cells of each name the share that others call by each name [names, names].

    "Others" are the linear models (:mod:`..model.linear_models`) of all cells in sources that
    never use the name. Rows of NaN: names with under 10 cells, and those of which no source has
    another name instead.

    Parameters
    ----------
    counts
        Counts [n, genes] of labeled cells, such as those `drawn`; no empty cell.
    y, source
        As `uses`.
    random
        For the linear models.
    """
    used = uses(y, source)
    enough = np.bincount(y, minlength=len(used)) >= LEAST_CELLS
    alike: dict[bytes, list[int]] = {}  # names of the same sources, which one model is asked of
    for code in np.flatnonzero(apart(used).any(axis=1) & enough).tolist():
        alike.setdefault(used[code].tobytes(), []).append(code)
    largest = sorted(alike.values(), key=lambda names: -np.isin(y, names).sum())
    shares = np.full((len(used), len(used)), np.nan)
    components = components_of(counts, random)
    for names in largest[:MOST_MODELS]:
        others = np.flatnonzero(~used[names[0]][source])
        own = np.flatnonzero(np.isin(y, names))
        known, codes = np.unique(y[others], return_inverse=True)
        if len(known) < 2:
            continue
        models = fit_linear_models(
            take_rows(counts, others), codes, len(known), random, components
        )
        said = known[ensemble(*models.predict(take_rows(counts, own))).argmax(axis=1)]
        for name in names:
            counted = np.bincount(said[y[own] == name], minlength=len(used))
            shares[name] = counted / counted.sum()
    return shares
