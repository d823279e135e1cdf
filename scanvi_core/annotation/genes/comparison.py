"""What comparisons of groups of cells are made of: cells drawn, moments, and sums of ranks.

Three comparisons stand on them: `markers` (at a glance: Welch's t, then AUC), `ranking` (a test:
Wilcoxon's, with p-values) and `annotation.genes.differential` (what the model believes).
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Rows = npt.NDArray[np.int64]
Codes = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
SORTED_VALUES = 2**22  # values above 0 whose ranks are found at a time

Values: TypeAlias = "sp.csr_matrix | sp.csc_matrix"


class Moments(NamedTuple):
    """Of each gene in each group [groups, genes]; NaN in groups without a cell.

    `n` are the cells of each group [groups], `share` is that of the cells with a value above 0.
    """

    n: Floats
    mean: Floats
    variance: Floats
    share: Floats


def draw_cells(rows: Rows, most: int, random: np.random.Generator) -> Rows:
    """Return at most `most` of some cells, in order."""
    return rows if len(rows) <= most else np.sort(random.choice(rows, most, replace=False))


def draw_per_group(codes: Codes, n_groups: int, most: int, seed: int = 0) -> Rows:
    """Return the rows of at most `most` cells of each group, in order."""
    random = np.random.default_rng(seed)
    groups = [draw_cells(np.flatnonzero(codes == g), most, random) for g in range(n_groups)]
    return np.sort(np.concatenate([*groups, np.empty(0, dtype=np.int64)])).astype(np.int64)


def moments(values: Values, codes: Codes, n_groups: int) -> Moments:
    """Return mean, variance (over n - 1) and share of cells with a value, per group and gene.

    Parameters
    ----------
    values
        Values [cells, genes], CSR or CSC.
    codes
        Group of each cell [cells]; negative for none.
    n_groups
        Number of groups.
    """
    n_genes, lengths = values.shape[1], np.diff(values.indptr)
    first = (codes.astype(np.int64) + 1) * n_genes
    if values.format == "csr":
        place = np.repeat(first, lengths)
        place += values.indices
    else:
        place = first[values.indices]
        place += np.repeat(np.arange(n_genes), lengths)
    data = values.data.astype(np.float64)
    sums, squares, seen = (
        np.bincount(place, weights, (n_groups + 1) * n_genes).reshape(-1, n_genes)[1:]
        for weights in (data, data * data, data > 0)
    )
    n = np.bincount(codes + 1, minlength=n_groups + 1)[1:].astype(np.float64)
    cells = np.where(n > 0, n, np.nan)[:, None]
    mean = sums / cells
    variance = np.maximum(squares / cells - mean**2, 0.0) * cells / np.maximum(cells - 1, 1)
    return Moments(n, mean, variance, seen / cells)


def rank_sums(values: Values, codes: Codes, n_groups: int) -> tuple[Floats, Floats]:
    """Return the sums of ranks [groups, genes], and Σ (t³ − t) over the ties of each gene [genes].

    Equal values share their mean rank, as Wilcoxon's test has it. Only values above 0 are sorted,
    some genes at a time: the zeros are one tie below them.

    Parameters
    ----------
    values
        Values [cells, genes], none negative.
    codes
        Group of each cell [cells], 0 to `n_groups` - 1.
    n_groups
        Number of groups.
    """
    columns, n_genes = sp.csc_matrix(values), values.shape[1]
    at_once = max(1, n_genes * SORTED_VALUES // max(1, columns.nnz))
    blocks = [
        _rank_sums(columns[:, start : start + at_once], codes, n_groups)
        for start in range(0, max(1, n_genes), at_once)
    ]
    sums, ties = zip(*blocks, strict=True)
    return np.concatenate(sums, axis=1), np.concatenate(ties)


def _rank_sums(columns: sp.csc_matrix, codes: Codes, n_groups: int) -> tuple[Floats, Floats]:
    n_cells, n_genes = columns.shape
    is_filled = columns.data > 0
    values = columns.data[is_filled]
    gene = np.repeat(np.arange(n_genes), np.diff(columns.indptr))[is_filled]
    filled = np.bincount(gene, minlength=n_genes)
    zeros = (n_cells - filled).astype(np.float64)
    order = np.lexsort((values, gene))
    ordered = values[order]
    is_first = np.ones(len(ordered), dtype=bool)
    is_first[1:] = (ordered[1:] != ordered[:-1]) | (gene[1:] != gene[:-1])
    first = np.flatnonzero(is_first)
    tied = np.diff(first, append=len(ordered))
    owner = gene[first]
    ranks = zeros[owner] + first - (np.cumsum(filled) - filled)[owner] + (tied + 1) / 2
    place = codes[columns.indices[is_filled][order]].astype(np.int64) * n_genes + gene
    sums, n_filled = (
        np.bincount(place, weights, n_groups * n_genes).reshape(n_groups, n_genes)
        for weights in (np.repeat(ranks, tied), None)
    )
    own_zeros = np.bincount(codes, minlength=n_groups)[:, None] - n_filled
    cubes = np.bincount(owner, tied.astype(np.float64) ** 3 - tied, n_genes)
    return sums + own_zeros * (zeros + 1) / 2, zeros**3 - zeros + cubes
