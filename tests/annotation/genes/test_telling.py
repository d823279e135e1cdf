"""The few genes that tell a type, and those that come behind them."""

import numpy as np
import pandas as pd
import pytest

from scanvi_core.annotation.genes.telling import COMMON, HOUSEKEEPING, first_of, put_behind


def test_genes_that_are_put_behind_fill_the_places_that_are_left():
    assert first_of([5, 1, 7, 2], {5, 7}, 2) == ([1, 2], [5])
    assert first_of([5, 1, 7, 2], {5, 7}, 3) == ([1, 2, 5], [7])
    assert first_of([5, 1], set(), 3) == ([5, 1], [])


def ranked(*rows):
    columns = ["group", "gene", "seen in group", "seen in others", "log2 change"]
    return pd.DataFrame(rows, columns=columns)


def test_ribosomal_genes_come_last_and_common_ones_before_them():
    table = ranked(
        ("T", "RPL3", 1.0, 0.2, 3.0), ("T", "B2M", 1.0, 0.6, 1.5), ("T", "CD3D", 0.8, 0.1, 4.0),
        ("T", "ACTB", 0.9, 0.4, 0.5), ("T", "RARE", 0.1, 0.0, 5.0), ("B", "MS4A1", 0.8, 0.1, 4.0),
    )  # fmt: skip
    told = put_behind(table, {"RPL3"})
    assert told["gene"].tolist() == ["CD3D", "RARE", "B2M", "ACTB", "RPL3", "MS4A1"]
    assert told["behind"].tolist() == ["", "", COMMON, COMMON, HOUSEKEEPING, ""]
    assert len(table.columns) == 5  # the table of the test stays


def test_what_is_common_is_what_scanpy_filters():
    anndata, scanpy = pytest.importorskip("anndata"), pytest.importorskip("scanpy")
    random = np.random.default_rng(0)
    rates = random.gamma(0.4, 1.0, (2, 200)).repeat([70, 90], axis=0)  # with two groups the
    adata = anndata.AnnData(random.poisson(rates).astype(np.float32))  # others are one group
    adata.obs["type"] = pd.Categorical(["A"] * 70 + ["B"] * 90)
    scanpy.pp.log1p(adata)
    scanpy.tl.rank_genes_groups(adata, "type", method="wilcoxon", pts=True)
    scanpy.tl.filter_rank_genes_groups(adata, min_in_group_fraction=-1)
    kept = {str(name) for name in adata.uns["rank_genes_groups_filtered"]["names"]["A"]} - {"nan"}
    own = scanpy.get.rank_genes_groups_df(adata, "A").rename(columns={
        "names": "gene", "pct_nz_group": "seen in group",
        "pct_nz_reference": "seen in others", "logfoldchanges": "log2 change",
    })  # fmt: skip
    told = put_behind(own.assign(group="A"), set())
    assert set(told.loc[told["behind"] == "", "gene"]) == kept and kept
