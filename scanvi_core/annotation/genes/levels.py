"""Levels of a few genes per group of cells, and genes ranked per group by scanpy's test.

Values are log1p of counts per 10,000. Only single columns, or drawn cells, are ever read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from scanvi_core.annotation.genes.markers import log_normalized
from scanvi_core.config import RARE_CELLS
from scanvi_core.data.blocks.mapped import entries
from scanvi_core.data.dataset import TARGET_SUM

Codes = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

TEST_CELLS = 10_000  # drawn for one test, of all groups together
SIDE_CELLS = 2_000
MIN_FRACTION = 0.1  # a gene seen in fewer cells of every group is not tested
REST = -1
MAX_LOG2 = 10.0  # a gene without a count on one side has no finite fold change


def by_group(
    counts: sp.csc_matrix, totals: Floats, genes: Sequence[int], codes: Codes, n_groups: int
) -> tuple[Floats, Floats]:
    """Return mean level and share of cells with a count, [n_groups, len(genes)] each.

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
    cells = np.bincount(codes[codes >= 0], minlength=n_groups).astype(np.float64)
    cells[cells == 0] = np.nan
    mean, seen = np.empty((2, n_groups, len(genes)))
    for at, gene in enumerate(genes):
        values, rows = entries(counts, gene, gene + 1)
        group = codes[rows] + 1  # 0 for cells of no group
        levels = np.log1p(values / totals[rows] * TARGET_SUM)
        mean[:, at] = np.bincount(group, levels, n_groups + 1)[1:]
        seen[:, at] = np.bincount(group, values > 0, n_groups + 1)[1:]
    return mean / cells[:, None], seen / cells[:, None]


def drawn(codes: Codes, n_groups: int, most: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Return rows of at most `most` cells of each group, in order."""
    rng = np.random.default_rng(seed)
    kept = []
    for code in range(n_groups):
        rows = np.flatnonzero(codes == code)
        kept.append(rows if len(rows) <= most else rng.choice(rows, most, replace=False))
    return np.sort(np.concatenate([*kept, np.empty(0, np.int64)])).astype(np.int64)


def rank(
    counts: sp.csr_matrix,
    codes: Codes,
    names: Sequence[str],
    n: int,
    *,
    totals: Floats | None = None,
    reference: int = REST,
) -> pd.DataFrame:
    """Rank genes per group by scanpy's ``rank_genes_groups``: Wilcoxon's test, ties corrected.

    Of large groups some cells are drawn, 10,000 in all. Groups of fewer than 3 cells, and genes
    seen in less than a tenth of every group, are left out.

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
    rows = drawn(usable, len(names), most)
    own = usable[rows]
    raw = sp.csr_matrix(counts[rows])
    seen = np.vstack([raw[own == code].getnnz(axis=0) / (own == code).sum() for code in tested])
    kept = np.flatnonzero(seen.max(axis=0) >= MIN_FRACTION)
    values = log_normalized(raw, None if totals is None else totals[rows])[:, kept]
    found = _scanpy_ranks(values, own, tested, reference)
    found["gene"] = kept[found["gene"].to_numpy()]
    if reference == REST:
        found = found[found["score"] > 0]
    order = found["score"].abs().sort_values(ascending=False, kind="stable").index
    best = found.loc[order].groupby("group", sort=True, group_keys=False).head(n)
    best = best.sort_values("group", kind="stable")
    best["group"] = [names[code] for code in best["group"]]
    return best.reset_index(drop=True)[COLUMNS]


COLUMNS = ["group", "gene", "score", "log2_change", "p_adjusted", "share", "share_others"]


def _scanpy_ranks(
    values: sp.csr_matrix, own: Codes, tested: Codes, reference: int
) -> pd.DataFrame:
    """Test every gene in every group; groups and genes are numbers."""
    import anndata
    import scanpy as sc

    # Names of types and genes are foreign text: scanpy sees numbers only.
    obs = pd.DataFrame({"group": pd.Categorical(own.astype(str))})
    obs.index = obs.index.astype(str)
    var = pd.DataFrame(index=np.arange(values.shape[1]).astype(str))
    cells = anndata.AnnData(values, obs, var)
    groups = [str(code) for code in tested if code != reference]
    sc.tl.rank_genes_groups(
        cells, "group", groups=groups, method="wilcoxon", tie_correct=True, pts=True,
        reference="rest" if reference == REST else str(reference),
    )  # fmt: skip
    parts = []
    for group in groups:
        table = sc.get.rank_genes_groups_df(cells, group)
        parts.append(
            pd.DataFrame(
                {
                    "group": int(group),
                    "gene": table["names"].astype(int),
                    "score": table["scores"].astype(float),
                    "log2_change": table["logfoldchanges"].clip(-MAX_LOG2, MAX_LOG2),
                    "p_adjusted": table["pvals_adj"].astype(float),
                    "share": table["pct_nz_group"].astype(float),
                    "share_others": _others(table, cells, group, reference),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _others(table: pd.DataFrame, cells: Any, group: str, reference: int) -> pd.Series:
    """Return the share of cells with a count on the other side of a test."""
    if "pct_nz_reference" in table:
        return table["pct_nz_reference"].astype(float)
    side = (cells.obs["group"] != group) if reference == REST else None
    mask = (cells.obs["group"] == str(reference)) if side is None else side
    share = cells.X[mask.to_numpy()].getnnz(axis=0) / mask.sum()
    return pd.Series(share[table["names"].astype(int).to_numpy()], index=table.index)
