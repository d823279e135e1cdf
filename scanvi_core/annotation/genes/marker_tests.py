"""Genes ranked per group by Wilcoxon's rank sum test of their counts, cell by cell.

Another question than `annotation.genes.differential`, which asks how far the shares that the model
decodes differ: here, whether the counts of one group lie higher than those of the other.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp

from scanvi_core.annotation.genes.comparison import (
    Codes,
    Floats,
    draw_per_group,
    moments,
    rank_sums,
)
from scanvi_core.config import RARE_CELLS
from scanvi_core.data.normalization import log_normalized

TEST_CELLS = 10_000  # drawn for one test, of all groups together
SIDE_CELLS = 2_000
MIN_FRACTION = 0.1  # a gene seen in fewer cells of every group is not tested
GENES_AT_ONCE = 500  # between two reports
REST = -1
MAX_LOG2 = 10.0  # a gene without a count on one side has no finite fold change
FLOOR = 1e-9  # beside both means of a fold change
COLUMNS = ["group", "gene", "score", "log2_change", "p_adjusted", "share", "share_others"]


def rank_genes(
    counts: sp.csr_matrix,
    codes: Codes,
    names: Sequence[str],
    n: int,
    *,
    totals: Floats | None = None,
    reference: int = REST,
    report: Callable[[float], None] = lambda _: None,
) -> pd.DataFrame:
    """Rank genes per group by Wilcoxon's test of log-normalized counts, ties corrected.

    The numbers are those of scanpy's ``rank_genes_groups``, from sums of ranks that need no dense
    copy. Of large groups some cells are drawn, 10,000 in all. Groups of fewer than 3 cells, and
    genes seen in less than a tenth of every group, are left out.

    Parameters
    ----------
    counts
        Counts [cells, genes].
    codes
        Group of each cell [cells]; negative for none.
    names
        Name per group.
    n
        Genes per group.
    totals
        Counts per cell over all genes [cells]; None: the row sums of `counts`.
    reference
        `REST`: each group against all others, higher genes only. A code: the other groups
        against that one, genes that are higher and lower.
    report
        Told how far it is, from 0 to 1; what it raises ends the work.

    Returns
    -------
    Columns ``group`` (name), ``gene`` (column of `counts`), ``score`` (z), ``log2_change`` (of
    -10 to 10), ``p_adjusted`` (Benjamini and Hochberg), ``share`` and ``share_others`` (of
    cells with a count); the clearest first within a group.
    """
    sizes = np.bincount(codes[codes >= 0], minlength=len(names))
    tested = np.flatnonzero(sizes >= RARE_CELLS)
    if len(tested) < 2 or (reference != REST and reference not in tested):
        return pd.DataFrame(columns=COLUMNS)
    usable = np.where(np.isin(codes, tested), codes, -1)
    most = SIDE_CELLS if reference != REST else max(RARE_CELLS, TEST_CELLS // len(tested))
    rows = draw_per_group(usable, len(names), most)
    own = np.searchsorted(tested, usable[rows])
    values = log_normalized(
        sp.csr_matrix(counts[rows]), None if totals is None else np.asarray(totals)[rows]
    )
    against = REST if reference == REST else int(np.searchsorted(tested, reference))
    table = _tests(values, own, len(tested), against, report)
    if reference == REST:
        table = table[table["score"] > 0]
    order = table["score"].abs().sort_values(ascending=False, kind="stable").index
    best = table.loc[order].groupby("group", sort=True, group_keys=False).head(n)
    best = best.sort_values("group", kind="stable")
    best["group"] = [names[tested[code]] for code in best["group"]]
    return best.reset_index(drop=True)[COLUMNS]


def _tests(
    values: sp.csr_matrix,
    codes: Codes,
    n_groups: int,
    reference: int,
    report: Callable[[float], None],
) -> pd.DataFrame:
    """Test every gene that is seen often enough in every group; groups by code."""
    from scipy.special import ndtr
    from scipy.stats import false_discovery_control

    of_all = moments(values, codes, n_groups)
    genes = np.flatnonzero(of_all.share.max(axis=0) >= MIN_FRACTION)
    n, mean, share = of_all.n, of_all.mean[:, genes], of_all.share[:, genes]
    groups = np.flatnonzero(np.arange(n_groups) != reference)
    columns, blocks = sp.csc_matrix(values[:, genes]), []
    for start in range(0, max(1, len(genes)), GENES_AT_ONCE):
        report(start / max(1, len(genes)))
        block = columns[:, start : start + GENES_AT_ONCE].tocsr()
        blocks.append(_z_scores(block, codes, n, groups, reference))
    score = np.concatenate(blocks, axis=1)
    p_adjusted = false_discovery_control(2 * ndtr(-np.abs(score)), axis=1)
    mean_others, share_others = (_others(part, n, groups, reference) for part in (mean, share))
    fold = (np.expm1(mean[groups]) + FLOOR) / (np.expm1(mean_others) + FLOOR)
    return pd.DataFrame(
        {
            "group": np.repeat(groups, len(genes)),
            "gene": np.tile(genes, len(groups)),
            "score": score.ravel(),
            "log2_change": np.clip(np.log2(fold), -MAX_LOG2, MAX_LOG2).ravel(),
            "p_adjusted": p_adjusted.ravel(),
            "share": share[groups].ravel(),
            "share_others": share_others.ravel(),
        }
    )


def _others(part: Floats, n: Floats, groups: Codes, reference: int) -> Floats:
    """Return a mean of each gene over the cells on the other side of each group's test."""
    if reference != REST:
        return np.repeat(part[[reference]], len(groups), axis=0)
    sums = n[:, None] * part
    return (sums.sum(axis=0) - sums) / (n.sum() - n)[:, None]


def _z_scores(
    values: sp.csr_matrix, codes: Codes, n: Floats, groups: Codes, reference: int
) -> Floats:
    """Return the normal scores of the rank sums [len(groups), genes]."""
    if reference == REST:
        return _standardized(*rank_sums(values, codes, len(n)), n, n.sum())
    scores = []
    for group in groups:
        both = np.isin(codes, (group, reference))
        sums, ties = rank_sums(values[both], (codes[both] == reference).astype(np.int64), 2)
        scores.append(_standardized(sums[:1], ties, n[[group]], n[group] + n[reference]))
    return np.vstack(scores)


def _standardized(sums: Floats, ties: Floats, n: Floats, n_all: float) -> Floats:
    """Return sums of the ranks of `n` cells among `n_all` as normal scores; 0 if all are tied."""
    of_group = n[:, None]
    away = sums - of_group * (n_all + 1) / 2
    untied = 1.0 - ties / (n_all**3 - n_all)
    variance = of_group * (n_all - of_group) * (n_all + 1) / 12 * untied
    return np.divide(away, np.sqrt(variance), out=np.zeros_like(away), where=variance > 0)
