"""Genes that tell groups of cells apart at a glance: no test, but a list in a moment.

Values are log1p of counts per 10,000 throughout; nothing is made dense. A test with p-values is
in `ranking`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from scanvi_core.annotation.genes.comparison import (
    Codes,
    Rows,
    draw_cells,
    moments,
    rank_sums,
)
from scanvi_core.data.normalization import log_normalized

MAX_SIDE_CELLS = 2_000
MIN_FRACTION = 0.1  # a gene seen in fewer cells of either side marks nothing
TEST_CANDIDATES = 4  # per gene asked for, ranked by AUC after Welch's t has chosen them


@dataclass(frozen=True, slots=True)
class MarkerGene:
    """How one gene differs between the cells A and B.

    Parameters
    ----------
    gene
        Column of the matrix.
    mean_a, mean_b
        Mean log1p(CP10k).
    score
        Welch's t; positive: higher in A.
    auc
        Chance that a cell of A has a higher value than one of B (0.5: no difference).
    """

    gene: int
    mean_a: float
    mean_b: float
    score: float
    auc: float


def contrast(
    counts: sp.csr_matrix,
    rows_a: Rows,
    rows_b: Rows,
    n: int = 8,
    *,
    seed: int = 0,
) -> list[MarkerGene]:
    """Return the genes that separate cells A from cells B best, in either direction.

    Candidates are the genes with the largest absolute Welch's t; the best by AUC are returned,
    because AUC does not reward a few extreme cells. Of more than 2,000 cells a side, 2,000 are
    drawn.

    Parameters
    ----------
    counts
        Counts [cells, genes].
    rows_a, rows_b
        Positions of trusted cells.
    n
        Number of genes.
    seed
        Start of the draw.

    Returns
    -------
    Genes with the clearest first; empty when a side has no cells.
    """
    random = np.random.default_rng(seed)
    sides = [draw_cells(np.asarray(rows), MAX_SIDE_CELLS, random) for rows in (rows_a, rows_b)]
    if not all(len(rows) for rows in sides):
        return []
    values = log_normalized(sp.csr_matrix(counts[np.concatenate(sides)]))
    return _separating(values, len(sides[0]), n, upwards=False)


def one_vs_rest(
    counts: sp.csr_matrix,
    codes: Codes,
    names: Sequence[str],
    n: int = 5,
    *,
    seed: int = 0,
) -> dict[str, list[MarkerGene]]:
    """Return, for each named code, the genes that are higher in its cells than in the others.

    Parameters
    ----------
    counts
        Counts [cells, genes].
    codes
        Label code per cell [cells]; -1 for cells that are on neither side.
    names
        Label names by code; a label without cells, or alone, gets an empty list.
    n
        Genes per label.
    seed
        Start of the draw: of each label at most 2,000 cells are drawn, once.
    """
    random = np.random.default_rng(seed)
    labels = [
        draw_cells(np.flatnonzero(codes == code), MAX_SIDE_CELLS, random)
        for code in range(len(names))
    ]
    rows = np.concatenate([*labels, np.empty(0, dtype=np.int64)]).astype(np.int64)
    owner = np.repeat(np.arange(len(names)), [len(own) for own in labels])
    values = log_normalized(sp.csr_matrix(counts[rows]))
    markers: dict[str, list[MarkerGene]] = {}
    for code, name in enumerate(names):
        own = np.flatnonzero(owner == code)
        rest = draw_cells(np.flatnonzero(owner != code), MAX_SIDE_CELLS, random)
        both = np.concatenate([own, rest])
        is_tested = len(own) > 0 and len(rest) > 0
        markers[name] = _separating(values[both], len(own), n, upwards=True) if is_tested else []
    return markers


def _separating(values: sp.csr_matrix, n_a: int, n: int, *, upwards: bool) -> list[MarkerGene]:
    """Return the genes that separate the first `n_a` rows of `values` from the others best."""
    side = (np.arange(values.shape[0]) >= n_a).astype(np.int64)
    cells, mean, variance, share = moments(values, side, 2)
    error = variance / cells[:, None]
    # The floor keeps a gene that is constant on both sides, or one cell a side, finite.
    welch = (mean[0] - mean[1]) / np.sqrt(error[0] + error[1] + 1e-6)
    welch[share.max(axis=0) < MIN_FRACTION] = 0.0
    strength = welch if upwards else np.abs(welch)
    best = np.argsort(-strength, kind="stable")[: TEST_CANDIDATES * n]
    best = best[strength[best] > 0]
    sums, _ = rank_sums(values[:, best], side, 2)
    aucs = (sums[0] / cells[0] - (cells[0] + 1) / 2) / cells[1]
    order = np.argsort(-(aucs if upwards else np.abs(aucs - 0.5)), kind="stable")[:n]
    return [
        MarkerGene(
            gene=int(gene),
            mean_a=float(mean[0, gene]),
            mean_b=float(mean[1, gene]),
            score=float(welch[gene]),
            auc=float(auc),
        )
        for gene, auc in zip(best[order], aucs[order], strict=True)
    ]
