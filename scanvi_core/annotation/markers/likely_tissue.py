"""Which tissue cells come from: the one whose types are seen, by genes that are seen together."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

FEWEST = 2  # genes of a type
HALF = 0.5  # of the genes of a type, in one cell
EXCESS, TIMES = 0.005, 2.0  # share of cells with half of a type's genes, above chance
SEED = 0


def evidence(
    counts: sp.csr_matrix, tissues: Mapping[str, Sequence[Sequence[int]]]
) -> dict[str, float]:
    """Return how much speaks for each tissue, 0 to 1, the likeliest first.

    It is the share of its types that are there, times the share of cells that show half of the
    genes of one. A type is there when more cells show half of its genes than would if each gene
    lay in cells of its own.

    Parameters
    ----------
    counts
        Some cells [n, genes].
    tissues
        Per tissue and type the positions of its genes; types of which none are here count as
        not there.
    """
    random = np.random.default_rng(SEED)
    seen = {name: _seen(counts, types, random) for name, types in tissues.items()}
    return dict(sorted(seen.items(), key=lambda item: -item[1]))


def _seen(
    counts: sp.csr_matrix, types: Sequence[Sequence[int]], random: np.random.Generator
) -> float:
    n_there, explained = 0, np.zeros(counts.shape[0], dtype=bool)
    for genes in types:
        if len(genes) < FEWEST:
            continue
        shown = counts[:, list(genes)].toarray() > 0
        together, chance = _half(shown), _half(random.permuted(shown, axis=0))
        explained |= together
        share, by_chance = together.mean(), chance.mean()
        n_there += bool(share - by_chance > EXCESS and share > TIMES * by_chance)
    return n_there / max(1, len(types)) * float(explained.mean())


def _half(shown: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    needed = max(FEWEST, int(np.ceil(HALF * shown.shape[1])))
    return np.asarray(shown.sum(axis=1) >= needed)
