"""Which tissue cells come from: the one whose types are seen, by genes that are seen together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

FEWEST = 2  # genes of a type
HALF = 0.5  # of the genes of a type, in one cell
EXCESS = 0.005  # least share of cells with half of the genes of a type, above chance
ERRORS = 3.0  # standard errors that it must be above chance, too
SEED = 0
Types = Mapping[str, Sequence[int]]  # positions of the genes of each type, by its name


def evidence(counts: sp.csr_matrix, tissues: Mapping[str, Types]) -> dict[str, float]:
    """Return how much speaks for each tissue, 0 to 1, the likeliest first.

    It is the share of its types that are there, times the share of cells that show half of the
    genes of one. A type is there when more cells show half of its genes than would if each gene
    lay in cells of its own; one that several tissues have counts a part for each, since T cells
    are everywhere.

    Parameters
    ----------
    counts
        Some cells [n, genes].
    tissues
        Per tissue the genes of its types; types of which none are here count as not there.
    """
    random = np.random.default_rng(SEED)
    shared = Counter(name for types in tissues.values() for name in types)
    seen = {
        tissue: _seen(counts, types, {name: 1 / shared[name] for name in types}, random)
        for tissue, types in tissues.items()
    }
    return dict(sorted(seen.items(), key=lambda item: -item[1]))


def _seen(
    counts: sp.csr_matrix, types: Types, weights: Mapping[str, float], random: np.random.Generator
) -> float:
    there, explained = 0.0, np.zeros(counts.shape[0], dtype=bool)
    for name, genes in types.items():
        if len(genes) < FEWEST:
            continue
        shown = counts[:, list(genes)].toarray() > 0
        together, chance = _half(shown), _half(random.permuted(shown, axis=0))
        explained |= together
        share, by_chance = together.mean(), chance.mean()
        error = np.sqrt(by_chance * (1 - by_chance) / len(together))
        if share - by_chance > max(EXCESS, ERRORS * error):
            there += weights[name]
    return there / max(1e-9, sum(weights.values())) * float(explained.mean())


def _half(shown: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    needed = max(FEWEST, int(np.ceil(HALF * shown.shape[1])))
    return np.asarray(shown.sum(axis=1) >= needed)
