"""Levels of a few genes per group of cells, as log1p of counts per 10,000."""

from collections.abc import Sequence

import scipy.sparse as sp

from scanvi_core.annotation.genes.comparison import Codes, Floats, moments
from scanvi_core.data.blocks.mapped import columns_at
from scanvi_core.data.normalization import log_normalized


def by_group(
    counts: sp.csc_matrix, totals: Floats, genes: Sequence[int], codes: Codes, n_groups: int
) -> tuple[Floats, Floats]:
    """Return mean level and share of cells with a count, [n_groups, len(genes)] each.

    Only the columns of these genes are read.

    Parameters
    ----------
    counts
        Counts [cells, all genes] by gene.
    totals
        Counts per cell over all genes [cells].
    genes
        Columns of `counts`.
    codes
        Group of each cell [cells]; negative for none.
    n_groups
        Groups without a cell get NaN.
    """
    columns = columns_at(counts, genes)
    of_groups = moments(log_normalized(columns, totals), codes, n_groups)
    return of_groups.mean, of_groups.share
